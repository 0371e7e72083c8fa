"""What a token may be predicted from: tokens decoded before it *inside its own region*.

Staying inside the region makes the cost of a token independent of how deep other regions go. The allocation
can then add up exact bits region by region, and a damaged or missing region cannot spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.tokens.pyramid import TokenPyramid


@dataclass(frozen=True)
class Context:
    """One source of prediction for a token of level `l`, group `g`.

    Attributes:
        level: level of the source, l or coarser.
        group: group of the source; smaller than g when the level is the same.
        phase: whether the value also holds the position of the token under the coarser one, which
            multiplies the values by (stride ratio)^2.
    """

    level: int
    group: int
    phase: bool = False

    def num_values(self, fold_ratio: int, codebook_size: int = 256) -> int:
        """Rows that a table for this context has."""
        return codebook_size * (fold_ratio**2 if self.phase else 1)


def context_values(pyramid: TokenPyramid, level: int, context: Context) -> NDArray[np.intp]:
    """(h, w) row numbers of `context` for every position of `level`: token + 256 * phase."""
    plane: NDArray[np.intp] = pyramid.planes[context.level][context.group].astype(np.intp)
    ratio = pyramid.shape.fold(level) // pyramid.shape.fold(context.level)
    if ratio == 1:
        return plane
    values: NDArray[np.intp] = plane.repeat(ratio, 0).repeat(ratio, 1)
    if context.phase:
        row = np.arange(values.shape[0])[:, None] % ratio
        column = np.arange(values.shape[1])[None] % ratio
        values = values + 256 * (row * ratio + column)
    return values
