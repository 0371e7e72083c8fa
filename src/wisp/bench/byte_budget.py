"""From bits per pixel to whole bytes, exactly."""

from __future__ import annotations

from fractions import Fraction


def budget_num_bytes(bpp: float, width: int, height: int) -> int:
    """floor(bpp * width * height / 8), with `bpp` taken as the decimal number it prints as.

    Binary floats would lose a byte where the product is whole: 0.29 * 8 * 100 / 8 is 29, not 28.
    """
    return int(Fraction(str(bpp)) * width * height // 8)
