"""What the levels of a latent grid are coded under: rows of frequencies chosen by levels that a reader knows already.

Channels follow one another, and each comes in two halves like the colours of a chessboard. The activity of a
position is the sum of magnitudes of the last eight channels there and, a quarter each, around it; for the second
half also how far the four neighbours of the first half lie from what is expected, which is their mean or zero, as
the model says for each channel. Thresholds sort activities into eight classes of their own frequencies. Whole
numbers throughout (docs/format.md, section 5.12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.level_rows import LevelTables, RowReader, RowWriter

CLASSES = 8
LAST = 8  # channels that count for an activity
MOST = 15  # a larger magnitude counts as this
LARGEST = 127  # magnitude of a level: the difference to what is expected stays within 255


@dataclass(frozen=True)
class GridTables:
    """A model's statistics.

    Attributes:
        rows: frequencies of 2 x C x 8 rows: channel by channel, half by half, class by class.
        thresholds: (C, 2, 7) int64, rising: an activity is of the class of how many are at most as large.
        predicted: (C,) bool: the second half is coded as differences to the mean of its neighbours.
    """

    rows: LevelTables
    thresholds: NDArray[np.int64]
    predicted: NDArray[np.bool_]


def write_grid(levels: NDArray[np.int16], tables: GridTables) -> bytes:
    """(c, h, w) levels from -127 to 127 -> payload."""
    writer = RowWriter(tables.rows)
    for part in grid_parts(levels, tables.predicted):
        rows = _rows(part, tables)
        writer.write((levels[part.channel][part.mask] - part.expected).astype(np.int16), rows)
    return writer.finish()


def read_grid(data: bytes, shape: tuple[int, int, int], tables: GridTables) -> tuple[NDArray[np.int16], int]:
    """Payload -> (c, h, w) levels, and how many bytes they took.

    Raises:
        Truncated: the payload ends too early.
        Corrupt: no encoder writes these bytes.
    """
    reader = RowReader(data, tables.rows)
    levels = np.zeros(shape, np.int16)
    for part in grid_parts(levels, tables.predicted):  # looks at what was read so far
        found = reader.read(_rows(part, tables)) + part.expected
        if np.abs(found).max(initial=0) > LARGEST:
            raise reader.fault("a level out of its range")
        levels[part.channel][part.mask] = found
    return levels, reader.finish()


@dataclass(frozen=True)
class GridPart:
    """Half of a channel.

    Attributes:
        half: 0 or 1.
        mask: (h, w) bool, its positions.
        expected: (n,) int64, subtracted from its levels.
        activity: (n,) int64.
    """

    channel: int
    half: int
    mask: NDArray[np.bool_]
    expected: NDArray[np.int64]
    activity: NDArray[np.int64]


def grid_parts(levels: NDArray[np.int16], predicted: NDArray[np.bool_], begin: int = 0) -> Iterator[GridPart]:
    """Every part from a channel on in coding order; each looks only at levels of the parts before it."""
    rows, columns = np.indices(levels.shape[1:])
    second = (rows + columns) % 2 == 1
    for channel in range(begin, len(levels)):
        earlier = _activity(levels[max(0, channel - LAST) : channel], levels.shape[1:])
        first = earlier[~second]
        yield GridPart(channel, 0, ~second, np.zeros_like(first), first)
        around = _neighbours(levels[channel].astype(np.int64))
        mean = (around.sum(0) + 2) >> 2 if predicted[channel] else np.zeros(levels.shape[1:], np.int64)
        activity = earlier + 4 * np.abs(around - mean).sum(0)
        yield GridPart(channel, 1, second, mean[second], activity[second])


def _rows(part: GridPart, tables: GridTables) -> NDArray[np.int64]:
    classes = np.searchsorted(tables.thresholds[part.channel, part.half], part.activity, side="right")
    numbers: NDArray[np.int64] = (2 * part.channel + part.half) * CLASSES + classes
    return numbers


def _activity(earlier: NDArray[np.int16], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """(h, w): sixteen times the mean magnitude of earlier channels here, four times that of each neighbour."""
    if not len(earlier):
        return np.zeros(shape, np.int64)
    magnitudes = np.minimum(np.abs(earlier.astype(np.int64)), MOST).sum(0)
    activity: NDArray[np.int64] = (4 * magnitudes + _neighbours(magnitudes).sum(0)) * 4 // len(earlier)
    return activity


def _neighbours(plane: NDArray[np.int64]) -> NDArray[np.int64]:
    """(4, h, w): above, below, left, right; beyond the border the one opposite, which is of the same colour, or 0."""
    padded = plane
    for axis, side in enumerate(plane.shape):
        width = [(int(axis == 0),) * 2, (int(axis == 1),) * 2]
        padded = np.pad(padded, width, mode="reflect") if side > 1 else np.pad(padded, width)
    return np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
