"""A picture that moves: every pixel knows where it was last seen fresh, and is fetched from there.

Moving pixels from frame to frame would blur them a little each time. Here *places* move: a pixel of a frame has a
source, the frame in which it was synthesised, and a place in it in sixteenths of a pixel; vectors change the places,
and pixels are interpolated once, from the source. All numbers are whole, so equal sources and vectors give equal pixels
everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.imaging.motion import BLOCK, Vectors

UNIT = 16  # of a pixel
ALIKE = 6  # half pixels: vectors of neighbouring blocks that differ by no more belong to one motion
MAX_NUM_SOURCES = 8  # frames that are kept at most; pixels of the oldest are then taken from what is shown
_CUBIC_BITS = 7
_BAND_ROWS = 64  # rows that are worked on at once: bounds memory


@dataclass(frozen=True, eq=False)
class Advected:
    """A frame as places in earlier ones.

    Attributes:
        sources: frames (H, W, 3) uint8, the oldest first.
        index: (H, W) uint8, the source of each pixel.
        places: (H, W, 2) int32, down and right in that source, in sixteenths of a pixel.
    """

    sources: tuple[NDArray[np.uint8], ...]
    index: NDArray[np.uint8]
    places: NDArray[np.int32]

    def move(self, vectors: Vectors) -> tuple[Advected, NDArray[np.uint8]]:
        """The next frame, by the vectors of its blocks (rows, columns, 2) in half pixels into this one; and its pixels.

        Where blocks of different motions meet, what is shown is the mean of what both say (overlapped blocks: Orchard &
        Sullivan 1994), so no edges appear; places go by the pixel's own block.
        """
        index, places = np.empty_like(self.index), np.empty_like(self.places)
        shown = np.empty((*index.shape, 3), np.uint8)
        height, width = index.shape
        for top in range(0, height, _BAND_ROWS):
            rows = slice(top, min(top + _BAND_ROWS, height))
            here = _places(rows, width)
            field = _dense(vectors, rows, width)
            index[rows], places[rows] = self._look(UNIT * here + field.own)
            total = field.own_weight[..., None] * self._fetch(index[rows], places[rows])
            for vector, weight in field.others:
                mask = weight > 0
                if mask.any():
                    there = self._look(UNIT * here[mask] + vector[mask])
                    total[mask] += weight[mask][:, None] * self._fetch(*there)
            whole = (2 * BLOCK) ** 2
            shown[rows] = (total + whole // 2) // whole
        return Advected(self.sources, index, places), shown

    def _look(self, wanted: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Sources (...) and places (..., 2) of places (..., 2) in this frame, in sixteenths of a pixel."""
        height, width = self.index.shape
        limits = np.array([height - 1, width - 1], np.int32)
        near = np.clip((wanted + UNIT // 2) // UNIT, 0, limits)
        rows, columns = near[..., 0], near[..., 1]
        places = self.places[rows, columns] + np.clip(wanted - UNIT * near, -UNIT // 2, UNIT // 2)
        return self.index[rows, columns], np.clip(places, 0, UNIT * limits)

    def _fetch(self, index: NDArray[np.uint8], places: NDArray[np.int32]) -> NDArray[np.int32]:
        """(..., 3) pixels of sources (...) at places (..., 2)."""
        out = np.empty((*index.shape, 3), np.int32)
        for number in np.unique(index):
            mask = index == number
            out[mask] = _interpolate(self.sources[number], places[mask])
        return out

    def renew(self, shown_u8: NDArray[np.uint8], fresh: NDArray[np.bool_]) -> Advected:
        """The same frame with the pixels `fresh` (H, W) taken from what is shown.

        Sources without pixels go. If more than MAX_NUM_SOURCES are left, the pixels of the oldest become fresh too.
        """
        height, width = self.index.shape
        index = np.where(fresh, len(self.sources), self.index.astype(np.intp))
        used = np.unique(index)
        if len(used) > MAX_NUM_SOURCES:
            index[index == used[0]] = len(self.sources)
            used = used[1:]
        places = self.places.copy()
        for top in range(0, height, _BAND_ROWS):
            rows = slice(top, min(top + _BAND_ROWS, height))
            mask = index[rows] == len(self.sources)
            places[rows][mask] = UNIT * _places(rows, width)[mask]
        every = (*self.sources, shown_u8)
        kept = tuple(every[number] for number in used)
        return Advected(kept, np.searchsorted(used, index).astype(np.uint8), places)


def still(frame_u8: NDArray[np.uint8]) -> Advected:
    """A frame that is its own source."""
    height, width = frame_u8.shape[:2]
    return Advected((frame_u8,), np.zeros((height, width), np.uint8), UNIT * _places(slice(0, height), width))


def _places(rows: slice, width: int) -> NDArray[np.int32]:
    """(h, W, 2): the place of every pixel of some rows."""
    places = np.empty((rows.stop - rows.start, width, 2), np.int32)
    places[..., 0], places[..., 1] = np.arange(rows.start, rows.stop)[:, None], np.arange(width)
    return places


@dataclass(frozen=True, eq=False)
class _Field:
    """Vectors of pixels, in sixteenths of a pixel, and of how much weight out of (2 * BLOCK) ** 2.

    Attributes:
        own: (h, W, 2), that of the pixel's own block, smoothed with the neighbours that move alike.
        own_weight: (h, W), its weight.
        others: up to four of (vectors (h, W, 2), weights (h, W)): neighbours that move otherwise, weight 0 where none.
    """

    own: NDArray[np.int32]
    own_weight: NDArray[np.int32]
    others: tuple[tuple[NDArray[np.int32], NDArray[np.int32]], ...]


def _dense(vectors: Vectors, rows: slice, width: int) -> _Field:
    """Bilinear weights of the four blocks whose centres are nearest, for the pixels of some rows."""
    blocks_down, blocks_across = vectors.shape[:2]
    down, right = np.arange(rows.start, rows.stop), np.arange(width)
    own = vectors[(down // BLOCK)[:, None], (right // BLOCK)[None]].astype(np.int32)
    total, weights = np.zeros_like(own), np.zeros(own.shape[:2], np.int32)
    others = []
    for near_y in (0, 1):
        block_y, weight_y = _near(down, blocks_down, near_y)
        for near_x in (0, 1):
            block_x, weight_x = _near(right, blocks_across, near_x)
            vector = vectors[block_y[:, None], block_x[None]].astype(np.int32)
            alike = np.abs(vector - own).max(-1) <= ALIKE
            weight = weight_y[:, None] * weight_x[None]
            total += (weight * alike)[..., None] * vector
            weights += weight * alike
            others.append((UNIT // 2 * vector, weight * ~alike))
    smooth = (UNIT // 2 * total + weights[..., None] // 2) // weights[..., None]
    return _Field(smooth, weights, tuple(others))


def _near(places: NDArray[np.intp], count: int, which: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """For each pixel of an axis one of the two blocks with the nearest centres, and its weight of 2 * BLOCK."""
    doubled = 2 * places + 1 - BLOCK  # distance to the first centre, in half pixels
    block, rest = doubled // (2 * BLOCK), doubled % (2 * BLOCK)
    weight = rest if which else 2 * BLOCK - rest
    return np.clip(block + which, 0, count - 1).astype(np.intp), weight.astype(np.int32)


def _interpolate(source_u8: NDArray[np.uint8], places: NDArray[np.int32]) -> NDArray[np.int32]:
    """(n, 3) pixels, 0..255, at (n, 2) places: cubic interpolation (Keys 1981, a = -1/2) in whole numbers."""
    height, width = source_u8.shape[:2]
    whole, part = places // UNIT, places % UNIT
    taps = _cubic_taps()
    total = np.zeros((len(places), 3), np.int32)
    for y in range(4):
        row = np.clip(whole[:, 0] + y - 1, 0, height - 1)
        line = np.zeros_like(total)
        for x in range(4):
            column = np.clip(whole[:, 1] + x - 1, 0, width - 1)
            line += source_u8[row, column] * taps[part[:, 1], x][:, None]
        total += line * taps[part[:, 0], y][:, None]
    half = 1 << (2 * _CUBIC_BITS - 1)
    found: NDArray[np.int32] = np.clip((total + half) >> 2 * _CUBIC_BITS, 0, 255)
    return found


def _cubic_taps() -> NDArray[np.int32]:
    """(16, 4) weights in 1/128 of the four pixels around each sixteenth; the second makes a row's sum 128."""
    t = np.arange(UNIT)
    cube, square, line = t**3, t**2 * UNIT, t * UNIT**2
    outer, inner = -cube + 2 * square - line, 3 * cube - 5 * square + 2 * UNIT**3
    exact = np.stack([outer, inner, -3 * cube + 4 * square + line, cube - square])
    scale = 2 * UNIT**3 // (1 << _CUBIC_BITS)
    taps: NDArray[np.int32] = ((exact + scale // 2) // scale).T.astype(np.int32)
    taps[:, 1] += (1 << _CUBIC_BITS) - taps.sum(1)
    return taps
