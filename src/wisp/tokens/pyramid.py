"""The token pyramid: planes of tokens at a few strides, an order over their groups, and a grain map.

A picture of the working size is padded to a multiple of the coarsest stride. Every coarsest position is a
*region*; the grain map says for each region how many groups of the order are sent in it, or in a routed pyramid
(Control-GIC) which one of the levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

NOT_SENT = 256  # in arrays wide enough to hold it, the token of a position that was not sent


@dataclass(frozen=True)
class PyramidShape:
    """Sizes of a pyramid.

    Attributes:
        rows, columns: regions down and across.
        strides: pixels per token, coarsest first; each divides the one before.
        groups: ordered groups at each stride.
        routed: a region is sent at one level, all groups of it, and not at any other.
    """

    rows: int
    columns: int
    strides: tuple[int, ...]
    groups: tuple[int, ...]
    routed: bool = False

    @property
    def num_groups(self) -> int:
        """Length of the order."""
        return sum(self.groups)

    @property
    def num_depths(self) -> int:
        """The deepest that a grain map can say: groups of the order, or levels if the pyramid is routed."""
        return len(self.groups) if self.routed else self.num_groups

    @property
    def num_regions(self) -> int:
        """How many regions the picture has."""
        return self.rows * self.columns

    def fold(self, level: int) -> int:
        """Tokens along each axis of a region at `level`."""
        return self.strides[0] // self.strides[level]

    def plane_shape(self, level: int) -> tuple[int, int]:
        """(h, w) of one plane of `level`."""
        return self.rows * self.fold(level), self.columns * self.fold(level)

    def sends(self, grain_map: NDArray[np.uint8], place: int) -> NDArray[np.bool_]:
        """(rows, columns) bool: regions in which a map sends the group at `place` of the order."""
        level = next(level for at, level, _ in self.order() if at == place)
        sent: NDArray[np.bool_] = grain_map == level + 1 if self.routed else grain_map > place
        return sent

    def order(self) -> Iterator[tuple[int, int, int]]:
        """(place, level, group) for every group, in the order in which they are sent."""
        place = 0
        for level, count in enumerate(self.groups):
            for group in range(count):
                yield place, level, group
                place += 1


@dataclass(frozen=True, eq=False)
class TokenPyramid:
    """Tokens of one picture.

    Attributes:
        shape: sizes.
        planes: for each level a (G, h, w) uint8 array; what the grain map does not send is 0.
        grain_map: (rows, columns) uint8, 0..num_depths: groups of the order sent in each region; if the pyramid is
            routed, 1 for the coarsest level alone, 2 for the next alone, and so on.
    """

    shape: PyramidShape
    planes: tuple[NDArray[np.uint8], ...]
    grain_map: NDArray[np.uint8]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TokenPyramid)
            and self.shape == other.shape
            and np.array_equal(self.grain_map, other.grain_map)
            and all(np.array_equal(a, b) for a, b in zip(self.planes, other.planes, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]

    def sent(self, place: int, level: int) -> NDArray[np.bool_]:
        """(h, w) bool: positions of `level` whose region is sent the group at `place`."""
        return unfold(self.shape.sends(self.grain_map, place), self.shape.fold(level))

    def with_absences(self) -> tuple[NDArray[np.int32], ...]:
        """The planes as int32 with NOT_SENT where a token was not sent: the synthesis network's input."""
        out = [plane.astype(np.int32) for plane in self.planes]
        for place, level, group in self.shape.order():
            out[level][group][~self.sent(place, level)] = NOT_SENT
        return tuple(out)

    def shares_sent(self) -> NDArray[np.float32]:
        """(rows, columns): share of each region's tokens that was sent; if routed, of the finest level's."""
        sent = np.zeros((self.shape.rows, self.shape.columns))
        for place, level, _ in self.shape.order():
            sent += sum_over_regions(self.sent(place, level).astype(np.float32), self.shape.fold(level))
        counted = [level for _, level, _ in self.shape.order()]
        if self.shape.routed:
            counted = [level for level in counted if level == len(self.shape.groups) - 1]
        total = sum(self.shape.fold(level) ** 2 for level in counted)
        shares: NDArray[np.float32] = (sent / total).astype(np.float32)
        return shares

    def window(self, rows: slice, columns: slice) -> TokenPyramid:
        """A part of the regions, by itself."""
        grain_map = self.grain_map[rows, columns]
        planes = []
        for level, plane in enumerate(self.planes):
            fold = self.shape.fold(level)
            spans = (slice(span.start * fold, span.stop * fold) for span in (rows, columns))
            planes.append(np.ascontiguousarray(plane[(slice(None), *spans)]))
        shape = replace(self.shape, rows=grain_map.shape[0], columns=grain_map.shape[1])
        return TokenPyramid(shape, tuple(planes), np.ascontiguousarray(grain_map))

    def cut_to_map(self) -> TokenPyramid:
        """The same pyramid with every unsent token set to 0, so that equal content is equal."""
        planes = []
        for full in self.with_absences():
            planes.append(np.where(full == NOT_SENT, 0, full).astype(np.uint8))
        return TokenPyramid(self.shape, tuple(planes), self.grain_map)


def unfold(regions: NDArray[np.bool_], fold: int) -> NDArray[np.bool_]:
    """(rows, columns) -> (rows * fold, columns * fold), each value repeated over its region."""
    return regions if fold == 1 else regions.repeat(fold, 0).repeat(fold, 1)


def sum_over_regions(values: NDArray[np.float32], fold: int) -> NDArray[np.float32]:
    """(rows * fold, columns * fold) -> (rows, columns): the sum over each region."""
    rows, columns = values.shape[0] // fold, values.shape[1] // fold
    sums: NDArray[np.float32] = values.reshape(rows, fold, columns, fold).sum((1, 3))
    return sums
