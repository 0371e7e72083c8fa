"""How a large picture is cut into tiles that fit in memory.

    +--------------- picture ---------------+
    |   +--- window: what is read ---+      |
    |   |  halo                      |      |
    |   |   +-- core: what is --+    |      |
    |   |   |   kept            |    |      |
    |   |   +-------------------+    |      |
    |   +----------------------------+      |
    +---------------------------------------+

Cores cover every pixel exactly once. The halo gives a network the surroundings that it needs for the core to
come out as if the whole picture had been seen at once; at the picture's edge there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wisp.errors import UsageError

REGION: Final = 32
"""Side of a region in pixels, in the default family: tiles begin and end between regions."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile; all slices are in pixels and have a start, a stop and no step.

    Attributes:
        core_rows, core_cols: the part of the picture that this tile delivers.
        window_rows, window_cols: core and halo, clipped to the picture: what has to be read.
    """

    core_rows: slice
    core_cols: slice
    window_rows: slice
    window_cols: slice

    @property
    def core_in_window(self) -> tuple[slice, slice]:
        """Rows and columns of the core, counted from the window's corner."""
        return _shifted(self.core_rows, self.window_rows), _shifted(self.core_cols, self.window_cols)


def plan_tiles(
    height: int, width: int, core: int = 1024, halo: int = 128, region: int = REGION
) -> tuple[Tile, ...]:
    """Cut a padded picture into as few rows and columns of tiles as `core` allows, of nearly equal size.

    Args:
        height, width: the picture, in pixels; multiples of `region`.
        core: longest side of a core, in pixels; a multiple of `region`.
        halo: width of the margin around a core, in pixels; a multiple of `region`, or 0.
        region: side of a region, in pixels.

    Returns:
        Tiles from top to bottom and, within a row, from left to right. All sides are multiples of `region`.

    Raises:
        UsageError: a number is not a multiple of `region`, or too small.
    """
    for name, value, least in (
        ("height", height, region),
        ("width", width, region),
        ("core", core, region),
        ("halo", halo, 0),
    ):
        if value < least or value % region:
            raise UsageError(
                f"expected {name} to be a multiple of {region} from {least}, found {value}; round it up"
            )
    rows, cols = _cut(height, core, region), _cut(width, core, region)
    return tuple(
        Tile(row, col, _widened(row, halo, height), _widened(col, halo, width))
        for row in rows
        for col in cols
    )


def _cut(side: int, core: int, region: int) -> list[slice]:
    """Cut a side into the fewest pieces of at most `core`; they differ by one region at most."""
    regions = side // region
    pieces = -(-side // core)
    ends = [regions * piece // pieces * region for piece in range(pieces + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _widened(core: slice, halo: int, side: int) -> slice:
    return slice(max(0, core.start - halo), min(side, core.stop + halo))


def _shifted(core: slice, window: slice) -> slice:
    return slice(core.start - window.start, core.stop - window.start)
