"""Files that were cut: what arrived is shown and is what was sent, nothing else ever leaves the reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

import wisp
from wisp.codecs import codec_for_model, pyramid_networks
from wisp.codecs.partial_reading import read_partial
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import unpack_file
from wisp.tokens.pyramid import NOT_SENT, PyramidShape, TokenPyramid
from wisp.tokens.torn import TornPyramid, tear

SHARED = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def random_pyramid(rows: int, columns: int, seed: int) -> TokenPyramid:
    random = np.random.default_rng(seed)
    shape = PyramidShape(rows, columns, (32, 16, 8), (4, 4, 4))
    planes = tuple(
        random.integers(0, 256, (g, *shape.plane_shape(i))).astype(np.uint8) for i, g in enumerate((4, 4, 4))
    )
    grain = random.integers(1, 13, (rows, columns)).astype(np.uint8)
    return TokenPyramid(shape, planes, grain).cut_to_map()


def assert_a_beginning(found: TokenPyramid, whole: TokenPyramid) -> int:
    """Every token that arrived is that of the whole; returns how many did."""
    count = 0
    for part, full in zip(found.with_absences(), whole.with_absences(), strict=True):
        here = part != NOT_SENT
        assert np.array_equal(part[here], full[here])
        count += int(here.sum())
    return count


@pytest.mark.parametrize("with_prior", [False, True])
def test_every_cut_gives_a_beginning(prior_model: Path, with_prior: bool) -> None:
    codec = codec_for_model(prior_model, 1)
    whole = random_pyramid(2, 3, 5)
    model = codec.prior_model if with_prior else codec.entropy_model
    assert model is not None
    payload = model.write(whole).data
    counts = []
    for kept in range(len(payload) + 1):
        try:
            found = read_partial(codec.entropy_model, model, payload[:kept], whole.shape)
        except wisp.Truncated:
            assert not counts  # only at the beginning
            continue
        counts.append(assert_a_beginning(found, whole))
    assert counts == sorted(counts)
    assert 0 < counts[0] < 10
    assert counts[-1] > int((whole.with_absences()[2] != NOT_SENT).sum())  # few are lost to reading ahead
    assert len(set(counts)) > len(counts) // 2


def test_a_torn_pyramid_counts_what_arrived() -> None:
    whole = random_pyramid(1, 2, 3)
    whole = replace(whole, grain_map=np.array([[12, 5]], np.uint8))
    arrived = np.zeros((2, 4), np.bool_)
    arrived[0, :3] = True
    torn = tear(whole, 4, arrived)
    assert isinstance(torn, TornPyramid)
    assert torn.grain_map.tolist() == [[5, 5]]
    assert (torn.with_absences()[1][0] != NOT_SENT).tolist() == arrived.tolist()
    assert not torn.sent(5, 1).any()
    assert torn.sent(3, 0).all()
    plain = tear(whole, 2, np.array([[True, False]]))
    assert type(plain) is TokenPyramid
    assert plain.grain_map.tolist() == [[3, 2]]


def test_a_window_of_a_torn_pyramid_is_torn() -> None:
    whole = replace(random_pyramid(3, 4, 6), grain_map=np.full((3, 4), 12, np.uint8))
    torn = tear(whole, 6, np.random.default_rng(6).random((6, 8)) < 0.5)
    parts = torn.window(slice(1, 3), slice(1, 4)).with_absences()
    for part, full, fold in zip(parts, torn.with_absences(), (1, 2, 4), strict=True):
        assert np.array_equal(part, full[:, fold : 3 * fold, fold : 4 * fold])


@pytest.mark.parametrize("whole_side", [1, 1 << 20])
def test_what_did_not_arrive_is_not_seen(
    whole_side: int, prior_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the picture: tokens behind the tear may be anything, in one tile and in several."""
    monkeypatch.setattr(pyramid_networks, "WHOLE", whole_side)
    monkeypatch.setattr(pyramid_networks, "CORE", 32)
    bundle = codec_of(prior_model).bundle
    arrived = np.zeros((6, 8), np.bool_)
    arrived[:3, :5] = True
    shown = []
    for seed in (1, 2):
        whole = replace(random_pyramid(3, 4, 6), grain_map=np.full((3, 4), 12, np.uint8))
        other = random_pyramid(3, 4, seed).planes[1][1]
        planes = [plane.copy() for plane in whole.planes]
        planes[1][1] = np.where(arrived, planes[1][1], other)
        shown.append(
            pyramid_networks.synthesise(bundle, tear(replace(whole, planes=tuple(planes)), 5, arrived))
        )
    assert np.array_equal(*shown)


@pytest.fixture(scope="module")
def packed(prior_model: Path, photo_u8: NDArray[np.uint8]) -> bytes:
    return wisp.compress(photo_u8, size=700, model=prior_model, threads=1)


def codec_of(folder: Path) -> TokenPyramidCodec:
    return codec_for_model(folder, 1)


def test_a_whole_file_is_not_partial(packed: bytes, prior_model: Path) -> None:
    strict = wisp.reconstruct(packed, model=prior_model)
    lenient = wisp.reconstruct(packed, model=prior_model, allow_partial=True)
    assert (strict.partial, strict.verified) == (lenient.partial, lenient.verified) == (False, True)
    assert np.array_equal(np.asarray(strict.image), np.asarray(lenient.image))
    assert np.array_equal(strict.confidence, lenient.confidence)


