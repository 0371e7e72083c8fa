"""Signed levels in Elias codes: every level in turn, or only those that are not 0 and the gaps between them.

The second form is that of Alistarh et al. 2017 (QSGD, section 3.1): gap, sign, level. The paper leaves open how a
reader knows that no further level comes. Here a last gap leads to the place just behind the vector, so that the zero
bits that fill a byte cannot be taken for a level. The first form codes level + 1, because no Elias word stands for 0,
and spends a sign on levels only that have one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.bit_stream import BitReader, BitWriter
from wisp.entropy.elias import EliasCode
from wisp.errors import Corrupt


def write_dense(writer: BitWriter, code: EliasCode, levels: NDArray[np.int16]) -> None:
    """For each of the (n,) levels the word of |level| + 1; 1 bit more where it is not 0, set where it is negative."""
    for level in levels.tolist():
        code.write(writer, abs(level) + 1)
        if level:
            writer.write(int(level < 0), 1)


def read_dense(reader: BitReader, code: EliasCode, count: int, largest: int) -> NDArray[np.int16]:
    """(count,) int16, the inverse.

    Raises:
        Truncated: the bits end too early.
        Corrupt: a level is above `largest`.
    """
    levels: list[int] = []  # grows with what is read, not with what is declared
    for _ in range(count):
        level = _bounded(code.read(reader) - 1, largest)
        levels.append(-level if level and reader.read(1) else level)
    return np.array(levels, np.int16)


def write_sparse(writer: BitWriter, code: EliasCode, levels: NDArray[np.int16]) -> None:
    """For each level that is not 0: words of the distance to the one before and of |level|, with the sign between."""
    before = -1
    for place in np.flatnonzero(levels).tolist():
        level = int(levels[place])
        code.write(writer, place - before)
        writer.write(int(level < 0), 1)
        code.write(writer, abs(level))
        before = place
    code.write(writer, len(levels) - before)


def read_sparse(reader: BitReader, code: EliasCode, count: int, largest: int) -> NDArray[np.int16]:
    """(count,) int16, the inverse; at most count + 1 turns.

    Raises:
        Truncated: the bits end too early.
        Corrupt: a level is above `largest`, or its place behind the vector.
    """
    found: list[tuple[int, int]] = []
    place = code.read(reader) - 1
    while place < count:
        negative = reader.read(1)
        level = _bounded(code.read(reader), largest)
        found.append((place, -level if negative else level))
        place += code.read(reader)
    if place > count:
        raise Corrupt(f"expected places up to {count} in the vector, found {place}; the vector is damaged")
    levels = np.zeros(count, np.int16)
    for place, level in found:
        levels[place] = level
    return levels


def _bounded(level: int, largest: int) -> int:
    if level > largest:
        raise Corrupt(f"expected levels up to {largest}, found {level}; the vector is damaged")
    return level
