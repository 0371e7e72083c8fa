"""Working scales: sizes, flat pictures, no shift, no aliasing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.errors import UsageError
from wisp.imaging import downscale_u8, scaled_size, upscale_u8


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 3), st.integers(0, 255), st.booleans())
def test_sizes_round_up_and_flat_stays_flat(
    height: int, width: int, exponent: int, level: int, grey: bool
) -> None:
    pixels = np.full((height, width) if grey else (height, width, 3), level, np.uint8)
    small = downscale_u8(pixels, exponent)
    factor = 2**exponent
    assert (
        small.shape[:2] == (-(-height // factor), -(-width // factor)) == scaled_size(height, width, exponent)
    )
    assert small.shape[2:] == pixels.shape[2:]
    back = upscale_u8(small, (height, width))
    assert back.shape == pixels.shape
    assert (small == level).all()
    assert (back == level).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (1, 4000)])
def test_awkward_sizes(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for exponent in range(4):
        small = downscale_u8(pixels, exponent)
        assert small.shape[:2] == scaled_size(*size, exponent)
        assert upscale_u8(small, size).shape == pixels.shape


def test_exponent_zero_is_the_picture_itself() -> None:
    pixels = np.zeros((5, 6, 3), np.uint8)
    assert downscale_u8(pixels, 0) is pixels


@pytest.mark.parametrize("exponent", [1, 2, 3])
@pytest.mark.parametrize("side", [64, 61])
def test_a_smooth_picture_comes_back_in_place(exponent: int, side: int) -> None:
    rows, cols = np.mgrid[:side, :side] / side
    smooth = 127 + 60 * np.sin(2 * np.pi * rows) + 60 * np.cos(2 * np.pi * cols)
    pixels = np.rint(smooth).astype(np.uint8)
    back = upscale_u8(downscale_u8(pixels, exponent), (side, side)).astype(float)
    inner = slice(16, -16)  # at the edge the filter has nothing to look at
    assert np.abs(back - smooth)[inner, inner].max() <= 6
    assert abs((back - smooth)[inner, inner].mean()) <= 0.5


@pytest.mark.parametrize("exponent", [1, 2, 3])
def test_finest_checkerboard_becomes_flat(exponent: int) -> None:
    rows, cols = np.mgrid[:128, :128]
    pixels = (255 * ((rows + cols) % 2)).astype(np.uint8)
    small = downscale_u8(pixels, exponent).astype(int)
    assert np.abs(small[4:-4, 4:-4] - 127).max() <= 12


def test_grey_stays_grey_and_contrast_is_clipped() -> None:
    edge = np.zeros((32, 32, 3), np.uint8)
    edge[:, 16:] = 255
    back = upscale_u8(downscale_u8(edge, 1), (32, 32))
    assert (back[..., 0] == back[..., 1]).all()
    assert (back[..., 0] == back[..., 2]).all()
    assert back.min() == 0
    assert back.max() == 255
    assert back[:, :8].max() < 40
    assert back[:, 24:].min() > 215


def test_read_only_and_strided_pixels_are_accepted() -> None:
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    pixels.flags.writeable = False
    assert np.array_equal(downscale_u8(pixels[::-1], 1), downscale_u8(pixels[::-1].copy(), 1))


@pytest.mark.parametrize("exponent", [-1, 4])
def test_other_exponents_are_refused(exponent: int) -> None:
    with pytest.raises(UsageError, match="0 to 3"):
        downscale_u8(np.zeros((4, 4, 3), np.uint8), exponent)


def test_empty_target_is_refused() -> None:
    with pytest.raises(UsageError, match="1x1"):
        upscale_u8(np.zeros((4, 4, 3), np.uint8), (0, 4))
