"""Colours that photographs do not have: no writer may send what comes back as a chequer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import codec_for_model
from wisp.codecs.pyramid_networks import analyse
from wisp.codecs.taming import paler, tame, vivid_regions
from wisp.container import unpack_file


def shown(picture: Image.Image, size: int) -> NDArray[np.float64]:
    return np.asarray(wisp.decompress(wisp.compress(picture, size=size)).convert("RGB"), np.float64)


@pytest.mark.parametrize(
    ("colour", "sides", "size", "most"),
    [
        ((0, 255, 0), (400, 300), 200, 90),
        ((0, 255, 0), (400, 300), 2000, 10),
        ((0, 220, 0), (400, 300), 200, 80),
        ((10, 120, 40), (600, 400), 200, 30),
        ((20, 110, 50), (600, 400), 200, 30),
        ((60, 225, 60), (400, 300), 200, 40),
        ((60, 225, 60), (768, 512), 1000, 40),  # a chequer at three groups alone
        ((0, 220, 0), (768, 512), 5000, 20),  # by the forecast's wishes a third of it was a chequer
        ((0, 255, 255), (400, 300), 1000, 20),
        ((0, 255, 255), (400, 300), 800, 5),  # not 35 off, as with tokens to the last byte
        ((0, 0, 255), (400, 300), 1000, 8),
    ],
)
def test_a_saturated_wall_keeps_its_colour(
    colour: tuple[int, int, int], sides: tuple[int, int], size: int, most: float
) -> None:
    """Without the taming a channel is 85 to 120 levels off on average, and pixels are anything."""
    found = shown(Image.new("RGB", sides, colour), size)
    assert np.abs(found.mean((0, 1)) - colour).max() <= most
    assert np.sqrt(((found - colour) ** 2).mean()) <= most


def test_a_photograph_does_not_pay_for_a_wall_beside_it(photo_u8: NDArray[np.uint8]) -> None:
    pixels = np.concatenate([photo_u8[:192, :288], np.full((192, 288, 3), (0, 0, 255), np.uint8)], 1)
    data = wisp.compress(pixels, size=1600)
    assert not unpack_file(data).header.has_detail


def test_more_bytes_repair_what_is_left() -> None:
    found = shown(Image.new("RGB", (400, 300), (0, 255, 0)), 20_000)
    assert np.sqrt(((found - (0, 255, 0)) ** 2).mean()) <= 5


def test_other_regions_keep_their_tokens(photo_u8: NDArray[np.uint8]) -> None:
    bundle = codec_for_model(None, 1).bundle
    pixels = photo_u8[:192, :288].copy()
    before = analyse(bundle, pixels)
    assert tame(bundle, pixels, before, 4) is before
    pixels[:, 224:] = (0, 255, 0)
    before = analyse(bundle, pixels)
    after = tame(bundle, pixels, before, 4)
    for level, (old, new) in enumerate(zip(before.tokens.planes, after.tokens.planes, strict=True)):
        fold = before.tokens.shape.fold(level)
        assert np.array_equal(old[:, :, : 7 * fold], new[:, :, : 7 * fold])
        assert not np.array_equal(old, new)


def test_reds_and_yellows_are_no_trouble() -> None:
    colours = {
        (255, 0, 0): False,
        (255, 220, 0): False,
        (0, 255, 0): True,
        (0, 200, 255): True,
        (90, 140, 90): False,
    }
    for colour, is_vivid in colours.items():
        assert vivid_regions(np.full((40, 33, 3), colour, np.uint8), 32).tolist() == [[is_vivid] * 2] * 2


def test_paler_keeps_luma() -> None:
    assert paler(np.array([[0, 255, 0]], np.uint8), 0.0).tolist() == [[150, 150, 150]]
    assert paler(np.array([[10, 20, 30]], np.uint8), 1.0).tolist() == [[10, 20, 30]]
