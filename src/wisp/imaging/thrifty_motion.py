"""Vectors that are worth their bits: a block follows its neighbours unless its own vector pays for itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.imaging.motion import BLOCK, Vectors, displaced, luma_of

PASSES = 4  # three of them for the colours of a chessboard in turn, the last for all
_SAME_BITS, _OTHER_BITS, _LOG_BITS = 0.4, 3.0, 2.0  # of a coordinate: as expected, else, for each doubling


def thrifty(
    before_u8: NDArray[np.uint8],
    now_u8: NDArray[np.uint8],
    vectors: Vectors,
    bit_price: float,
    weights: NDArray[np.float64],
) -> Vectors:
    """(rows, columns, 2) int16 half pixels: vectors that cost less in error and bits together.

    Args:
        vectors: where the search starts, one for each block.
        bit_price: squared error of all channels, weighted, that a bit may cost.
        weights: (rows, columns) of each block's squared error.
    """
    before, now = luma_of(before_u8), luma_of(now_u8)
    found = vectors.astype(np.int32)
    parity = np.indices(found.shape[:2]).sum(0) % 2
    for number in range(PASSES):
        padded = np.pad(found, ((1, 1), (1, 1), (0, 0)), "edge")
        above, below, left, right = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
        expected = np.median(np.stack([left, above, padded[:-2, 2:]]), 0).astype(np.int32)
        common = np.broadcast_to(np.median(found.reshape(-1, 2), 0).astype(np.int32), found.shape)
        mine = number == PASSES - 1 or parity == number % 2
        best = _cost(before, now, found, expected, bit_price, weights)
        for trial in (expected, left, above, right, below, common):
            cost = _cost(before, now, trial, expected, bit_price, weights)
            better = (cost < best) & mine
            found = np.where(better[..., None], trial, found)
            best = np.where(better, cost, best)
    return found.astype(np.int16)


def _cost(
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    vectors: NDArray[np.int32],
    expected: NDArray[np.int32],
    bit_price: float,
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    squares = np.square(displaced(before, vectors) - now)
    height, width = squares.shape
    errors = squares.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).sum((1, 3))
    distance = np.abs(vectors - expected).astype(np.float64)
    bits = np.where(distance > 0, _OTHER_BITS + _LOG_BITS * np.log2(1 + distance), _SAME_BITS).sum(-1)
    cost: NDArray[np.float64] = 3 * weights * errors + bit_price * bits  # all channels, if they differ alike
    return cost
