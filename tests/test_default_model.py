"""The released default model on real photographs: budgets, bounds on pixels, and Kodak when it lies beside."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import DEFAULT_MODEL, ENTRIES, codec_for_model, decode_tokens

KODAK = Path(__file__).parent.parent.parent / "shared" / "eval" / "kodak"


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    data = importlib.resources.files("wisp.cli") / "photograph" / "coffee.png"
    with importlib.resources.as_file(data) as path, Image.open(path) as image:
        return image.convert("RGB")


def psnr_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    mse_u8 = ((a.astype(np.float64) - b) ** 2).mean()
    return float(10 * np.log10(255**2 / mse_u8))


def test_numbers_and_names_are_used_once() -> None:
    assert len({e.number for e in ENTRIES}) == len(ENTRIES) == len({e.name for e in ENTRIES})
    assert codec_for_model().bundle.config.name == DEFAULT_MODEL


def test_the_bundle_is_small_enough_for_the_wheel() -> None:
    assert codec_for_model().bundle.num_bytes <= 24_000_000


@pytest.mark.parametrize("name", ["analysis.onnx", "synthesis.onnx"])
def test_nodes_have_names_of_their_own(name: str) -> None:
    """Else onnxruntime 1.19 fuses some into several of one name, and does not load the network."""
    graph = onnx.load_model(codec_for_model().bundle.folder / name).graph
    names = [node.name for node in graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("size", [500, 1000, 2000, 4000, 8000])
def test_budgets_on_a_photograph(photograph: Image.Image, size: int) -> None:
    data = wisp.compress(photograph, size=size)
    assert 0.97 * size <= len(data) <= size
    assert wisp.decompress(data).size == photograph.size


def test_more_bytes_look_better(photograph: Image.Image) -> None:
    pixels = np.asarray(photograph)
    quality = [
        psnr_db(pixels, np.asarray(wisp.decompress(wisp.compress(photograph, size=s))))
        for s in (400, 2000, 12000)
    ]
    assert quality == sorted(quality)
    assert quality[1] > 20  # a floor, far below what is measured in results/
    assert quality[2] > 22


def test_overhead_of_an_ordinary_photo_is_eight_bytes(photograph: Image.Image) -> None:
    info = wisp.read_info(wisp.compress(photograph, size=2000))
    assert info.header_num_bytes == 8


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_stay_small(level: int, photograph: Image.Image) -> None:
    flat = wisp.compress(np.full((400, 600, 3), level, np.uint8), size=20000)
    assert len(flat) < 0.5 * len(wisp.compress(photograph, size=20000))


@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (200, 20, 20)])
def test_flat_colours_are_right(colour: tuple[int, int, int]) -> None:
    """Tokens alone may miss a colour that photographs do not have; what is left of the budget must not be wasted."""
    flat = np.full((400, 600, 3), colour, np.uint8)
    shown = np.asarray(wisp.decompress(wisp.compress(flat, size=2500)).convert("RGB")).astype(float)
    assert np.abs(shown.mean((0, 1)) - colour).max() < 2.5
    assert np.square(shown - flat).mean() < 8


def test_tokens_do_not_depend_on_threads(photograph: Image.Image) -> None:
    data = wisp.compress(photograph, size=2000, threads=1)
    other = wisp.compress(photograph, size=2000, threads=2)
    assert decode_tokens(data, threads=1) == decode_tokens(data, threads=2)
    assert decode_tokens(other, threads=1) == decode_tokens(other, threads=2)


@pytest.mark.skipif(not KODAK.is_dir(), reason="the Kodak pictures do not lie beside the checkout")
@pytest.mark.parametrize("name", ["kodim03.png", "kodim13.png", "kodim19.png"])
def test_budgets_on_kodak(name: str) -> None:
    with Image.open(KODAK / name) as opened:
        image = opened.convert("RGB")
    for size in (500, 2000, 8000):
        data = wisp.compress(image, size=size)
        assert 0.97 * size <= len(data) <= size
    decoded = np.asarray(wisp.decompress(data))
    assert psnr_db(np.asarray(image), decoded) > 18


def test_a_tiled_photograph_is_within_two_grey_levels(
    photograph: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wisp.codecs import pyramid_networks

    bundle = codec_for_model().bundle
    pixels = np.asarray(photograph.crop((0, 0, 576, 384)))
    whole = pyramid_networks.analyse(bundle, pixels).tokens
    picture = pyramid_networks.synthesise(bundle, whole).astype(int)
    monkeypatch.setattr(pyramid_networks, "WHOLE", 0)
    monkeypatch.setattr(pyramid_networks, "CORE", 192)
    tiled = pyramid_networks.analyse(bundle, pixels).tokens
    assert min(np.mean(a == b) for a, b in zip(whole.planes, tiled.planes, strict=True)) > 0.9
    assert np.abs(pyramid_networks.synthesise(bundle, whole) - picture).max() <= 2
