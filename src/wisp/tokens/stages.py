"""The order of positions inside one group: stages of a fixed low-discrepancy pattern.

The ranks of a 4x4 ordered-dither tile (Bayer 1973) are cut into S equal runs: S = 1 is the whole plane, 2 a
chessboard, 4 the positions of a 2x2 cell one after another, diagonals first, and 16 every position of the tile by
itself. Whatever has been decoded lies spread evenly over the plane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TILE = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.uint8)
STAGE_COUNTS = (1, 2, 4, 8, 16)


def stage_map(height: int, width: int, count: int, top: int = 0, left: int = 0) -> NDArray[np.uint8]:
    """(height, width) uint8: the stage 0..count - 1 of every position of a part that starts at (top, left).

    `count` is one of STAGE_COUNTS.
    """
    rows, columns = (top + np.arange(height)) % 4, (left + np.arange(width)) % 4
    ranks = TILE[rows[:, None], columns[None]].astype(np.uint16)
    return (ranks * count // 16).astype(np.uint8)
