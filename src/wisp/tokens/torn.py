"""A pyramid of which only the beginning arrived: all places before one, and some positions of that one.

The order is that of the file, place by place, so nothing behind the torn place is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.tokens.pyramid import TokenPyramid


@dataclass(frozen=True, eq=False)
class TornPyramid(TokenPyramid):
    """Tokens that arrived; a region's depth counts the torn place if one of its tokens arrived.

    Attributes:
        place: the place of the order that is torn.
        arrived: (h, w) bool, positions of that place whose token arrived.
    """

    place: int
    arrived: NDArray[np.bool_]

    def sent(self, place: int, level: int) -> NDArray[np.bool_]:
        """(h, w) bool: positions of `level` whose token at `place` arrived."""
        return self.arrived if place == self.place else super().sent(place, level)

    def window(self, rows: slice, columns: slice) -> TornPyramid:
        """A part of the regions, torn where the whole is."""
        part = super().window(rows, columns)
        fold = next(self.shape.fold(level) for at, level, _ in self.shape.order() if at == self.place)
        down, across = (slice(span.start * fold, span.stop * fold) for span in (rows, columns))
        arrived = np.ascontiguousarray(self.arrived[down, across])
        return TornPyramid(part.shape, part.planes, part.grain_map, self.place, arrived)


def tear(pyramid: TokenPyramid, place: int, arrived: NDArray[np.bool_]) -> TokenPyramid:
    """The beginning of a pyramid: all places before `place`, and of that one the positions `arrived` (h, w).

    It is a plain pyramid if no region's tokens of that place are torn apart.
    """
    shape = pyramid.shape
    level = next(level for at, level, _ in shape.order() if at == place)
    fold = shape.fold(level)
    blocks = arrived.reshape(shape.rows, fold, shape.columns, fold)
    some, every = blocks.any((1, 3)), blocks.all((1, 3))
    depths = np.minimum(pyramid.grain_map, np.where(some, place + 1, place)).astype(np.uint8)
    if np.array_equal(some, every):
        return TokenPyramid(shape, pyramid.planes, depths)
    return TornPyramid(shape, pyramid.planes, depths, place, arrived)
