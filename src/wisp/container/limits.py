"""How much a file may declare (docs/format.md, section 7).

Every limit is compared with a declared number before anything of that size is allocated, copied or decoded.
"""

from __future__ import annotations

from numbers import Integral

from wisp.errors import LimitExceeded, UsageError

MAX_PIXELS = 178_956_970
"""Default limit of width * height: the size above which Pillow refuses an image, too."""

MAX_SIDE = 1 << 24
"""Largest width or height, in pixels: what the widest size class can say."""

MAX_NUM_CHUNKS = 64
"""Chunks in one file, empty ones included."""

MAX_CHUNK_NUM_BYTES = 16 << 20
"""Data bytes of one chunk."""

MAX_CHUNKS_NUM_BYTES = 32 << 20
"""Data bytes of all chunks of one file together."""

MAX_VARINT_NUM_BYTES = 4
"""Bytes that spell the length of one chunk."""

MIN_PAYLOAD_NUM_BYTES = 1
"""The range coder's flush writes at least one byte."""

CHECK_NUM_BYTES = 2
"""The CRC-16 that ends a file."""


def is_whole(value: object) -> bool:
    """Whether it is a whole number, numpy's included; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_pixels(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a picture of more than `max_pixels` pixels.

    Args:
        width: pixels across, as declared.
        height: pixels down, as declared.
        max_pixels: the largest lawful width * height.

    Raises:
        LimitExceeded: width * height is above `max_pixels`.
        UsageError: `max_pixels` is no whole number from 1 up.
    """
    if not is_whole(max_pixels) or max_pixels < 1:
        raise UsageError(f"expected max_pixels as a whole number from 1 up, found {max_pixels!r}")
    if width * height > max_pixels:
        raise LimitExceeded(
            f"expected at most {max_pixels:,} pixels, the header declares {width} x {height} = "
            f"{width * height:,}; raise max_pixels if you trust this file"
        )
