"""The token pyramid codec end to end, with a model of random weights: everything but quality."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import codec_for_model, decode_tokens
from wisp.codecs.proposal import AllocationSettings
from wisp.container import unpack_file
from wisp.runtime import Bundle
from wisp.train.export import write_config


def fit(image: object, model: Path, size: int) -> bytes:
    """A file of at most `size` bytes, or the smallest there is."""
    try:
        return wisp.compress(image, size=size, model=model)
    except wisp.BudgetError as fault:
        return wisp.compress(image, size=fault.smallest_num_bytes, model=model)


@pytest.mark.parametrize("size", [120, 300, 700, 1500, 4000])
def test_size_is_a_promise(photo_u8: NDArray[np.uint8], tiny_model: Path, size: int) -> None:
    data = wisp.compress(photo_u8, size=size, model=tiny_model)
    ceiling = len(wisp.compress(photo_u8, quality=100, model=tiny_model))
    assert len(data) <= size
    assert len(data) >= min(size, ceiling) - max(2, 0.005 * size)
    assert wisp.decompress(data, model=tiny_model).size == (300, 200)


def test_budget_error_carries_a_size_that_works(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    with pytest.raises(wisp.BudgetError, match="ask for") as caught:
        wisp.compress(photo_u8, size=5, model=tiny_model)
    size = caught.value.smallest_num_bytes
    assert len(wisp.compress(photo_u8, size=size, model=tiny_model)) <= size
    with pytest.raises(wisp.BudgetError):
        wisp.compress(photo_u8, size=size - 1, model=tiny_model)


def test_quality_is_monotone(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    sizes = [len(wisp.compress(photo_u8, quality=q, model=tiny_model)) for q in (0, 25, 50, 75, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_bpp_counts_the_whole_file(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = wisp.compress(photo_u8, bpp=0.1, model=tiny_model)
    assert 8 * len(data) / (300 * 200) <= 0.1
    assert wisp.read_info(data).rate_bpp == 8 * len(data) / 60000


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1, 4000), (33, 31), (4000, 1)])
def test_odd_sizes(shape: tuple[int, int], tiny_model: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    data = wisp.compress(pixels, quality=50, model=tiny_model)
    image = wisp.decompress(data, model=tiny_model)
    assert image.size == (shape[1], shape[0])
    assert image.mode == "RGB"
    small = fit(pixels, tiny_model, 60)
    assert wisp.decompress(small, model=tiny_model).size == (shape[1], shape[0])


def test_twenty_four_megapixels(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    pixels = np.tile(photo_u8, (20, 20, 1))
    assert pixels.shape == (4000, 6000, 3)
    data = wisp.compress(pixels, size=120_000, model=tiny_model)
    assert len(data) <= 120_000
    assert wisp.decompress(data, model=tiny_model).size == (6000, 4000)


def test_greyscale_stays_grey(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    grey = photo_u8[..., 0]
    data = wisp.compress(grey, size=800, model=tiny_model)
    assert wisp.read_info(data).greyscale
    assert wisp.decompress(data, model=tiny_model).mode == "L"


def test_alpha(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    alpha = np.zeros((200, 300, 1), np.uint8)
    alpha[50:150, 50:250] = 255
    rgba = np.concatenate([photo_u8, alpha], 2)
    data = wisp.compress(rgba, size=2000, alpha="keep", model=tiny_model)
    image = wisp.decompress(data, model=tiny_model)
    assert len(data) <= 2000
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image)[..., 3], alpha[..., 0])
    assert wisp.decompress(wisp.compress(rgba, size=2000, model=tiny_model), model=tiny_model).mode == "RGB"


def test_exif_is_kept_only_on_demand(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo_u8)
    exif = image.getexif()
    exif[0x010F] = "maker"
    image.info["exif"] = exif.tobytes()
    kept = wisp.compress(image, size=2000, keep_exif=True, model=tiny_model)
    assert wisp.reconstruct(kept, model=tiny_model).exif is not None
    assert wisp.reconstruct(wisp.compress(image, size=2000, model=tiny_model), model=tiny_model).exif is None


def test_roi_moves_detail(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    mask = np.zeros((200, 300), np.uint8)
    mask[:96, :96] = 255
    with_roi = decode_tokens(
        wisp.compress(photo_u8, size=900, roi=mask, roi_strength=500, model=tiny_model), model=tiny_model
    )
    without = decode_tokens(wisp.compress(photo_u8, size=900, model=tiny_model), model=tiny_model)
    assert with_roi.grain_map[:3, :3].mean() > without.grain_map[:3, :3].mean()


def test_written_twice_is_identical_and_threads_do_not_matter(
    photo_u8: NDArray[np.uint8], tiny_model: Path
) -> None:
    first = wisp.compress(photo_u8, size=1000, model=tiny_model, threads=1)
    assert first == wisp.compress(photo_u8, size=1000, model=tiny_model, threads=1)
    other = wisp.compress(photo_u8, size=1000, model=tiny_model, threads=2)
    for data in (first, other):
        assert decode_tokens(data, model=tiny_model, threads=1) == decode_tokens(
            data, model=tiny_model, threads=2
        )


def test_every_cut_is_truncated(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = wisp.compress(photo_u8, size=300, model=tiny_model)
    for kept in range(len(data)):
        with pytest.raises(wisp.Truncated):
            decode_tokens(data[:kept], model=tiny_model)


def test_what_follows_is_corrupt(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = wisp.compress(photo_u8, size=300, model=tiny_model)
    for tail in (b"\0", b"\xff" * 7, data):
        with pytest.raises(wisp.BitstreamError):
            decode_tokens(data + tail, model=tiny_model)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_a_named_error(
    data: st.DataObject, photo_u8: NDArray[np.uint8], tiny_model: Path
) -> None:
    file = wisp.compress(photo_u8, size=300, model=tiny_model)
    place = data.draw(st.integers(0, len(file) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != file[place]))
    damaged = file[:place] + bytes([value]) + file[place + 1 :]
    with pytest.raises((wisp.BitstreamError, wisp.ModelError)):
        decode_tokens(damaged, model=tiny_model)


@given(tail=st.binary(max_size=120))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_decode_or_are_named(tail: bytes, tiny_model: Path) -> None:
    for data in (
        tail,
        bytes.fromhex("c75000") + tail,
        bytes.fromhex("c75000 05f 03f".replace(" ", "")) + tail,
    ):
        try:
            decode_tokens(data, model=tiny_model)
        except (wisp.BitstreamError, wisp.ModelError):
            continue


def test_tiles_agree_with_the_whole(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wisp.codecs import pyramid_networks
    from wisp.train.verify import example_picture as make_picture

    codec = codec_for_model(tiny_model)
    pixels = make_picture(512, 640)
    whole = pyramid_networks.analyse(codec.bundle, pixels)
    picture = pyramid_networks.synthesise(codec.bundle, whole.tokens)
    monkeypatch.setattr(pyramid_networks, "WHOLE", 0)
    monkeypatch.setattr(pyramid_networks, "CORE", 256)
    monkeypatch.setattr(pyramid_networks, "ANALYSIS_HALO", 256)
    monkeypatch.setattr(pyramid_networks, "SYNTHESIS_HALO", 256)
    tiled = pyramid_networks.analyse(codec.bundle, pixels)
    agreement = [np.mean(a == b) for a, b in zip(whole.tokens.planes, tiled.tokens.planes, strict=True)]
    assert min(agreement) > 0.98
    again = pyramid_networks.synthesise(codec.bundle, whole.tokens)
    assert np.abs(again.astype(int) - picture).max() <= 2


def test_a_network_for_many_inputs_is_the_same_network(tiny_model: Path) -> None:
    network = codec_for_model(tiny_model).bundle.analysis
    with network.repeated(1) as one:
        assert one is network
    with network.repeated(3) as other:
        assert other is not network
        for height, width in ((64, 96), (96, 64), (64, 64)):
            image = np.random.default_rng(height + width).integers(0, 256, (1, height, width, 3), np.uint8)
            here, there = network.run({"image": image}), other.run({"image": image})
            assert all(np.array_equal(here[name], there[name]) for name in here)


def test_memory_of_large_inputs_is_not_kept(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wisp.codecs import pyramid_networks

    bundle = Bundle(tiny_model)
    pixels = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
    small = pyramid_networks.analyse(bundle, pixels).tokens
    shown = pyramid_networks.synthesise(bundle, small)
    for network in (bundle.analysis, bundle.synthesis):
        assert set(network._sessions) == {True}
        network._sessions.clear()
    monkeypatch.setattr(pyramid_networks, "SMALL", 64 * 96 - 1)
    assert pyramid_networks.analyse(bundle, pixels).tokens == small
    assert np.array_equal(pyramid_networks.synthesise(bundle, small), shown)
    assert not bundle.analysis._sessions  # it had memory of its own, and is gone
    assert set(bundle.synthesis._sessions) == {False}
    for network in (bundle.analysis, bundle.synthesis):
        with network.repeated(2) as own:
            own._load(True)
            with pytest.raises(wisp.ModelMismatch, match="run on its inputs"):
                own.run({"nothing": pixels}, keep=False)
            assert set(own._sessions) == {True}  # what it has anyway


def test_a_network_for_many_inputs_is_verified_too(tiny_model: Path, tmp_path: Path) -> None:
    bundle = Bundle(shutil.copytree(tiny_model, tmp_path / "model"))
    tokens = {"image": np.zeros((1, 64, 64, 3), np.uint8)}
    bundle.analysis.run(tokens)
    path = tmp_path / "model" / "analysis.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    bundle.analysis.run(tokens)
    with bundle.analysis.repeated(2) as other, pytest.raises(wisp.ModelMismatch, match="SHA-256"):
        other.run(tokens)


def test_file_of_another_model_number(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = bytearray(wisp.compress(photo_u8, size=600, model=tiny_model))
    data[1] = data[1] & 0xF0 | 13
    with pytest.raises(wisp.UnknownModel, match="13"):
        wisp.decompress(bytes(data))
    with pytest.raises(wisp.ModelMismatch, match="number"):
        wisp.decompress(bytes(data), model=tiny_model)


def test_file_of_a_withdrawn_model(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = wisp.compress(photo_u8, size=600, model=tiny_model)
    assert data[1] & 0x0F == 0
    with pytest.raises(wisp.UnknownModel, match="withdrawn"):
        wisp.decompress(data)


def test_confidence_is_the_share_received(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    full = wisp.reconstruct(wisp.compress(photo_u8, size=900, model=tiny_model), model=tiny_model)
    assert full.confidence.shape == (7, 10)
    assert full.confidence.min() > 0
    assert full.confidence.max() <= 1


def test_options_are_checked(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    for options in (
        {"size": 0},
        {"size": "many"},
        {"size": 100, "bpp": 1.0},
        {"quality": 101},
        {"bpp": -1},
        {"size": 99.5},
    ):
        with pytest.raises(wisp.UsageError):
            wisp.compress(photo_u8, model=tiny_model, **options)
    with pytest.raises(wisp.UnknownModel):
        wisp.compress(photo_u8, model="nobody")
    with pytest.raises(wisp.UsageError, match="mask"):
        wisp.compress(photo_u8, size=500, roi=np.zeros((200, 300)), model=tiny_model)


def test_a_pyramid_is_what_was_sent(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    codec = codec_for_model(tiny_model)
    data = wisp.compress(photo_u8, size=1200, model=tiny_model)
    pyramid = codec.decode_tokens(unpack_file(data))
    assert replace(pyramid).cut_to_map() == pyramid


@pytest.mark.parametrize("side", [(20, 90), (64, 64), (100, 170)])
def test_small_pictures_keep_their_budgets(
    photo_u8: NDArray[np.uint8], prior_model: Path, side: tuple[int, int]
) -> None:
    pixels = photo_u8[: side[0], : side[1]]
    ceiling = len(wisp.compress(pixels, size=1 << 30, model=prior_model))
    for share in (0.3, 0.55, 0.8, 1.0):
        size = int(share * ceiling)
        data = wisp.compress(pixels, size=size, model=prior_model)
        assert len(data) <= size
        assert len(data) >= 0.85 * min(size, ceiling)  # a step of one of four regions is many bytes


@pytest.mark.parametrize(
    ("width", "height", "budget", "exponent"),
    [
        (1000, 1000, None, 0),
        (1000, 1000, 1500, 0),
        (1000, 1000, 1000, 1),
        (1000, 1000, 30, 2),
        (500, 500, 200, 0),
        (500, 500, 150, 1),
        (40, 1000, 1, 0),
        (64, 1000, 1, 1),
    ],
)
def test_the_working_scale_follows_rate_and_size(
    width: int, height: int, budget: int | None, exponent: int
) -> None:
    settings = AllocationSettings(0.5, (1.0,), (0.01, 0.001), scale_pixels=1e6)
    assert settings.first_exponent(width, height, budget) == exponent


def test_a_bundle_that_changed_is_opened_again(prior_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(prior_model, folder)
    before = codec_for_model(folder)
    assert codec_for_model(str(folder)) is before
    table = json.loads((folder / "config.json").read_text())
    write_config(folder, {**table, "summary": "another"})
    assert codec_for_model(folder).bundle.config.summary == "another"
    assert before.bundle.config.summary != "another"
