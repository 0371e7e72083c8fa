"""Detail of a large picture: where every trial takes a second, a sample of the rows is tried instead.

bands of rows -> quality and strength whose frame would fill the room -> the whole frame -> how sizes compare -> again
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LARGE = 1 << 22  # pixels
BAND = 32  # rows
EVERY = 12  # bands, of which one is tried
TRIES = 4
QUALITY_HALVINGS, STRENGTH_HALVINGS = 8, 6
LEFT = 0.005  # of the room may stay unused
AIM = 0.998  # of the room
NUDGE = 0.01  # by which the aim moves where it hits the same frame again
WEAKEST, LAST_HALVINGS = 0.85, 5  # of a strength that is too much

Encode = Callable[[NDArray[np.uint8], NDArray[np.uint8], float, float], bytes]


def sampled_detail(
    original_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], room: int, encode: Encode
) -> bytes | None:
    """The fullest frame of at most `room` bytes that a few tries find; None if none of them fits.

    Args:
        original_u8, shown_u8: (H, W, 3).
        encode: original, shown, quality, strength of the difference -> frame.
    """
    original, shown = _bands(original_u8), _bands(shown_u8)
    ratio = len(original_u8) / len(original)
    best: bytes | None = None
    over: tuple[float, float] | None = None  # quality and strength of the smallest frame that was too large
    least, aim = 1 << 62, AIM * room
    last: tuple[float, float] | None = None
    for _ in range(TRIES):
        quality, strength, size = _fill(original, shown, aim / ratio, encode)
        if (quality, strength) == last:
            aim *= 1 + NUDGE
            continue
        last = quality, strength
        frame = encode(original_u8, shown_u8, quality, strength)
        if len(frame) <= room:
            best = frame if best is None or len(frame) > len(best) else best
        elif len(frame) < least:
            over, least = (quality, strength), len(frame)
        if best is not None and len(best) >= room * (1 - LEFT):
            return best
        if over is not None and best is not None:
            break
        ratio = len(frame) / size
    if over is None:
        return best
    weak, strong = (
        over[1] * WEAKEST,
        over[1],
    )  # sizes jump where libwebp's segments change: now the whole itself
    for _ in range(LAST_HALVINGS):
        strength = (weak + strong) / 2
        frame = encode(original_u8, shown_u8, over[0], strength)
        if len(frame) <= room:
            weak, best = strength, frame if best is None or len(frame) > len(best) else best
        else:
            strong = strength
        if best is not None and len(best) >= room * (1 - LEFT):
            break
    return best


def _bands(picture_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every twelfth band of rows, one below the other, from the middle of each dozen."""
    first = EVERY // 2 * BAND
    tops = range(first, max(first + 1, len(picture_u8) - BAND), EVERY * BAND)
    return np.concatenate([picture_u8[top : top + BAND] for top in tops])


def _fill(
    original_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], room: float, encode: Encode
) -> tuple[float, float, int]:
    """Quality and strength whose frame comes nearest to `room` bytes from below, and its size."""
    low, high = 0.0, 100.0
    for _ in range(QUALITY_HALVINGS):
        middle = (low + high) / 2
        if len(encode(original_u8, shown_u8, middle, 1.0)) <= room:
            low = middle
        else:
            high = middle
    best = low, 1.0, len(encode(original_u8, shown_u8, low, 1.0))
    weak, strong = 0.0, 1.0  # of the next better quality, weaker differences
    for _ in range(STRENGTH_HALVINGS):
        strength = (weak + strong) / 2
        size = len(encode(original_u8, shown_u8, high, strength))
        if size <= room:
            weak = strength
            best = (high, strength, size) if size > best[2] else best
        else:
            strong = strength
    return best
