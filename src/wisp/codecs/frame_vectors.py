"""Vectors of a moved frame as bits: each by its difference to what its neighbours say.

Blocks of coded regions have no vector of their own and take what their neighbours say: they still count where blocks
overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.adaptive_bits import BitPort
from wisp.imaging.motion import Vectors

NUM_CONTEXTS = 24
_LONGEST = 15  # of a magnitude in answers; what is left follows as it is
_REST = 128
_QUIET = (1, 3, 8)  # sums of the differences to the left and above: a class each begins here


def exchange_vectors(port: BitPort, vectors: Vectors, moved: NDArray[np.bool_], base: int) -> Vectors:
    """(rows, columns, 2) int16: those of `moved` blocks are written, or read if the port reads; others are filled in.

    Raises:
        Truncated, Corrupt: as the port.
    """
    found = np.zeros((*moved.shape, 2), np.int32)
    differences = np.zeros(moved.shape, np.int64)  # sums of both magnitudes
    for y, x in np.ndindex(moved.shape):
        expected = _expected(found, y, x)
        if not moved[y, x]:
            found[y, x] = expected
            continue
        around = (differences[y, x - 1] if x else 0) + (differences[y - 1, x] if y else 0)
        noise = sum(int(around >= edge) for edge in _QUIET)
        given = vectors[y, x].astype(np.int32) - expected
        down = _exchange_difference(port, int(given[0]), base, noise, 0)
        right = _exchange_difference(port, int(given[1]), base, noise, 1 + (down != 0))
        found[y, x] = expected + np.array((down, right))
        differences[y, x] = abs(down) + abs(right)
    return found.astype(np.int16)


def _exchange_difference(port: BitPort, value: int, base: int, noise: int, which: int) -> int:
    """One number; `which`: 0 down, 1 or 2 right where down was 0 or not."""
    if not port.bit(base + 3 * noise + which, int(value != 0)):
        return 0
    magnitude, wanted = 1, abs(value)
    first = base + 12 + 6 * (noise // 2)
    while magnitude < _LONGEST and port.bit(first + min(magnitude, 6) - 1, int(wanted > magnitude)):
        magnitude += 1
    if magnitude == _LONGEST:
        magnitude += port.equal(max(wanted - magnitude, 0), _REST)
    return -magnitude if port.equal(int(value < 0), 2) else magnitude


def filled(vectors: Vectors, moved: NDArray[np.bool_]) -> Vectors:
    """As `exchange_vectors` returns them."""
    found = vectors.astype(np.int32)
    for y, x in zip(*(places.tolist() for places in np.nonzero(~moved)), strict=True):
        found[y, x] = _expected(found, y, x)
    return found.astype(np.int16)


def _expected(vectors: NDArray[np.int32], row: int, column: int) -> NDArray[np.int32]:
    """The lower median of the left, upper and upper right neighbours, as far as they exist; 0 if none does."""
    places = [(row, column - 1), (row - 1, column), (row - 1, column + 1)]
    inside = [vectors[y, x] for y, x in places if y >= 0 and 0 <= x < vectors.shape[1]]
    if not inside:
        return np.zeros(2, np.int32)
    return np.sort(np.stack(inside), 0)[(len(inside) - 1) // 2]  # type: ignore[no-any-return]
