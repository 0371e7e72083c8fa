"""How far decoded regions look from the original, at some depths of each.

Squared errors do not say it, and networks of features are other people's and large. A model may have a small network
of its own that has learned from them (train/distance_loop.py). A writer decodes the picture at a few depths around
those that it will come to, and looks; with time, at more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import region_distortions
from wisp.codecs.pyramid_networks import (
    PROBE_HALO,
    Analysed,
    is_small,
    rescale,
    synthesise_tile,
    tiles_of_pyramid,
)
from wisp.errors import ModelMismatch
from wisp.imaging import pad_to_multiple
from wisp.runtime import Bundle, Network

AT_ONCE = 1 << 19  # pixels that the network sees at once: bounds memory
FEW_RUNS = 3  # not worth loading networks with memory of their own
Maps = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Sight:
    """What a picture looks like at K depths of each region.

    Attributes:
        squares: (K, rows, cols) squared errors of each region.
        distances: (K, rows, cols) float32, how far it looks from the original; 0 for equal.
    """

    squares: NDArray[np.float64]
    distances: NDArray[np.float32]


def see(bundle: Bundle, pixels: NDArray[np.uint8], analysed: Analysed, depths: NDArray[np.uint8]) -> Sight:
    """The picture (H, W, 3) beside what is shown of it with each of the grain maps (K, rows, cols).

    Raises:
        ModelMismatch: the bundle's network gives something else than features.
    """
    side = analysed.tokens.shape.strides[0]
    tiles = tiles_of_pyramid(analysed.tokens.shape, PROBE_HALO)
    pyramids = [analysed.at(grain) for grain in depths]
    runs = len(depths) * len(tiles)
    times = runs if runs > FEW_RUNS and not is_small(*pixels.shape[:2]) else 1
    distances = np.empty(depths.shape, np.float32)
    squares = np.empty(depths.shape)
    with ExitStack() as kept:
        network, synthesis = (
            kept.enter_context(each.repeated(times)) for each in (bundle.distance, bundle.synthesis)
        )
        for tile in tiles:
            original = pad_to_multiple(pixels[tile.core_rows, tile.core_cols], side)
            rows, columns = rescale(tile.core_rows, side), rescale(tile.core_cols, side)
            shown = [synthesise_tile(bundle, pyramid, tile, synthesis) for pyramid in pyramids]
            for number, each in enumerate(shown):
                squares[number, rows, columns] = region_distortions(original, each, side)
            distances[:, rows, columns] = _distances(network, original, shown, side)
    return Sight(squares, distances)


def how_far(bundle: Bundle, original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, cols) distances of regions of two pictures (H, W, 3) that are padded to whole regions.

    Raises:
        ModelMismatch: as `see`.
    """
    found: NDArray[np.float32] = _distances(bundle.distance, original, [decoded], bundle.config.strides[0])[0]
    return found


def _distances(
    network: Network, original: NDArray[np.uint8], decoded: Sequence[NDArray[np.uint8]], side: int
) -> NDArray[np.float32]:
    """(K, rows, cols), of K decoded pictures; in bands of AT_ONCE pixels, whose seams the network sees as edges."""
    height, width = original.shape[:2]
    step = max(1, AT_ONCE // (width * side)) * side
    bands = []
    for top in range(0, height, step):
        band = slice(top, min(top + step, height))
        wanted = _features(network, original[band], side)
        bands.append(np.stack([_apart(wanted, _features(network, each[band], side)) for each in decoded]))
    return np.concatenate(bands, 1)


def _features(network: Network, picture: NDArray[np.uint8], side: int) -> Maps:
    """What the network sees of a picture (H, W, 3): maps (C, rows, n, cols, n), n positions across a region."""
    rows, columns = (length // side for length in picture.shape[:2])
    maps = []
    for value in network.run({"picture": picture[None]}).values():
        across = value.shape[3] // columns if value.ndim == 4 else 0
        is_whole = across and value.shape[::2] == (1, rows * across) and value.shape[3] == columns * across
        if not is_whole or value.dtype != np.float32 or not np.isfinite(value).all():
            raise ModelMismatch(
                f"expected finite features float32 of {rows} by {columns} regions from {network.path}, found "
                f"{value.dtype} {value.shape}; reinstall the model, or train another with `wisp train-distance`"
            )
        maps.append(value.reshape(-1, rows, across, columns, across))
    return maps


def _apart(wanted: Maps, found: Maps) -> NDArray[np.float32]:
    """(rows, cols): squared differences, summed over channels and averaged over each region, of all maps together."""
    total = np.zeros(wanted[0].shape[1:4:2], np.float32)
    for u, v in zip(wanted, found, strict=True):
        difference = u - v
        difference *= difference
        total += difference.sum(0).mean((1, 3))
    return total
