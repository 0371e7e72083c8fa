"""A picture decoded at a few depths, to find what its errors look like in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import region_distortions
from wisp.codecs.pyramid_networks import PROBE_HALO, synthesise_tiles
from wisp.imaging import pad_to_multiple
from wisp.runtime import Bundle
from wisp.tokens.pyramid import PyramidShape, TokenPyramid

HALF = 0.5  # of the nominal bits up to a level's end: many regions then come near it, and it is worth a probe


def probe_depths(shape: PyramidShape, payload_bytes: int | None) -> tuple[int, ...]:
    """The end of the last level that the budget fills at least half; from the second level on the next end too.

    Of a routed pyramid every level: one says nothing of another.
    """
    if shape.routed:
        return tuple(range(1, shape.num_depths + 1))
    ends = [int(end) for end in np.cumsum(shape.groups)]
    if payload_bytes is None:
        return (1, *ends)
    bits_per_region = 8 * payload_bytes / shape.num_regions
    nominal = np.cumsum([7.0 * g * shape.fold(i) ** 2 for i, g in enumerate(shape.groups)])
    reached = int((bits_per_region > HALF * nominal).sum()) - 1
    if reached < 1:
        return (ends[0] if reached == 0 else 1,)
    return tuple(ends[min(reached, len(ends) - 2) :][:2])


def probe(bundle: Bundle, pixels: NDArray[np.uint8], pyramid: TokenPyramid) -> NDArray[np.float64]:
    """Distortion (rows, cols) of each region, tile by tile: the decoded picture is never whole."""
    stride = pyramid.shape.strides[0]
    found = np.empty((pyramid.shape.rows, pyramid.shape.columns))
    for rows, columns, decoded in synthesise_tiles(bundle, pyramid, PROBE_HALO):
        original = pad_to_multiple(pixels[rows, columns], stride)
        place = tuple(slice(span.start // stride, span.stop // stride) for span in (rows, columns))
        found[place] = region_distortions(original, decoded, stride)
    return found
