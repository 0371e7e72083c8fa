"""Models of uniform grain: one depth for the picture, at all positions or a share of them."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import codec_for_model, decode_tokens
from wisp.codecs import pyramid_networks as networks
from wisp.codecs.generation import default_depth
from wisp.codecs.grain_coding import UniformCoder
from wisp.codecs.prior_entropy import PriorEntropyModel
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.codecs.uniform_file import depth_of_quality
from wisp.entropy.range_coder import RangeDecoder, RangeEncoder
from wisp.errors import BitstreamError, BudgetError, Corrupt, Truncated, UsageError
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.tokens.stages import TILE
from wisp.tokens.uniform_grain import UniformGrain, grain_of_map
from wisp.train.export import UNIFORM_SCALE_BPP

DOCUMENT = (Path(__file__).parents[1] / "docs" / "format.md").read_text(encoding="utf-8")
GROUPS = 4


def pyramid_of(rows: int, columns: int, grain: UniformGrain, seed: int = 0) -> TokenPyramid:
    """Random tokens of the tiny model's shape."""
    shape = PyramidShape(rows, columns, (16,), (GROUPS,))
    plane = np.random.default_rng(seed).integers(0, 256, (GROUPS, rows, columns)).astype(np.uint8)
    return TokenPyramid(shape, (plane,), grain.map(rows, columns)).cut_to_map()


def models(folder: Path) -> tuple[PyramidEntropyModel, PriorEntropyModel]:
    codec = codec_for_model(folder, 1)
    assert codec.prior_model is not None
    return codec.entropy_model, codec.prior_model


# ---- the grain ----


def test_shares_are_ranks_of_the_tile() -> None:
    found = UniformGrain(3, 5).map(6, 7)
    for y in range(6):
        for x in range(7):
            assert found[y, x] == (3 if TILE[y % 4, x % 4] < 5 else 0)
    shares = [(UniformGrain(1, k).map(8, 12) > 0).mean() for k in (4, 8, 12, 16)]
    assert shares == [0.25, 0.5, 0.75, 1.0]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, GROUPS), st.integers(1, 16))
def test_every_map_has_one_spelling(rows: int, columns: int, depth: int, kept: int) -> None:
    grain = UniformGrain(depth, kept)
    canonical = grain_of_map(grain.map(rows, columns))
    assert canonical == grain.canonical(rows, columns)
    assert canonical is not None
    assert np.array_equal(canonical.map(rows, columns), grain.map(rows, columns))
    same = [
        k
        for k in range(1, 17)
        if np.array_equal(UniformGrain(depth, k).map(rows, columns), grain.map(rows, columns))
    ]
    assert canonical.kept == (16 if 16 in same else min(same))


@pytest.mark.parametrize("depths", [[[1, 2], [2, 2]], [[0, 0], [0, 0]], [[0, 2], [2, 2]]])
def test_other_maps_are_none_of_one_grain(depths: list[list[int]]) -> None:
    assert grain_of_map(np.array(depths, np.uint8)) is None
    with pytest.raises(UsageError, match="expected one depth"):
        UniformCoder(GROUPS).write(RangeEncoder(), np.array(depths, np.uint8))


def test_another_spelling_is_refused() -> None:
    shape = PyramidShape(1, 1, (16,), (GROUPS,))
    encoder = RangeEncoder()
    coder = UniformCoder(GROUPS)
    for row, symbol in zip(coder._rows, (1, 2), strict=True):
        encoder.encode([int(row[0, symbol])], [int(row[0, symbol + 1] - row[0, symbol])])
    with pytest.raises(Corrupt, match="a share of 3 sixteenths whose spelling is 16"):
        coder.read(RangeDecoder(encoder.finish() + b"\0\0\0\0"), shape)


def test_the_documents_example() -> None:
    block = re.search(r"<!-- example: payload_uniform -->\n((?: {4}.*\n)+)", DOCUMENT)
    assert block is not None
    encoder, coder = RangeEncoder(), UniformCoder(8)
    coder.write(encoder, UniformGrain(2, 4).map(4, 6))
    tokens = range(10, 34, 2)
    encoder.encode([256 * t for t in tokens], [256] * len(tokens))
    assert (UniformGrain(2, 4).map(4, 6) > 0).sum() * 2 == len(tokens)
    assert encoder.finish() == bytes.fromhex("".join(block[1].split()))


# ---- payloads ----


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 7), st.integers(1, 7), st.integers(1, GROUPS), st.integers(1, 16), st.integers(0, 1 << 30)
)
def test_payloads_come_back(
    uniform_model: Path, rows: int, columns: int, depth: int, kept: int, seed: int
) -> None:
    pyramid = pyramid_of(rows, columns, UniformGrain(depth, kept), seed)
    for model in models(uniform_model):
        payload = model.write(pyramid)
        decoded, length, checked = model.read(payload.data + b"\0\0", pyramid.shape)
        assert decoded == pyramid
        assert length == len(payload.data)
        assert checked == payload.checked


