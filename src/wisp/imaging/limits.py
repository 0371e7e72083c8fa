"""The limit on a picture's size, checked from its header before any pixel is allocated."""

from __future__ import annotations

from typing import Final

from wisp.errors import ImageError, LimitExceeded, UsageError

DEFAULT_MAX_PIXELS: Final = 178_956_970
"""Pixels: what fits in half a gibibyte as 8-bit RGB; Pillow refuses above the same number."""


def check_limit(max_pixels: int) -> None:
    """Raise UsageError if a limit would refuse every picture."""
    if max_pixels < 1:
        raise UsageError(f"expected max_pixels of at least 1, found {max_pixels}; give a larger number")


def check_size(height: int, width: int, max_pixels: int) -> None:
    """Raise ImageError if the picture has no pixels, LimitExceeded if it has more than `max_pixels`."""
    if height < 1 or width < 1:
        raise ImageError(
            f"expected a picture of at least 1x1 pixels, found {width}x{height}; give one that is not empty"
        )
    if height * width > max_pixels:
        raise LimitExceeded(
            f"expected at most {max_pixels} pixels, found {width}x{height} = {height * width}; "
            "scale the picture down"
        )
