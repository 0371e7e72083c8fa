"""The lattice bench on residuals made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wisp.bench import lattice
from wisp.bench.residual_lattice import PERIODS, lattice_ratios, ratios_of, residual_spectrum
from wisp.errors import ImageError

HEIGHT, WIDTH = 512, 768


def grey(residual: NDArray[np.float64] | float = 0.0) -> NDArray[np.uint8]:
    plane = np.broadcast_to(128.0 + np.asarray(residual), (HEIGHT, WIDTH))
    return plane.round().clip(0, 255).astype(np.uint8)


def noise(deviation: float = 3.0, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.0, deviation, (HEIGHT, WIDTH))


def test_white_noise_has_no_lattice() -> None:
    found = lattice_ratios(grey(), grey(noise()), flattest=None)
    assert [period.period_px for period in found.periods] == list(PERIODS)
    assert found.num_blocks == 7 * 11
    for period in found.periods:
        for ratio in (period.horizontal, period.vertical, period.diagonal):
            assert 0.6 < ratio < 1.6


@pytest.mark.parametrize("period", PERIODS)
def test_a_grid_in_noise_is_found_at_its_period(period: int) -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    grid = 3.0 * ((x % period == 0) | (y % period == 0))
    found = {p.period_px: p for p in lattice_ratios(grey(), grey(noise() + grid)).periods}
    assert found[period].horizontal > 4.0
    assert found[period].vertical > 4.0
    for longer in (p for p in PERIODS if p > period):
        assert max(found[longer].horizontal, found[longer].vertical, found[longer].diagonal) < 2.0


@pytest.mark.parametrize(
    ("down", "across", "name"),
    [(0, 1, "horizontal"), (1, 0, "vertical"), (1, 1, "diagonal"), (1, -1, "diagonal")],
)
def test_a_wave_is_found_in_its_direction(down: int, across: int, name: str) -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    wave = 2.0 * np.cos(2 * np.pi * (down * y + across * x) / 8)
    found = {p.period_px: p for p in lattice_ratios(grey(), grey(noise() + wave), flattest=None).periods}
    for direction in ("horizontal", "vertical", "diagonal"):
        ratio = getattr(found[8], direction)
        assert ratio > 50.0 if direction == name else ratio < 2.0


def test_a_brighter_picture_has_no_lattice() -> None:
    found = lattice_ratios(grey(), grey(noise() + 40.0), flattest=None)
    same = lattice_ratios(grey(), grey(noise()), flattest=None)
    assert found.worst == pytest.approx(same.worst, rel=1e-6)


def test_a_falling_spectrum_has_no_lattice() -> None:
    smooth = noise(40.0)
    for axis in (0, 1):
        smooth = (smooth + np.roll(smooth, 1, axis) + np.roll(smooth, -1, axis)) / 3
    assert lattice_ratios(grey(), grey(smooth), flattest=None).worst < 2.0


def test_the_flattest_blocks_are_those_of_the_original() -> None:
    x = np.arange(WIDTH)
    busy = np.where(x < WIDTH // 2, 0.0, noise(40.0))
    stripes = np.where(x < WIDTH // 2, 4.0 * (x % 8 == 0), 0.0)
    original = grey(busy)
    decoded = grey(busy + stripes + noise(3.0, seed=9))
    flat, everywhere = lattice_ratios(original, decoded), lattice_ratios(original, decoded, flattest=None)
    assert flat.num_blocks == round(0.25 * everywhere.num_blocks)
    assert flat.periods[1].horizontal > 1.5 * everywhere.periods[1].horizontal > 10.0


def test_no_residual_is_no_lattice() -> None:
    found = lattice_ratios(grey(noise()), grey(noise()))
    assert found.num_blocks == 0
    assert found.worst == 1.0


def test_spectra_add_up() -> None:
    first, second = (
        residual_spectrum(grey(), grey(noise(seed=1))),
        residual_spectrum(grey(), grey(noise(seed=2))),
    )
    both = first + second
    assert both.num_blocks == first.num_blocks + second.num_blocks
    assert ratios_of(both).worst < max(ratios_of(first).worst, ratios_of(second).worst)


def test_colour_is_measured_in_luma() -> None:
    colour = np.repeat(grey(noise())[..., None], 3, axis=2)
    one = lattice_ratios(np.full_like(colour, 128), colour)
    assert one.worst == pytest.approx(lattice_ratios(grey(), grey(noise())).worst, rel=1e-6)


@pytest.mark.parametrize("shape", [(127, 500, 3), (500, 127)])
def test_small_pictures_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="sides of at least 128"):
        lattice_ratios(np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))
    with pytest.raises(ImageError, match="one size"):
        lattice_ratios(np.zeros(shape, np.uint8), np.zeros((200, 200), np.uint8))


def test_the_command_with_decoded_pictures(tmp_path: Path) -> None:
    for folder, pixels in (("original", grey()), ("decoded", grey(noise()))):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "a.png")
    order = ["--images", str(tmp_path / "original"), "--decoded", str(tmp_path / "decoded")]
    assert lattice.main([*order, "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "lattice.json").read_text())
    assert found["overall"] == found["images"]["a"]
    assert found["overall"]["all_blocks"]["num_blocks"] == 77
    assert "| flattest_quarter | 4 |" in (tmp_path / "out" / "summary.md").read_text()
    (tmp_path / "decoded" / "a.png").rename(tmp_path / "decoded" / "b.png")
    assert lattice.main([*order, "--out", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()
