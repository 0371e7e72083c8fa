"""Pictures of a grain map: over the decoded picture, or bare, a pixel a region, as `compress --grain-map` reads it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.types import Reconstruction

_TINT = 0.6  # how much of the colour is the map's
# From few groups to many; told apart in grey too, and by colour-blind eyes (after Viridis, van der Walt and Smith).
_COLOURS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float64)


def bare(full: Reconstruction) -> Image.Image:
    """Mode L, one pixel a region: black for one group of the order, white for all of them."""
    return Image.fromarray(np.ascontiguousarray(full.grain_map))


def overlay(full: Reconstruction) -> Image.Image:
    """Mode RGB, the picture's size: its brightness, coloured by depth from violet to yellow; lines where it changes."""
    side = full.region_side << full.info.scale_exponent
    height, width = full.info.height, full.info.width
    light = np.asarray(full.image.convert("RGB").convert("L"), np.float32)[..., None]
    tint = _colours(full.grain_map).repeat(side, 0).repeat(side, 1)[:height, :width]
    shown = (1 - _TINT) * light + _TINT * tint * (0.5 + 0.5 * light / 255)
    greys = full.grain_map.astype(np.intp)
    for axis, length in ((0, height), (1, width)):
        changes = np.diff(greys, axis=axis) != 0
        edges = changes.repeat(side, 1 - axis)[: height if axis else None, : None if axis else width]
        for number in range(edges.shape[axis]):
            at = (number + 1) * side
            if at < length:
                line = (slice(None), at) if axis else (at, slice(None))
                shown[line][edges.take(number, axis)] = 255
    return Image.fromarray(np.rint(shown).clip(0, 255).astype(np.uint8))


def _colours(greys: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, columns) grey values -> (rows, columns, 3) colours, 0..255."""
    at = greys.astype(np.float64) / 255 * (len(_COLOURS) - 1)
    planes = [np.interp(at, np.arange(len(_COLOURS)), plane) for plane in _COLOURS.T]
    colours: NDArray[np.float32] = np.stack(planes, -1).astype(np.float32)
    return colours
