"""Which packet a region travels in: neighbours in different ones, equally many in each (docs/packets.md).

Region (r, c) gets the number u = (A r + B c) mod 2^32. With A and B near 2^32 / p and 2^32 / p^2, where p is the root
of p^3 = p + 1, regions whose numbers are close lie far apart, at every scale at once (Roberts 2018, "The unreasonable
effectiveness of quasirandom sequences"). Regions in the order of u, cut into equal runs, are the packets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.tokens.pyramid import PyramidShape, TokenPyramid

DOWN = 3242174889  # 2^32 / 1.32471795724...
ACROSS = 2447445413  # 2^32 / 1.32471795724...^2


def interleave(rows: int, columns: int, count: int) -> NDArray[np.intp]:
    """(rows, columns): the packet 0..count - 1 of each region; count is at most the number of regions."""
    r, c = np.ogrid[:rows, :columns]
    numbers = (r.astype(np.uint64) * np.uint64(DOWN) + c.astype(np.uint64) * np.uint64(ACROSS)) % (1 << 32)
    order = np.argsort(numbers.ravel(), kind="stable")
    packets = np.empty(rows * columns, np.intp)
    packets[order] = np.arange(rows * columns) * count // (rows * columns)
    return packets.reshape(rows, columns)


def column_shape(shape: PyramidShape, num_regions: int) -> PyramidShape:
    """The shape of a picture of one column of regions."""
    return PyramidShape(num_regions, 1, shape.strides, shape.groups)


def take_regions(pyramid: TokenPyramid, chosen: NDArray[np.intp]) -> TokenPyramid:
    """The regions `chosen` (k,), by their raster number, as a picture of one column.

    No token depends on another region, so each costs in the column what it costs in the picture.
    """
    shape = column_shape(pyramid.shape, len(chosen))
    planes = []
    for level, plane in enumerate(pyramid.planes):
        blocks = _blocks(plane, pyramid.shape, level)[:, chosen]
        planes.append(blocks.reshape(len(plane), *shape.plane_shape(level)))
    grain = pyramid.grain_map.reshape(-1)[chosen].reshape(-1, 1)
    return TokenPyramid(shape, tuple(planes), grain)


def put_regions(column: TokenPyramid, chosen: NDArray[np.intp], pyramid: TokenPyramid) -> None:
    """The way back: write a column's regions to their places in `pyramid`, whose arrays are changed."""
    shape = pyramid.shape
    for level, plane in enumerate(column.planes):
        fold = shape.fold(level)
        there = pyramid.planes[level].reshape(len(plane), shape.rows, fold, shape.columns, fold)
        rows, columns = np.divmod(chosen, shape.columns)
        blocks = plane.reshape(len(plane), len(chosen), fold, fold)
        there[:, rows, :, columns] = blocks.swapaxes(0, 1)
    pyramid.grain_map.reshape(-1)[chosen] = column.grain_map[:, 0]


def _blocks(plane: NDArray[np.uint8], shape: PyramidShape, level: int) -> NDArray[np.uint8]:
    """(G, h, w) -> (G, regions, fold, fold)."""
    fold = shape.fold(level)
    apart = plane.reshape(len(plane), shape.rows, fold, shape.columns, fold).swapaxes(2, 3)
    return apart.reshape(len(plane), shape.num_regions, fold, fold)
