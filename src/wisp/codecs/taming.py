"""Colours that the networks never learned: found where the decoder misses them, and said more palely instead.

Photographs have hardly any fully saturated green, cyan or blue. Where a picture does, as drawings and screens do, its
latent lies outside of what synthesis was trained on, and a green wall comes back as a red and black chequer. Such
regions are analysed again with colours nearer to grey, and each takes the tokens that come nearest to the true
picture. Pictures without such colours cost nothing, and their tokens stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import BAND_ROWS, region_bands
from wisp.codecs.probes import probe
from wisp.codecs.pyramid_networks import Analysed, analyse
from wisp.imaging import pad_to_multiple
from wisp.runtime import Bundle

VIVID = 120.0  # grey levels between a region's strongest and weakest channel, on average
VIVID_WALL = 80.0  # the same where a region is one colour, as photographs seldom are
WALL = 50.0  # squared grey levels, variance of a region's pixels, all channels: 4 levels each
COLD = 60.0  # grey levels by which its green or blue is above its red: reds and yellows are in photographs
WILD = 2000.0  # squared grey levels, mean over pixels and channels: 45 levels off
WORSE = 2.0  # times the region's own variance: worse than its mean colour, and not by a little
SATURATIONS = (0.85, 0.75, 0.65, 0.55)
MARGIN = 3  # regions around wild ones, so that networks see what surrounds them
SHALLOW = (1, 2, 3, 4)  # depths that files come to of which one token a region was expected
MOST_DEPTHS = 4  # looked at: a chequer may show at one depth and neither below nor above
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def vivid_regions(pixels_u8: NDArray[np.uint8], side: int) -> NDArray[np.bool_]:
    """(H, W, 3) -> (rows, cols): regions whose mean colour is a saturated green, cyan or blue."""
    return np.concatenate(
        [_vivid(_blocks(pixels_u8[band], side)) for band in region_bands(len(pixels_u8), side)]
    )


def _vivid(blocks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The same of (rows, side, cols, side, 3)."""
    means = blocks.mean((1, 3), dtype=np.float32)
    spread = means.max(-1) - means.min(-1)
    cold = means[..., 1:].max(-1) - means[..., 0] >= COLD
    vivid: NDArray[np.bool_] = (spread >= VIVID) & cold
    maybe = (spread >= VIVID_WALL) & cold & ~vivid
    if maybe.any():
        vivid |= maybe & (blocks.var((1, 3), dtype=np.float32).sum(-1) <= WALL)
    return vivid


def paler(pixels_u8: NDArray[np.uint8], saturation: float) -> NDArray[np.uint8]:
    """(..., 3) uint8 of the same luma, with this share of the distance to grey."""
    luma = (pixels_u8.astype(np.float32) @ _LUMA)[..., None]
    return np.clip(np.rint(luma + saturation * (pixels_u8 - luma)), 0, 255).astype(np.uint8)


def tame(bundle: Bundle, pixels_u8: NDArray[np.uint8], analysed: Analysed, depth: int) -> Analysed:
    """What is analysed, with other tokens in regions of colours that the networks miss.

    Args:
        pixels_u8: (H, W, 3), the picture at its working scale.
        depth: how many groups are about to be sent in a region.
    """
    side = analysed.tokens.shape.strides[0]
    vivid = vivid_regions(pixels_u8, side)
    if not vivid.any():
        return analysed
    choices = tuple(level.copy() for level in analysed.choices)
    planes = tuple(plane.copy() for plane in analysed.tokens.planes)
    if choices:
        planes = tuple(level[-len(plane) :] for level, plane in zip(choices, planes, strict=True))
    errors = tuple(level.copy() for level in analysed.errors)
    tamed = Analysed(replace(analysed.tokens, planes=planes), errors, choices)
    found = False
    for top in range(0, len(vivid), BAND_ROWS):
        band = np.zeros_like(vivid)
        band[top : top + BAND_ROWS] = vivid[top : top + BAND_ROWS]
        if band.any():
            found |= _tame_band(bundle, pixels_u8, analysed, tamed, band, depth)
    return tamed if found else analysed


def changed_regions(before: Analysed, after: Analysed) -> NDArray[np.bool_]:
    """(rows, cols): regions of which a token differs."""
    shape = before.tokens.shape
    changed = np.zeros((shape.rows, shape.columns), bool)
    for level, (old, new) in enumerate(zip(before.tokens.planes, after.tokens.planes, strict=True)):
        fold = shape.fold(level)
        differs = (old != new).any(0).reshape(shape.rows, fold, shape.columns, fold)
        changed |= differs.any((1, 3))
    return changed


def _tame_band(
    bundle: Bundle,
    pixels_u8: NDArray[np.uint8],
    analysed: Analysed,
    tamed: Analysed,
    vivid: NDArray[np.bool_],
    depth: int,
) -> bool:
    """Put better tokens for these vivid regions into `tamed`; whether any needed them."""
    shape = analysed.tokens.shape
    side = shape.strides[0]
    rows, columns = _span(vivid, 1), _span(vivid, 0)
    window = pixels_u8[rows.start * side : rows.stop * side, columns.start * side : columns.stop * side]
    least = _errors(bundle, window, analysed.window(rows, columns), depth)
    spread = _blocks(window, side).var((1, 3), dtype=np.float32).sum(-1)
    wild = vivid[rows, columns] & (least > 3 * side**2 * WILD) & (least > WORSE * side**2 * spread)
    if not wild.any():
        return False
    for saturation in SATURATIONS:
        found = analyse(bundle, paler(window, saturation), bool(tamed.choices))
        errors = _errors(bundle, window, found, depth)
        nearer = wild & (errors < least)
        least = np.where(nearer, errors, least)
        better = tamed.choices or tamed.tokens.planes
        for level, plane in enumerate(found.choices or found.tokens.planes):
            fold = shape.fold(level)
            spans = [slice(span.start * fold, span.stop * fold) for span in (rows, columns)]
            taken = nearer.repeat(fold, 0).repeat(fold, 1)
            np.copyto(better[level][:, *spans], plane, where=taken)
            np.copyto(tamed.errors[level][:, rows, columns], found.errors[level], where=nearer)
    return True


def _errors(
    bundle: Bundle, pixels_u8: NDArray[np.uint8], analysed: Analysed, depth: int
) -> NDArray[np.float64]:
    """(rows, cols): squared errors, the mean of those at depths that the file may come to."""
    spread = np.linspace(depth // 2, depth, min(MOST_DEPTHS, depth - depth // 2 + 1))
    depths = SHALLOW if depth == 1 else np.rint(spread).astype(int).tolist()
    maps = [np.full_like(analysed.tokens.grain_map, each) for each in depths]
    found = [probe(bundle, pixels_u8, analysed.at(grain)) for grain in maps]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def _blocks(pixels_u8: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    padded = pad_to_multiple(pixels_u8, side)
    height, width = padded.shape[:2]
    return padded.reshape(height // side, side, width // side, side, 3)


def _span(marked: NDArray[np.bool_], across: int) -> slice:
    """Rows (`across` 1) or columns (0) from the first marked one to the last, and MARGIN more on each side."""
    lines = np.flatnonzero(np.any(marked, axis=across))
    return slice(max(0, int(lines[0]) - MARGIN), min(marked.shape[1 - across], int(lines[-1]) + 1 + MARGIN))
