"""Padding to whole regions, and back.

The networks see sides that are multiples of 32. The rows and columns that are missing repeat the last real
one: it costs the least to code, and leaves no edge for the transform to ring on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.errors import UsageError


def padded_side(side: int, multiple: int = 32) -> int:
    """The smallest multiple of `multiple` that is not below `side`, in pixels."""
    return -(-side // multiple) * multiple


def pad_to_multiple(pixels_u8: NDArray[np.uint8], multiple: int = 32) -> NDArray[np.uint8]:
    """Extend uint8 pixels (H, W, ...) at the bottom and the right by repeating the last row and column.

    Returns the array itself if both sides are multiples already.

    Raises:
        UsageError: `multiple` is below 1, or the picture is empty.
    """
    height, width = pixels_u8.shape[:2]
    if multiple < 1 or height < 1 or width < 1:
        raise UsageError(
            f"expected 1x1 pixels or more and a multiple from 1, found {width}x{height} and {multiple}; "
            "give a picture that is not empty"
        )
    below = padded_side(height, multiple) - height
    right = padded_side(width, multiple) - width
    if below == 0 and right == 0:
        return pixels_u8
    others = ((0, 0),) * (pixels_u8.ndim - 2)
    return np.pad(pixels_u8, ((0, below), (0, right), *others), mode="edge")


def crop_to_size(pixels_u8: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Undo `pad_to_multiple`: the first `height` rows and `width` columns, as a view.

    Raises:
        UsageError: the picture is smaller than that.
    """
    found_height, found_width = pixels_u8.shape[:2]
    if not (1 <= height <= found_height and 1 <= width <= found_width):
        raise UsageError(
            f"expected a size within {found_width}x{found_height}, found {width}x{height}; "
            "give the size before padding"
        )
    return pixels_u8[:height, :width]
