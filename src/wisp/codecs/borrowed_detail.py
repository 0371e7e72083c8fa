"""Detail of lost regions, borrowed from their nearest neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.repair import Repair, offsets, shifted
from wisp.tokens.interleave import put_regions, take_regions
from wisp.tokens.pyramid import TokenPyramid


class BorrowDetail:
    """A missing region takes the finer tokens, and the depth, of the received region nearest to it.

    The coarsest tokens are those of another repair. What is borrowed is texture in the wrong place: it looks more like
    the rest of the picture than a blur does, and is no more true.
    """

    def __init__(self, coarse: Repair) -> None:
        self._coarse = coarse

    def fill(self, pyramid: TokenPyramid, received: NDArray[np.bool_]) -> TokenPyramid:
        """What the other repair fills, and finer levels; regions with nothing in reach stay without."""
        filled = self._coarse.fill(pyramid, received)
        sources = nearest_received(received).ravel()
        chosen = np.flatnonzero(~received.ravel() & (sources >= 0))
        ours, theirs = take_regions(filled, chosen), take_regions(pyramid, sources[chosen])
        column = replace(
            theirs,
            planes=(ours.planes[0], *theirs.planes[1:]),
            grain_map=np.maximum(ours.grain_map, theirs.grain_map),
        )
        planes = tuple(plane.copy() for plane in filled.planes)
        whole = replace(filled, planes=planes, grain_map=filled.grain_map.copy())
        put_regions(column, chosen, whole)
        return whole


def nearest_received(received: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(rows, columns): raster number of the nearest received region, its own if it is one, -1 if none is in reach.

    Of equally near ones the uppermost is taken, of these the leftmost.
    """
    rows, columns = received.shape
    numbers = np.arange(rows * columns).reshape(rows, columns)
    found = np.where(received, numbers, -1)
    for _, down, across in offsets():
        to_rows, from_rows = shifted(rows, down)
        to_columns, from_columns = shifted(columns, across)
        here, there = (to_rows, to_columns), (from_rows, from_columns)
        found[here] = np.where((found[here] < 0) & received[there], numbers[there], found[here])
        if (found >= 0).all():
            break
    return found
