"""Regions of interest: a mask that makes errors count more where the user cares."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import NDArray

from wisp.errors import UsageError

MAX_STRENGTH = 1000


def check_roi(mask_u8: NDArray[np.uint8], height: int, width: int, strength: object) -> None:
    """Raise UsageError if a mask does not fit a picture, or its strength is out of range; costs nothing."""
    check_shape(mask_u8, height, width, "mask")
    if not (isinstance(strength, Real) and 1 <= float(strength) <= MAX_STRENGTH):
        raise UsageError(f"expected a strength of 1..{MAX_STRENGTH}, found {strength!r}")


def check_shape(plane_u8: NDArray[np.uint8], height: int, width: int, what: str) -> None:
    """Raise UsageError if a plane is empty, or its aspect differs from a picture's by more than a pixel."""
    h, w = plane_u8.shape[:2]
    if plane_u8.ndim != 2 or not h or not w or abs(h * width - w * height) > max(height, width):
        raise UsageError(
            f"expected a {what} of the picture's shape, {width}x{height} or the same reduced, found {w}x{h}"
        )


def roi_weights(
    mask_u8: NDArray[np.uint8], height: int, width: int, region_side: int, strength: float
) -> NDArray[np.float64]:
    """Mask (h, w) uint8, 0 = ordinary, 255 = of interest -> (rows, columns) weights from 1 to `strength`.

    The mask may have any resolution of the picture's shape: it is spread over the picture, and a region
    takes the largest value that it touches.

    Args:
        height, width: of the picture, in its own pixels.
        region_side: of a region, in the same pixels: 32 x 2^s at working scale s.

    Raises:
        UsageError: the mask's aspect differs from the picture's by more than a pixel, or is empty.
    """
    check_roi(mask_u8, height, width, strength)
    bands = np.stack([mask_u8[span].max(0) for span in _spans(len(mask_u8), height, region_side)])
    peak = np.stack([bands[:, span].max(1) for span in _spans(bands.shape[1], width, region_side)], 1)
    return 1 + (strength - 1) * (peak.astype(np.float64) / 255.0)


def region_means(
    plane_u8: NDArray[np.uint8], height: int, width: int, region_side: int
) -> NDArray[np.float64]:
    """Plane (h, w) uint8 of a picture's shape -> (rows, columns) means of what each region touches."""
    bands = np.stack([plane_u8[span].mean(0) for span in _spans(len(plane_u8), height, region_side)])
    return np.stack([bands[:, span].mean(1) for span in _spans(bands.shape[1], width, region_side)], 1)


def _spans(count: int, side: int, region_side: int) -> list[slice]:
    """Which of `count` mask values, spread over `side` pixels, each region touches."""
    return [
        slice(start * count // side, -(-min(start + region_side, side) * count // side))
        for start in range(0, side, region_side)
    ]
