"""Granularity by hand: shares and maps give the depths that were asked for, and what cannot be meant is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.allocation.information import depths_by_ratio, patch_entropies
from wisp.codecs import decode_tokens
from wisp.codecs.by_hand import depths_of_greys, greys_of_depths


def test_entropy_ranks_flat_below_busy_and_pads() -> None:
    pixels = np.full((40, 96, 3), 100, np.uint8)
    pixels[:, 32:64] = np.random.default_rng(0).integers(0, 256, (40, 32, 1))
    pixels[:, 64:] = np.linspace(60, 140, 32).astype(np.uint8)[None, :, None]
    found = patch_entropies(pixels)
    assert found.shape == (2, 3)
    assert (found[0, 1] > found[0, 2] > found[0, 0]).all()
    assert found.min() >= 0
    assert found.max() <= np.log(32) + 1e-9


def test_entropy_is_the_published_one() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    luma = pixels.astype(float) @ [0.2989, 0.587, 0.114] / 127.5 - 1
    soft = np.exp(-0.5 * ((luma.reshape(-1, 1) - np.linspace(-1, 1, 32)) / 0.01) ** 2).mean(0)
    shares = soft / soft.sum()
    assert patch_entropies(pixels)[0, 0] == pytest.approx(-(shares * np.log(shares + 1e-40)).sum(), abs=0.01)


@given(
    st.integers(1, 300), st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(any), st.integers(0, 99)
)
def test_shares_are_kept_to_a_region(count: int, parts: list[int], seed: int) -> None:
    ratios = [part / sum(parts) for part in parts]
    entropies = np.random.default_rng(seed).permutation(count)[None].astype(float)
    depths = depths_by_ratio(entropies, ratios, (12, 8, 4))
    for depth, ratio in zip((12, 8, 4), ratios, strict=True):
        assert abs((depths == depth).sum() - ratio * count) <= 1
    order = np.argsort(-entropies.ravel(), kind="stable")
    assert (np.diff(depths.ravel()[order].astype(int)) <= 0).all()


@given(
    st.integers(1, 300), st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(any), st.integers(0, 99)
)
def test_equal_regions_are_treated_alike_and_finer_shares_never_exceeded(
    count: int, parts: list[int], seed: int
) -> None:
    ratios = [part / sum(parts) for part in parts]
    entropies = np.random.default_rng(seed).integers(0, 4, (1, count)).astype(float)
    depths = depths_by_ratio(entropies, ratios, (12, 8, 4))
    for value in np.unique(entropies):
        assert len(np.unique(depths[entropies == value])) == 1
    assert (depths == 12).sum() <= round(ratios[0] * count)
    assert (depths >= 8).sum() <= round((ratios[0] + ratios[1]) * count)


@given(st.integers(1, 40))
def test_greys_and_depths_are_one_scale(num_groups: int) -> None:
    depths = np.arange(1, num_groups + 1).astype(np.uint8)
    greys = greys_of_depths(depths, num_groups)
    assert np.array_equal(depths_of_greys(greys.astype(float), num_groups), depths)
    if num_groups > 1:
        assert (greys[0], greys[-1]) == (0, 255)


def test_ratios_reach_the_file(photo_u8: NDArray[np.uint8], tiny_model: Path, prior_model: Path) -> None:
    for model in (tiny_model, prior_model):
        sizes = []
        for ratios in ((0, 0, 1), (0.1, 0.4, 0.5), (1, 0, 0)):
            data = wisp.compress(photo_u8, ratios=ratios, model=model)
            depths = decode_tokens(data, model=model).grain_map
            counts = [int((depths == depth).sum()) for depth in (12, 8, 4)]
            assert counts == [round(70 * r) for r in ratios]
            sizes.append(len(data))
        assert sizes == sorted(sizes)


@pytest.mark.parametrize("size", [500, 900])
def test_a_grain_map_given_back_gives_the_same_file(
    photo_u8: NDArray[np.uint8], prior_model: Path, size: int
) -> None:
    data = wisp.compress(photo_u8, size=size, model=prior_model)
    full = wisp.reconstruct(data, model=prior_model)
    again = wisp.compress(photo_u8, grain_map=full.grain_map, model=prior_model)
    assert again == data or wisp.read_info(again).num_bytes < len(data)
    assert decode_tokens(again, model=prior_model) == decode_tokens(data, model=prior_model)


def test_a_map_of_any_resolution(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    plane = np.zeros((400, 600), np.uint8)
    plane[:, 300:] = 255
    depths = decode_tokens(
        wisp.compress(photo_u8, grain_map=plane, model=tiny_model), model=tiny_model
    ).grain_map
    assert (depths[:, :4] == 1).all()
    assert (depths[:, 5:] == 12).all()
    grey = np.full((2, 3), 128, np.uint8)
    depths = decode_tokens(
        wisp.compress(photo_u8, grain_map=grey, model=tiny_model), model=tiny_model
    ).grain_map
    assert (depths == 7).all()


WRONG = [
    ({"ratios": (0.5, 0.4)}, "sum is 1"),
    ({"ratios": (0.5, 0.5)}, "3 ratios"),
    ({"ratios": (1.5, -0.5, 0)}, "shares from 0 to 1"),
    ({"ratios": (float("nan"), 0.5, 0.5)}, "shares"),
    ({"ratios": "0.1"}, "shares"),
    ({"ratios": (10**400, 0, 0)}, "shares"),
    ({"ratios": 3}, "shares"),
    ({"ratios": (1, 0, 0), "size": 900}, "without size"),
    ({"ratios": (1, 0, 0), "bpp": 0.1}, "without bpp"),
    ({"ratios": (1, 0, 0), "quality": 10}, "without quality"),
    ({"ratios": (1, 0, 0), "roi": np.zeros((200, 300), np.uint8)}, "without roi"),
    ({"ratios": (1, 0, 0), "grain_map": np.zeros((200, 300), np.uint8)}, "found both"),
    ({"grain_map": np.zeros((300, 200), np.uint8)}, "expected a grain map of the picture's shape"),
    ({"grain_map": np.zeros((200, 300, 3), np.uint8)}, "expected a grain map as uint8"),
    ({"grain_map": np.zeros((200, 300))}, "expected a grain map as uint8"),
    ({"grain_map": np.zeros((0, 0), np.uint8)}, "grain map"),
    ({"grain_map": np.zeros((200, 300), np.uint8), "size": 900}, "without size"),
]


@pytest.mark.parametrize(("options", "words"), WRONG)
def test_what_cannot_be_meant_is_refused(
    photo_u8: NDArray[np.uint8], tiny_model: Path, options: dict, words: str
) -> None:
    with pytest.raises(wisp.UsageError, match=words) as caught:
        wisp.compress(photo_u8, model=tiny_model, **options)
    assert "\n" not in str(caught.value)


@pytest.fixture
def photo(tmp_path: Path, photo_u8: NDArray[np.uint8]) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(photo_u8).save(path)
    return path


def test_command_line_there_and_back(photo: Path, tiny_model: Path) -> None:
    model = ("--model", tiny_model)
    one, two = photo.with_name("1.wisp"), photo.with_name("2.wisp")
    drawn, raw = photo.with_name("map.png"), photo.with_name("raw.png")
    assert run_cli("compress", photo, one, "--ratios", "0.1,0.4,0.5", *model).code == 0
    ran = run_cli("info", one, "--grain-map", drawn, "--grain-map-raw", raw, *model)
    assert ran.code == 0
    assert "rate" in ran.out
    with Image.open(drawn) as image:
        assert (image.mode, image.size) == ("RGB", (300, 200))
    with Image.open(raw) as image:
        assert (image.mode, image.size) == ("L", (10, 7))
    assert run_cli("compress", photo, two, "--grain-map", raw, *model).code == 0
    assert one.read_bytes() == two.read_bytes()


def test_command_line_faults(photo: Path, tiny_model: Path) -> None:
    out = photo.with_name("out.wisp")
    for options in (
        ("--ratios", "0.1,0.4"),
        ("--ratios", "a,b"),
        ("--ratios=-1,1,1",),
        ("--ratios", "1,0,0", "--size", "2kB"),
        ("--grain-map", "m.png", "--bpp", "0.1"),
        ("--grain-map", "-"),
    ):
        source = "-" if options[-1] == "-" else photo
        assert_one_line_error(run_cli("compress", source, out, *options, "--model", tiny_model), 2)
    assert_one_line_error(run_cli("compress", photo, out, "--grain-map", "none.png"), 1, "none.png")
    assert not out.exists()
    assert run_cli("compress", photo, out, "--model", tiny_model).code == 0
    for name in ("out.wisp", "map.txt", "-", "photo.png"):
        path = name if name == "-" else photo.with_name(name)
        assert_one_line_error(run_cli("info", out, "--grain-map", path, "--model", tiny_model), 2)
    assert_one_line_error(run_cli("info", out, "--grain-map-raw", photo.with_name("raw.jpg")), 2, ".png")


def test_a_guessed_region_of_interest(photo: Path, photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    guessed = wisp.compress(photo_u8, size=900, roi="auto", roi_strength=100, model=tiny_model, threads=1)
    assert len(guessed) <= 900
    assert guessed != wisp.compress(photo_u8, size=900, model=tiny_model, threads=1)
    with pytest.raises(wisp.UsageError, match="'auto'"):
        wisp.compress(photo_u8, size=900, roi="face", model=tiny_model)
    out = photo.with_name("auto.wisp")
    options = ("--size", "900", "--roi", "auto", "--roi-strength", "100", "--model", tiny_model)
    assert run_cli("compress", photo, out, *options, "--threads", "1").code == 0
    assert out.read_bytes() == guessed


def test_a_model_of_uniform_grain_refuses_depths_by_hand(
    photo_u8: NDArray[np.uint8], uniform_model: Path
) -> None:
    with pytest.raises(wisp.UsageError, match="uniform grain"):
        wisp.compress(photo_u8, ratios=(1.0,), model=uniform_model)
    with pytest.raises(wisp.UsageError, match="without keep"):
        wisp.compress(photo_u8, ratios=(1.0,), keep=0.5, model=uniform_model)


def test_a_cut_file_of_uniform_grain_shows_what_arrived(
    photo_u8: NDArray[np.uint8], uniform_model: Path
) -> None:
    data = wisp.compress(photo_u8, quality=100, keep=0.5, model=uniform_model)
    whole = wisp.reconstruct(data, model=uniform_model, allow_partial=True)
    assert (whole.partial, whole.num_generated) == (False, 0)
    part = wisp.reconstruct(data[: len(data) // 2], model=uniform_model, allow_partial=True)
    assert part.partial
    assert part.confidence.mean() < whole.confidence.mean()
