"""Padding to whole regions and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.errors import UsageError
from wisp.imaging import crop_to_size, pad_to_multiple, padded_side


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([(), (1,), (3,)]), st.sampled_from([1, 8, 32]))
def test_pad_and_crop(height: int, width: int, channels: tuple[int, ...], multiple: int) -> None:
    pixels = (
        np.random.default_rng(height * 71 + width)
        .integers(0, 256, (height, width, *channels))
        .astype(np.uint8)
    )
    padded = pad_to_multiple(pixels, multiple)
    assert padded.dtype == np.uint8
    assert padded.shape[2:] == pixels.shape[2:]
    for side, original in zip(padded.shape[:2], (height, width), strict=True):
        assert side % multiple == 0
        assert original <= side < original + multiple
        assert side == padded_side(original, multiple)
    assert np.array_equal(crop_to_size(padded, height, width), pixels)
    assert (padded[height:, :width] == pixels[-1:]).all()
    assert (padded[:height, width:] == pixels[:, -1:]).all()
    assert (padded[height:, width:] == pixels[-1, -1]).all()


@pytest.mark.parametrize(
    ("size", "padded"),
    [((1, 1), (32, 32)), ((7, 5), (32, 32)), ((1, 4000), (32, 4000)), ((33, 32), (64, 32))],
)
def test_awkward_sizes(size: tuple[int, int], padded: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 9, np.uint8)
    assert pad_to_multiple(pixels).shape == (*padded, 3)
    assert (pad_to_multiple(pixels) == 9).all()


def test_whole_regions_are_not_copied() -> None:
    pixels = np.zeros((64, 32, 3), np.uint8)
    assert pad_to_multiple(pixels) is pixels


def test_errors() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    for empty in (np.zeros((0, 4, 3), np.uint8), np.zeros((4, 0), np.uint8)):
        with pytest.raises(UsageError, match="not empty"):
            pad_to_multiple(empty)
    with pytest.raises(UsageError, match="multiple"):
        pad_to_multiple(pixels, 0)
    for height, width in ((5, 6), (4, 7), (0, 1), (1, 0), (-1, 3)):
        with pytest.raises(UsageError, match="within 6x4"):
            crop_to_size(pixels, height, width)
