"""Regions of interest: a mask that makes errors count more where the user cares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.errors import UsageError

STRENGTH = 8.0  # how many times an error weighs inside the mask


def roi_weights(
    mask_u8: NDArray[np.uint8], height: int, width: int, rows: int, columns: int, strength: float = STRENGTH
) -> NDArray[np.float64]:
    """Mask (h, w) uint8, 0 = ordinary, 255 = of interest -> (rows, columns) weights from 1 to `strength`.

    The mask may have any resolution of the picture's shape: it is spread over the picture, and a region
    takes the largest value that it touches.

    Raises:
        UsageError: the mask's aspect differs from the picture's by more than a pixel, or is empty.
    """
    h, w = mask_u8.shape[:2]
    if mask_u8.ndim != 2 or not h or not w or abs(h * width - w * height) > max(height, width):
        raise UsageError(
            f"expected a mask of the picture's shape, {width}x{height} or the same reduced, found {w}x{h}"
        )
    if not 1 <= strength <= 1000:
        raise UsageError(f"expected a strength of 1..1000, found {strength}")
    mask_u8 = mask_u8.repeat(-(-rows // h), 0).repeat(-(-columns // w), 1)  # at least one value a region
    h, w = mask_u8.shape
    row_of = np.arange(h) * rows // h
    column_of = np.arange(w) * columns // w
    peak = np.zeros((rows, columns), np.uint8)
    np.maximum.at(peak, (row_of[:, None], column_of[None]), mask_u8)
    return 1 + (strength - 1) * (peak.astype(np.float64) / 255.0)
