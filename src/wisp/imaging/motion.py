"""Motion between two frames: a vector for each block, searched in the pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 16  # pixels along a block's side
REACH = 24  # pixels that are searched in each direction
REFINED = 2  # pixels around the best of the half-size search
MAX_VECTOR = 57  # half pixels: what readers take (docs/sequences.md), whatever the search is
SMOOTHNESS = (
    3  # grey levels of a block's mean error that a vector one pixel off the common motion must gain / 16
)

Vectors = NDArray[np.int16]


def grid(height: int, width: int) -> tuple[int, int]:
    """Blocks down and across."""
    return -(-height // BLOCK), -(-width // BLOCK)


def search(before_u8: NDArray[np.uint8], now_u8: NDArray[np.uint8]) -> Vectors:
    """(rows, columns, 2) int16 half pixels: the motion of each block of `now_u8`, both (H, W, 3).

    First every displacement of whole blocks at half size; then ever smaller steps around the best, and the motion of
    the neighbours and of most blocks.
    """
    before, now = luma_of(before_u8), luma_of(now_u8)
    halves = [frame.reshape(len(frame) // 2, 2, -1, 2).mean((1, 3)) for frame in (before, now)]
    coarse = _every_displacement(halves[0], halves[1], REACH // 2, BLOCK // 2)
    vectors = (4 * coarse).astype(np.int32)
    common = np.median(vectors.reshape(-1, 2), 0).astype(np.int32)
    best = _errors(before, now, vectors, common)
    for step, reach in ((2, REFINED), (1, 1)):
        start = vectors
        shifts = [(y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)]
        trials = [start + np.array([step * y, step * x], np.int32) for y, x in shifts]
        vectors, best = _best_of(trials, before, now, common, vectors, best)
        usual = np.median(vectors.reshape(-1, 2), 0).astype(np.int32)
        others = [np.broadcast_to(usual, vectors.shape), *_of_neighbours(vectors)]
        vectors, best = _best_of(others, before, now, common, vectors, best)
    rows, columns = grid(*now_u8.shape[:2])
    return vectors[:rows, :columns].astype(np.int16)


def _best_of(
    trials: list[NDArray[np.int32]],
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    common: NDArray[np.int32],
    vectors: NDArray[np.int32],
    best: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Each block's vector, replaced where one of the trials has a smaller error than `best`."""
    for trial in trials:
        found = _errors(before, now, trial, common)
        vectors = np.where((found < best)[..., None], trial, vectors)
        best = np.minimum(best, found)
    return vectors, best


def _of_neighbours(vectors: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """The vectors of each block's four neighbours; at the edge its own."""
    padded = np.pad(vectors, ((1, 1), (1, 1), (0, 0)), "edge")
    return [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]


def _pad(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Up to whole blocks, by repeating the last line."""
    height, width = plane.shape
    return np.pad(plane, ((0, -height % BLOCK), (0, -width % BLOCK)), "edge")


def _block_means(plane: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    height, width = plane.shape
    means: NDArray[np.float32] = plane.reshape(height // block, block, width // block, block).mean((1, 3))
    return means


def _every_displacement(
    before: NDArray[np.float32], now: NDArray[np.float32], reach: int, block: int
) -> NDArray[np.int32]:
    height, width = now.shape
    padded = np.pad(before, reach, "edge")
    best = np.full((height // block, width // block), np.inf, np.float32)
    vectors = np.zeros((*best.shape, 2), np.int32)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            shifted = padded[reach + y : reach + y + height, reach + x : reach + x + width]
            found = _block_means(np.abs(shifted - now), block) + 0.02 * (abs(y) + abs(x))
            better = found < best
            best = np.where(better, found, best)
            vectors[better] = (y, x)
    return vectors


def _errors(
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    vectors: NDArray[np.int32],
    common: NDArray[np.int32],
) -> NDArray[np.float32]:
    """(rows, columns) mean absolute error of each block moved as a whole, and a price of moving otherwise than most."""
    moved = displaced(before, vectors)
    price = SMOOTHNESS / 32 * np.abs(vectors - common).sum(-1)
    errors: NDArray[np.float32] = _block_means(np.abs(moved - now), BLOCK) + np.minimum(price, 1.5)
    return errors


def luma_of(frame_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness of (H, W, 3), up to whole blocks."""
    return _pad(frame_u8.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))


def displaced(plane: NDArray[np.float32], vectors: NDArray[np.int32]) -> NDArray[np.float32]:
    """A plane of whole blocks with each block moved as a whole, half pixels by means."""
    height, width = plane.shape
    dense = vectors.repeat(BLOCK, 0).repeat(BLOCK, 1)
    down = 2 * np.arange(height, dtype=np.int32)[:, None] + dense[..., 0]
    right = 2 * np.arange(width, dtype=np.int32)[None] + dense[..., 1]
    top, left = np.clip(down >> 1, 0, height - 1), np.clip(right >> 1, 0, width - 1)
    bottom, beside = np.clip((down + 1) >> 1, 0, height - 1), np.clip((right + 1) >> 1, 0, width - 1)
    corners = plane[top, left] + plane[top, beside] + plane[bottom, left] + plane[bottom, beside]
    moved: NDArray[np.float32] = corners / 4
    return moved
