"""Signed levels to a range-coded payload and back, each under the Gaussian of its scale index."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.gaussian_tables import (
    ESCAPE,
    LARGEST,
    NUM_SCALES,
    REACH,
    deviation,
    scale_cumulatives,
    scale_frequencies,
)
from wisp.entropy.range_coder import LOOKAHEAD, TOTAL, RangeDecoder, RangeEncoder
from wisp.errors import Truncated, UsageError

_ROWS = 512  # decoded at once: half a megabyte of table rows
_BYTE = TOTAL // 256  # frequency of each value of a byte that is written as it is
_NEGATIVE = 128


def write_levels(levels: NDArray[np.int16], scales: NDArray[np.integer]) -> bytes:
    """The payload: all symbols, then for each of those with a large magnitude one byte, sign and excess over 128.

    Args:
        levels: (n,) from -255 to 255.
        scales: (n,) scale indices, 0..95.

    Raises:
        UsageError: a level or a scale is out of its range.
    """
    if np.abs(levels).max(initial=0) > LARGEST:
        raise UsageError(f"expected levels from -{LARGEST} to {LARGEST}, found {int(np.abs(levels).max())}")
    check_scales(scales, len(levels))
    far = np.abs(levels) > REACH
    symbols = np.where(far, ESCAPE, levels + REACH)
    excess = np.abs(levels[far]).astype(np.int64) - (REACH + 1) + np.where(levels[far] < 0, _NEGATIVE, 0)
    encoder = RangeEncoder()
    encoder.encode(
        scale_cumulatives()[scales, symbols].tolist(), scale_frequencies()[scales, symbols].tolist()
    )
    encoder.encode((excess * _BYTE).tolist(), [_BYTE] * len(excess))
    return encoder.finish()


def read_levels(data: bytes, scales: NDArray[np.integer]) -> tuple[NDArray[np.int16], int]:
    """The (n,) int16 levels of n scale indices, and how many bytes of `data` they took.

    Raises:
        Truncated: the payload ends too early.
        Corrupt: no encoder writes these bytes.
        UsageError: a scale is out of its range.
    """
    check_scales(scales, len(scales))
    decoder = RangeDecoder(data, num_virtual=LOOKAHEAD)  # nothing follows that it could read ahead into
    parts = [
        decoder.decode(scale_cumulatives()[scales[first : first + _ROWS]])
        for first in range(0, len(scales), _ROWS)
    ]
    symbols = np.concatenate(parts)
    levels = symbols.astype(np.int16) - np.int16(REACH)
    places = np.flatnonzero(symbols == ESCAPE)
    flat = np.arange(257, dtype=np.int32)[None] * np.int32(_BYTE)
    for first in range(0, len(places), _ROWS):
        some = places[first : first + _ROWS]
        excess = decoder.decode(np.repeat(flat, len(some), 0)).astype(np.int16)
        magnitudes = excess % _NEGATIVE + (REACH + 1)
        levels[some] = np.where(excess >= _NEGATIVE, -magnitudes, magnitudes)
    length = decoder.finish()
    if length > len(data):
        raise Truncated(
            f"expected {length} bytes of payload, found {len(data)}; the end of the vector is missing"
        )
    return levels, length


def best_scale(levels: NDArray[np.int16]) -> int:
    """The index under which all the levels together cost least; a writer's choice, which it writes down."""
    symbols = np.where(np.abs(levels) > REACH, ESCAPE, levels + REACH)
    counts = np.bincount(symbols, minlength=ESCAPE + 1)
    costs = -np.log2(scale_frequencies() / TOTAL) @ counts
    return int(costs.argmin())


def nearest_scale(spread: float) -> int:
    """The index whose standard deviation is nearest to a positive one, in steps: a writer's or a model's choice."""
    distances = [abs(math.log(deviation(i) / spread)) for i in range(NUM_SCALES)]
    return int(np.argmin(distances))


def check_scales(scales: NDArray[np.integer], count: int) -> None:
    """Whether there is one scale index a dimension, 0..95.

    Raises:
        UsageError: there is not.
    """
    if (
        scales.shape != (count,)
        or scales.dtype.kind not in "iu"
        or not ((scales >= 0) & (scales < NUM_SCALES)).all()
    ):
        raise UsageError(f"expected {count} whole numbers from 0 to {NUM_SCALES - 1} as scales, found others")
