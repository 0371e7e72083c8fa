"""The sizes at which the placeholder codecs look at a picture."""

from __future__ import annotations


def size_within(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """Width and height of the picture scaled down to at most `long_side` pixels, each at least 1.

    Args:
        size: width and height in pixels.
        long_side: upper bound of both; a picture within it keeps its size.
    """
    largest = max(size)
    if largest <= long_side:
        return size
    width, height = (max(1, round(side * long_side / largest)) for side in size)
    return width, height
