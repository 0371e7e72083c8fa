"""Signed levels to a range-coded payload and back, each under the Gaussian of its scale index."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.gaussian_tables import NUM_SCALES, deviation, scale_cumulatives, scale_frequencies
from wisp.entropy.level_rows import NUM_SYMBOLS, LevelTables, read_rows, symbols_of, write_rows
from wisp.entropy.range_coder import TOTAL
from wisp.errors import UsageError


def write_levels(levels: NDArray[np.int16], scales: NDArray[np.integer]) -> bytes:
    """The payload (wisp.entropy.level_rows).

    Args:
        levels: (n,) from -255 to 255.
        scales: (n,) scale indices, 0..95.

    Raises:
        UsageError: a level or a scale is out of its range.
    """
    check_scales(scales, len(levels))
    return write_rows(levels, scales, _tables())


def read_levels(data: bytes, scales: NDArray[np.integer]) -> tuple[NDArray[np.int16], int]:
    """The (n,) int16 levels of n scale indices, and how many bytes of `data` they took.

    Raises:
        Truncated: the payload ends too early.
        Corrupt: no encoder writes these bytes.
        UsageError: a scale is out of its range.
    """
    check_scales(scales, len(scales))
    return read_rows(data, scales, _tables())


def bits_of_levels(levels: NDArray[np.integer], scales: NDArray[np.integer]) -> float:
    """What all the levels cost, in bits; a writer's estimate."""
    return float(_tables().bits(levels, scales).sum())


@cache
def _tables() -> LevelTables:
    return LevelTables(scale_frequencies(), scale_cumulatives())


def best_scale(levels: NDArray[np.int16]) -> int:
    """The index under which all the levels together cost least; a writer's choice, which it writes down."""
    counts = np.bincount(symbols_of(levels), minlength=NUM_SYMBOLS)
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