def test_more_bytes_more_received(packed: bytes, prior_model: Path) -> None:
    shares = []
    for kept in range(60, len(packed), 40):
        try:
            full = wisp.reconstruct(packed[:kept], model=prior_model, allow_partial=True)
        except wisp.Truncated:
            assert not shares
            continue
        assert (full.partial, full.verified, full.image.size) == (True, False, (300, 200))
        shares.append(float(full.confidence.mean()))
        assert full.generated == bool((full.confidence == 0).any())
        with pytest.raises(wisp.Truncated):
            wisp.reconstruct(packed[:kept], model=prior_model)
    assert len(shares) > 5
    assert shares == sorted(shares)


def test_what_did_not_arrive_can_be_generated(packed: bytes, prior_model: Path) -> None:
    kept = packed[: len(packed) * 2 // 3]
    options = {"allow_partial": True, "fill": "generate", "model": prior_model}
    full = wisp.reconstruct(kept, seed=3, **options)
    assert full.generated
    again = wisp.reconstruct(kept, seed=3, **options)
    assert np.array_equal(np.asarray(full.image), np.asarray(again.image))


@given(data=st.data())
@SHARED
def test_any_cut_and_any_damage_ends_with_a_picture_or_a_named_error(
    data: st.DataObject, packed: bytes, prior_model: Path
) -> None:
    kept = data.draw(st.integers(0, len(packed)))
    damaged = bytearray(packed[:kept])
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(min(6, kept - 1), kept - 1))] = data.draw(st.integers(0, 255))
    codec = codec_of(prior_model)
    try:
        file = unpack_file(bytes(damaged))
        pyramid, _, is_whole = codec.decode_arrived(file)
    except wisp.BitstreamError:
        return
    assert pyramid.grain_map.max() <= 12
    assert codec.confidence(pyramid).max() <= 1
    assert is_whole or kept != len(packed) or bytes(damaged) != packed


@given(st.binary(max_size=200), st.integers(0, 1))
@SHARED
def test_any_stream_ends(prior_model: Path, data: bytes, with_prior: int) -> None:
    codec = codec_of(prior_model)
    model = (codec.entropy_model, codec.prior_model)[with_prior]
    assert model is not None
    try:
        found = read_partial(codec.entropy_model, model, data, PyramidShape(3, 2, (32, 16, 8), (4, 4, 4)))
    except (wisp.Truncated, wisp.Corrupt):
        return
    assert found.with_absences()[0].max() <= NOT_SENT


@pytest.fixture
def cut(tmp_path: Path, packed: bytes) -> Path:
    path = tmp_path / "cut.wisp"
    path.write_bytes(packed[:500])
    return path


def test_command_line(cut: Path, packed: bytes, prior_model: Path) -> None:
    out, model = cut.with_name("out.png"), ("--model", prior_model)
    assert_one_line_error(run_cli("decompress", cut, out, *model), 1, "end is missing")
    ran = run_cli("decompress", cut, out, "--allow-partial", *model)
    assert ran.code == 0
    assert "nothing is verified" in ran.stderr
    with Image.open(out) as image:
        assert "part of a compressed file" in image.text["XML:com.adobe.xmp"]
        pixels = np.asarray(image)
    whole = cut.with_name("whole.wisp")
    whole.write_bytes(packed)
    assert run_cli("decompress", whole, out, "-f", "--bytes", "500", *model).code == 0
    with Image.open(out) as image:
        assert np.array_equal(pixels, np.asarray(image))
    text = cut.with_name("whole.txt")
    text.write_text(wisp.to_text(packed))
    assert run_cli("decompress", text, out, "-f", "--bytes", "0.5kB", *model).code == 0
    with Image.open(out) as image:
        assert np.array_equal(pixels, np.asarray(image))
    ran = run_cli("decompress", whole, out, "-f", "--bytes", "1MB", *model)
    assert "verified" not in ran.stderr


def test_no_more_is_read_than_asked_for(cut: Path, packed: bytes, prior_model: Path) -> None:
    cut.write_bytes(packed[:400] + bytes(1000))
    out = cut.with_name("out.png")
    assert run_cli("decompress", cut, out, "--bytes", "400", "--model", prior_model).code == 0
    assert_one_line_error(run_cli("decompress", cut, out, "-f", "--bytes", "3"), 1, "found 3")
    assert_one_line_error(run_cli("decompress", cut, out, "-f", "--bytes", "x"), 2, "size")
    kept = cut.with_name("short.wisp")
    kept.write_bytes(packed[:12])
    ran = run_cli("decompress", kept, out, "-f", "--allow-partial", "--model", prior_model)
    assert_one_line_error(ran, 1, "grain map")


def test_pillow_shows_cut_files_when_told_to(
    cut: Path, prior_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wisp.pillow

    wisp.pillow.register_wisp_opener(model=prior_model)
    try:
        with Image.open(cut) as image, pytest.raises(OSError, match="truncated"):
            image.load()
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        with Image.open(cut) as image:
            image.load()
            assert image.size == (300, 200)
            assert (image.info["partial"], image.info["verified"]) == (True, False)
            assert b"nothing vouches" in image.info["xmp"]
    finally:
        wisp.pillow.register_wisp_opener()
