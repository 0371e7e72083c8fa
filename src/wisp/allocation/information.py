"""Patch information entropy: how much there is to see in a region, by its histogram alone.

The rule of Control-GIC (Li et al., ICLR 2025): luma in -1..1, a histogram of 32 bins whose edges are softened by a
Gaussian of 0.01, its Shannon entropy in nats. One patch is one region here, where the paper takes patches of 16 and 8
pixels; and regions are ranked, where it compares with a threshold that regions of equal entropy all exceed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wisp.imaging.padding import pad_to_multiple
from wisp.imaging.tiles import REGION

BINS = 32
WIDTH = 0.01  # of the Gaussian, where the bins lie 2 / 31 apart
STEPS = 4  # luma is counted in quarters of a grey level
LEVELS = 255 * STEPS + 1
BAND_ROWS = 8  # regions down that are worked on at once
TINY = 1e-40  # keeps the logarithm of an empty bin finite


def patch_entropies(pixels_u8: NDArray[np.uint8], side: int = REGION) -> NDArray[np.float64]:
    """(H, W, 3) uint8 -> (rows, columns) entropies in nats, 0 to log 32; padded by the last line."""
    kernel = _kernel()
    luma_weights = np.array([0.2989, 0.587, 0.114], np.float32) * STEPS
    bands = []
    for top in range(0, len(pixels_u8), BAND_ROWS * side):
        band = pad_to_multiple(pixels_u8[top : top + BAND_ROWS * side], side)
        levels = np.rint(band.astype(np.float32) @ luma_weights).astype(np.intp)
        rows, columns = levels.shape[0] // side, levels.shape[1] // side
        blocks = levels.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(rows * columns, -1)
        numbers = np.arange(rows * columns)[:, None] * LEVELS
        counts = np.bincount((blocks + numbers).ravel(), minlength=rows * columns * LEVELS)
        soft = counts.reshape(rows * columns, LEVELS) @ kernel
        shares = soft / np.maximum(soft.sum(1, keepdims=True), TINY)
        bands.append(-(shares * np.log(shares + TINY)).sum(1).reshape(rows, columns))
    return np.concatenate(bands)


def _kernel() -> NDArray[np.float64]:
    """(LEVELS, BINS): what a pixel of each luma adds to each bin."""
    luma = np.linspace(-1, 1, LEVELS)[:, None]
    softened: NDArray[np.float64] = np.exp(-0.5 * ((luma - np.linspace(-1, 1, BINS)) / WIDTH) ** 2)
    return softened


def depths_by_ratio(
    entropies: NDArray[np.float64], ratios: Sequence[float], depths: Sequence[int]
) -> NDArray[np.uint8]:
    """(rows, columns) depths: the share ratios[0] of the regions, those of most entropy, gets depths[0], and so on.

    Equal regions are treated alike: where a share would end among regions of the same entropy, all of these get the
    coarser depth. A flat picture is coarse as a whole, and shares of finer depths are never exceeded.

    Args:
        entropies: (rows, columns).
        ratios: at least 0, sum 1; shares are rounded to whole regions.
        depths: as many, falling.
    """
    ranked = -np.sort(-entropies.ravel())
    ends = np.rint(np.cumsum(ratios) * entropies.size).astype(np.intp)[:-1]
    bounds = ranked[ends[ends < entropies.size]]
    coarser = (entropies[..., None] <= bounds).sum(-1)
    chosen: NDArray[np.uint8] = np.asarray(depths, np.uint8)[coarser]
    return chosen