def test_a_grain_map_is_refused(uniform_model: Path) -> None:
    pyramid = pyramid_of(4, 4, UniformGrain(2))
    uneven = pyramid.grain_map.copy()
    uneven[0, 0] = 3
    for model in models(uniform_model):
        with pytest.raises(UsageError, match="expected one depth"):
            model.write(replace(pyramid, grain_map=uneven))


# ---- files ----


@pytest.mark.parametrize("keep", [None, 1.0, 0.25, 0.5, 0.75, 1 / 16])
def test_a_share_of_the_positions_is_sent(
    photo_u8: NDArray[np.uint8], uniform_model: Path, keep: float | None
) -> None:
    data = wisp.compress(photo_u8, quality=100, keep=keep, model=uniform_model)
    assert data == wisp.compress(photo_u8, quality=100, keep=keep, model=uniform_model, threads=2)
    tokens = decode_tokens(data, model=uniform_model)
    assert set(np.unique(tokens.grain_map)) <= {0, GROUPS}
    assert abs((tokens.grain_map > 0).mean() - (keep or 1)) < 0.05
    smooth = wisp.reconstruct(data, model=uniform_model)
    assert smooth.image.size == (300, 200)
    assert smooth.region_side == 16
    assert smooth.confidence.shape == tokens.grain_map.shape
    assert set(np.unique(smooth.confidence)) <= {0.0, 1.0}


def test_the_rest_is_generated_to_the_files_own_depth(
    photo_u8: NDArray[np.uint8], uniform_model: Path
) -> None:
    data = wisp.compress(photo_u8, quality=50, keep=0.5, model=uniform_model)
    tokens = decode_tokens(data, model=uniform_model)
    assert default_depth(tokens.shape, tokens.grain_map, True) == 2
    absent = int((tokens.grain_map == 0).sum())
    first = wisp.reconstruct(data, fill="generate", seed=0, model=uniform_model)
    again = wisp.reconstruct(data, fill="generate", seed=0, model=uniform_model, threads=2)
    assert first.num_generated == again.num_generated == 2 * absent
    assert np.array_equal(np.asarray(first.image), np.asarray(again.image))
    deeper = wisp.reconstruct(data, fill="generate", fill_depth=GROUPS, model=uniform_model)
    assert deeper.num_generated == 4 * absent + 2 * (tokens.grain_map.size - absent)


def test_a_budget_takes_the_largest_depth_that_fits(
    photo_u8: NDArray[np.uint8], uniform_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = codec_for_model(uniform_model)
    monkeypatch.setattr(codec, "settings", replace(codec.settings, scale_bpp=()))
    sizes = [
        len(wisp.compress(photo_u8, quality=100 * depth / GROUPS, model=uniform_model))
        for depth in range(1, GROUPS + 1)
    ]
    assert sizes == sorted(sizes)
    for depth, size in enumerate(sizes, 1):
        data = wisp.compress(photo_u8, size=size, model=uniform_model)
        assert decode_tokens(data, model=uniform_model).grain_map.max() == depth
        if depth > 1:
            smaller = wisp.compress(photo_u8, size=size - 1, model=uniform_model)
            assert len(smaller) < size
            assert decode_tokens(smaller, model=uniform_model).grain_map.max() == depth - 1
    smaller = wisp.compress(photo_u8, size=sizes[0] - 1, model=uniform_model)
    assert wisp.read_info(smaller).scale_exponent > 0


def test_a_low_rate_takes_half_the_size_at_a_larger_depth(
    photo_u8: NDArray[np.uint8], uniform_model: Path
) -> None:
    assert codec_for_model(uniform_model).settings.scale_bpp == UNIFORM_SCALE_BPP
    data = wisp.compress(photo_u8, bpp=0.045, model=uniform_model)
    assert wisp.read_info(data).scale_exponent == 1
    assert decode_tokens(data, model=uniform_model).grain_map.max() > 1


def test_too_small_a_budget_names_one_that_works(photo_u8: NDArray[np.uint8], uniform_model: Path) -> None:
    with pytest.raises(BudgetError) as caught:
        wisp.compress(photo_u8, size=9, model=uniform_model)
    smallest = caught.value.smallest_num_bytes
    assert len(wisp.compress(photo_u8, size=smallest, model=uniform_model)) <= smallest


@pytest.mark.parametrize(("quality", "depth"), [(0, 1), (12.5, 1), (25, 2), (26, 3), (50, 4), (100, 8)])
def test_qualities_are_depths(quality: float, depth: int) -> None:
    assert depth_of_quality(quality, 8) == depth


def test_every_cut_is_truncated(photo_u8: NDArray[np.uint8], uniform_model: Path) -> None:
    data = wisp.compress(photo_u8[:64, :48], quality=50, keep=0.5, model=uniform_model)
    for length in range(len(data)):
        with pytest.raises(BitstreamError) as caught:
            wisp.decompress(data[:length], model=uniform_model)
        assert isinstance(caught.value, Truncated), length


@settings(max_examples=40, deadline=None)
@given(tail=st.binary(min_size=0, max_size=60))
def test_any_bytes_decode_or_are_named(tail: bytes, uniform_model: Path) -> None:
    head = wisp.compress(np.zeros((20, 50, 3), np.uint8), quality=10, model=uniform_model)[:6]
    with contextlib.suppress(BitstreamError):
        wisp.decompress(head + tail, model=uniform_model)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 15), (33, 100), (48, 47)])
