"""What each further group would gain in each region, measured on the picture itself.

The picture is decoded at one or a few depths of each region (probes). Between two probes the pixel distortion is taken
to fall as the latent's own quantization error falls, which the analysis network reports for every group; outside
them, to be in proportion to it, so that one probe already says how much a unit of it matters in each region.

Distortion is the squared error of the pixels, weighted by how busy the region is: an error of a given size
shows on a calm wall and is hidden in foliage (contrast masking: Legge & Foley 1980). With s2 the region's
own variance, the weight is (s2 + FLOOR) ** -masking.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.imaging.padding import pad_to_multiple
from wisp.imaging.tiles import REGION

BAND_ROWS = 32  # regions down that are worked on at once: bounds memory for large pictures
FLOOR = 20.0  # squared grey levels: keeps the noise of flat regions from looking important
INVISIBLE = 3 * 1.0  # a pixel's squared error, of all channels, at 48 dB: nobody sees what lies below
CALM = 1e-6  # squared error of a latent that means nothing, so that it may divide
CALM_DETAIL = 1e-6  # relative: below this a probe's gain is rounding


def region_weights(pixels_u8: NDArray[np.uint8], masking: float, side: int = REGION) -> NDArray[np.float64]:
    """(H, W, 3) uint8 -> (rows, cols) weights of regions of `side` pixels, about 1 on average for photographs.

    Sides that are no multiples of a region count as padded by their last row and column.
    """
    luma_weights = np.array([0.299, 0.587, 0.114], np.float32)
    bands = []
    for band in region_bands(len(pixels_u8), side):
        luma = pad_to_multiple(pixels_u8[band], side).astype(np.float32) @ luma_weights
        bands.append(_blocks(luma, side).var((1, 3)).astype(np.float64))
    weights: NDArray[np.float64] = ((np.concatenate(bands) + FLOOR) / 500.0) ** -masking
    return weights


def region_distortions(
    original_u8: NDArray[np.uint8], decoded_u8: NDArray[np.uint8], side: int = REGION
) -> NDArray[np.float64]:
    """Sum over each region of the squared error of all channels: (H, W, 3) twice, padded -> (rows, cols)."""
    bands = []
    for band in region_bands(len(original_u8), side):
        difference = original_u8[band].astype(np.float32) - decoded_u8[band]
        difference *= difference
        bands.append(_blocks(difference.sum(2), side).sum((1, 3)).astype(np.float64))
    return np.concatenate(bands)


def region_bands(height: int, side: int) -> list[slice]:
    """Rows of pixels that are worked on together, from the top down; all but the last hold whole regions."""
    step = BAND_ROWS * side
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def _blocks(plane: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    return plane.reshape(rows, side, columns, side)


def distortion_curve(
    depths: NDArray[np.integer[Any]],
    measured: NDArray[np.float64],
    errors: Sequence[NDArray[np.float32]],
    level_gains: Sequence[float],
    side: int = REGION,
) -> NDArray[np.float64]:
    """Distortion of each region at every depth.

    Args:
        depths: (K, rows, cols) depths of the probes, never falling from one to the next.
        measured: (K, rows, cols), what was found there.
        errors: for each level (G + 1, rows, cols), the latent's squared error after 0..G groups.
        level_gains: pixel distortion per unit of latent error of each level, on average over training
            pictures; used only outside the range of the probes.
        side: of a region, in pixels.

    Returns:
        (N + 1, rows, cols), never rising with depth, and level once the error is invisible, so that flat
        regions buy nothing more.
    """
    latent = np.maximum(_latent_curve(errors, level_gains), CALM)
    depths = depths.astype(np.intp)
    there = np.take_along_axis(latent, depths, 0)
    number = np.arange(len(latent))[:, None, None]
    curve = latent * np.where(number < depths[-1], measured[0] / there[0], measured[-1] / there[-1])
    for low, high in itertools.pairwise(range(len(depths))):
        top = measured[low]
        bottom = np.minimum(measured[high], top)
        share = (latent - there[high]) / np.maximum(there[low] - there[high], CALM_DETAIL * (latent[0] + 1))
        between = (number >= depths[low]) & (number <= depths[high])
        curve = np.where(between, bottom + (top - bottom) * np.clip(share, 0, 1), curve)
    result: NDArray[np.float64] = np.maximum(np.minimum.accumulate(curve, 0), side**2 * INVISIBLE)
    return result


def latent_distortions(
    errors: Sequence[NDArray[np.float32]], level_gains: Sequence[float], side: int = REGION
) -> NDArray[np.float64]:
    """As `distortion_curve`, without any probe: (N + 1, rows, cols), what latent errors mean on average."""
    latent = np.minimum.accumulate(_latent_curve(errors, level_gains), 0)
    result: NDArray[np.float64] = np.maximum(latent, side**2 * INVISIBLE)
    return result


def _latent_curve(errors: Sequence[NDArray[np.float32]], level_gains: Sequence[float]) -> NDArray[np.float64]:
    """(N + 1, rows, cols): expected pixel distortion from latent errors alone, 0 at full depth of all levels."""
    parts = []
    for i, (level, gain) in enumerate(zip(errors, level_gains, strict=True)):
        later = sum(
            float(g) * e[0].astype(np.float64)
            for g, e in zip(level_gains[i + 1 :], errors[i + 1 :], strict=True)
        )
        here = gain * np.minimum.accumulate(level.astype(np.float64), 0) + later
        parts.append(here if i == 0 else here[1:])
    return np.concatenate(parts)
