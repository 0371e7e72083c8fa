"""Statistics of a latent grid's levels, counted on those of training photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grid_contexts import CLASSES, GridPart, GridTables, grid_parts
from wisp.entropy.integer_softmax import cumulatives
from wisp.entropy.level_rows import NUM_SYMBOLS, LevelTables, symbols_of
from wisp.entropy.range_coder import TOTAL

SMOOTHING = 0.3  # of counts: what was not seen has a third of a chance


def fit_grid_tables(grids: list[NDArray[np.int16]]) -> GridTables:
    """Thresholds at equal shares of the activities, counted frequencies, and prediction where it is shorter.

    Args:
        grids: (C, h, w) levels of each photograph.
    """
    channels = len(grids[0])
    thresholds = np.zeros((channels, 2, CLASSES - 1), np.int64)
    frequencies = np.zeros((channels, 2, CLASSES, NUM_SYMBOLS), np.int32)
    predicted = np.zeros(channels, np.bool_)
    for channel in range(channels):
        ways = [_count(grids, channel, is_predicted) for is_predicted in (False, True)]
        predicted[channel] = ways[1][2] < ways[0][2]
        thresholds[channel], frequencies[channel], _ = ways[int(predicted[channel])]
    rows = frequencies.reshape(-1, NUM_SYMBOLS).astype(np.uint32)
    return GridTables(LevelTables(rows, cumulatives(rows)), thresholds, predicted)


def _count(
    grids: list[NDArray[np.int16]], channel: int, is_predicted: bool
) -> tuple[NDArray[np.int64], NDArray[np.int32], float]:
    """Thresholds (2, 7), frequencies (2, 8, 256) and bits of one channel."""
    parts: list[list[tuple[GridPart, NDArray[np.int16]]]] = [[], []]
    for grid in grids:
        flags = np.zeros(len(grid), np.bool_)
        flags[channel] = is_predicted
        for part in grid_parts(grid[: channel + 1], flags, channel):
            parts[part.half].append((part, grid[channel][part.mask]))
    thresholds = np.zeros((2, CLASSES - 1), np.int64)
    frequencies = np.zeros((2, CLASSES, NUM_SYMBOLS), np.int32)
    bits = 0.0
    for half, found in enumerate(parts):
        activity = np.concatenate([part.activity for part, _ in found])
        symbols = symbols_of(np.concatenate([levels - part.expected for part, levels in found]))
        thresholds[half] = np.quantile(activity, np.arange(1, CLASSES) / CLASSES, method="higher")
        classes = np.searchsorted(thresholds[half], activity, side="right")
        for number in range(CLASSES):
            counts = np.bincount(symbols[classes == number], minlength=NUM_SYMBOLS)
            frequencies[half, number] = to_total(counts + SMOOTHING)
            bits -= float((counts * np.log2(frequencies[half, number] / TOTAL)).sum())
    return thresholds, frequencies, bits


def to_total(counts: NDArray[np.floating]) -> NDArray[np.int32]:
    """Whole numbers of at least 1 with sum 2^16, in proportion to counts; the largest takes what is left."""
    scaled = np.floor(counts * ((TOTAL - len(counts)) / counts.sum())).astype(np.int32) + 1
    scaled[np.argmax(scaled)] += TOTAL - int(scaled.sum())
    return scaled