def test_odd_sizes(shape: tuple[int, int], photo_u8: NDArray[np.uint8], uniform_model: Path) -> None:
    for keep in (None, 0.25):
        data = wisp.compress(photo_u8[: shape[0], : shape[1]], quality=100, keep=keep, model=uniform_model)
        for fill in ("smooth", "generate"):
            assert wisp.decompress(data, fill=fill, model=uniform_model).size == shape[::-1]


def test_tiles_agree_with_the_whole(uniform_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (24, 36, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    bundle = codec_for_model(uniform_model, 1).bundle
    whole = networks.analyse(bundle, pixels).tokens
    shown = networks.synthesise(bundle, whole)
    monkeypatch.setattr(networks, "WHOLE", 1)
    monkeypatch.setattr(networks, "CORE", 112)
    tiled = networks.analyse(bundle, pixels).tokens
    assert (tiled.planes[0] == whole.planes[0]).mean() > 0.99
    assert np.abs(networks.synthesise(bundle, whole).astype(int) - shown).max() <= 2


# ---- what is refused ----


@pytest.mark.parametrize("keep", [0, 0.05, 1.01, -1, float("nan"), "50%", True])
def test_shares_that_mean_nothing(keep: object, photo_u8: NDArray[np.uint8], uniform_model: Path) -> None:
    with pytest.raises(UsageError, match="expected keep from 1/16 to 1"):
        wisp.compress(photo_u8, keep=keep, model=uniform_model)  # type: ignore[arg-type]


def test_a_share_needs_a_uniform_grain(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="expected no keep"):
        wisp.compress(photo_u8, keep=0.5, model=tiny_model)


def test_a_mask_needs_a_grain_map(photo_u8: NDArray[np.uint8], uniform_model: Path) -> None:
    with pytest.raises(UsageError, match="expected no mask"):
        wisp.compress(photo_u8, roi=photo_u8[..., 0], model=uniform_model)


def test_packets_need_a_grain_map(photo_u8: NDArray[np.uint8], uniform_model: Path) -> None:
    with pytest.raises(UsageError, match="with a grain map of depths for packets"):
        wisp.packetize(photo_u8, model=uniform_model)


def test_packets_of_a_uniform_model_are_damaged_ones(
    photo_u8: NDArray[np.uint8], tiny_model: Path, uniform_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = wisp.packetize(photo_u8, size=600, model=tiny_model)
    codec = codec_for_model(uniform_model)
    monkeypatch.setattr("wisp.packets.codec_for_file", lambda *_: codec)
    with pytest.raises(Corrupt, match="expected packets of a model with a grain map"):
        wisp.unpacketize(packets, model=uniform_model)


# ---- the command ----


def test_keep_on_the_command_line(photo_u8: NDArray[np.uint8], uniform_model: Path, tmp_path: Path) -> None:
    Image.fromarray(photo_u8).save(tmp_path / "a.png")
    out = tmp_path / "a.wisp"
    common = ("--model", str(uniform_model), "--quality", "100")
    result = run_cli(
        "compress", str(tmp_path / "a.png"), str(out), "--keep", "50%", "--keep", "exif", *common
    )
    assert result.code == 0, result
    assert out.read_bytes() == wisp.compress(photo_u8, quality=100, keep=0.5, model=uniform_model)
    confidence = tmp_path / "map.png"
    shown = run_cli(
        "decompress",
        str(out),
        str(tmp_path / "b.png"),
        "--fill",
        "generate",
        "--confidence",
        str(confidence),
        "--model",
        str(uniform_model),
    )
    assert shown.code == 0, shown
    with Image.open(confidence) as opened:
        assert opened.size == (300, 200)
        assert abs(np.asarray(opened).mean() / 255 - 0.5) < 0.03


@pytest.mark.parametrize(
    "options",
    [
        ("--keep", "half"),
        ("--keep", "0.5"),
        ("--keep", "0%"),
        ("--keep", "50%", "--keep", "25%"),
        ("--keep", "150%"),
    ],
)
def test_bad_shares_on_the_command_line(
    options: tuple[str, ...], photo_u8: NDArray[np.uint8], uniform_model: Path, tmp_path: Path
) -> None:
    Image.fromarray(photo_u8).save(tmp_path / "a.png")
    result = run_cli("compress", str(tmp_path / "a.png"), "--model", str(uniform_model), *options)
    assert_one_line_error(result, 2)
    assert not (tmp_path / "a.wisp").exists()
