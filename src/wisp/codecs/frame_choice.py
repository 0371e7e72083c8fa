"""What becomes of each region of a frame between key frames: moved, moved and corrected, or coded anew.

Each costs distortion and bits; the cheapest is taken, with a handicap where the squared error misjudges what is seen.
Models that cannot code single regions move and correct.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import region_distortions, region_weights
from wisp.allocation.lagrange import choose_depths
from wisp.codecs.correction import Correction, add_correction, nearest_step, quantize
from wisp.codecs.frame_vectors import filled
from wisp.codecs.moved_frame import (
    SIDE,
    FrameCodec,
    MovedFrame,
    moved_blocks,
    no_correction,
    region_coder,
    regions_of,
)
from wisp.codecs.proposal import propose
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.imaging import Picture, pad_to_multiple
from wisp.imaging.advected import Advected
from wisp.imaging.motion import BLOCK, Vectors, search
from wisp.imaging.thrifty_motion import thrifty
from wisp.tokens.pyramid import TokenPyramid

VECTOR_BITS = 1.5  # about what a block's vector costs
VECTOR_PRICE = 2.0  # times the price of a bit: smooth motion also looks better
ANEW = 1.5  # times as costly must moving be before a region is coded anew: what is moved keeps its detail;
# but not what comes from beyond the edge
LOST = 4.0  # times as costly: then a region shows something else
CUT_SHARE = 0.6  # of lost regions: then it is another scene
CORRECTED = 1.5  # times as costly must moving be before it is corrected
MARGIN = 8  # pixels that may come from beyond the edge of the frame
STEP_SQUARED = 12.0  # of a correction's step, in prices of a bit
USUAL_MASKING = 0.5  # of models that say nothing of it
_FLAT = 300.0  # squared error of a pixel that even a flat region may have
_LEVEL_BITS, _DOUBLING_BITS, _BLOCK_BITS, _REGION_BITS = 4.5, 2.0, 0.5, 6.0  # about what a correction costs


def choose_frame(
    codec: FrameCodec,
    picture: Picture,
    before_u8: NDArray[np.uint8],
    state: Advected,
    lmbda: float,
) -> MovedFrame | None:
    """A frame by the one before; None if it is another scene.

    Args:
        picture: what is to be shown.
        before_u8, state: the frame before, as a reader shows it, and its pixels' sources.
        lmbda: weighted squared error that a bit may cost.
    """
    pixels, known = picture.pixels_u8, region_coder(codec)
    masking = USUAL_MASKING if known is None else known[0].settings.masking
    weights = region_weights(pixels, masking, SIDE)
    vectors = search(before_u8, pixels)
    rows, columns = vectors.shape[:2]
    fold = SIDE // BLOCK
    of_blocks = weights.repeat(fold, 0).repeat(fold, 1)[:rows, :columns]
    vectors = thrifty(before_u8, pixels, vectors, VECTOR_PRICE * lmbda, of_blocks)
    _, predicted = state.move(vectors)
    wanted, shown = (pad_to_multiple(frame, SIDE) for frame in (pixels, predicted))
    moved_cost = region_distortions(wanted, shown, SIDE) * weights + lmbda * VECTOR_BITS * fold**2
    anew = _Nothing(wanted, weights) if known is None else _Anew(known[0], picture, lmbda)
    if float((moved_cost > LOST * anew.cost).mean()) > CUT_SHARE:
        return None
    step = nearest_step(max(math.sqrt(STEP_SQUARED * lmbda), 1.0))
    correction = _correction(wanted, shown, step)
    better = add_correction(shown, correction)
    corrected_cost = region_distortions(wanted, better, SIDE) * weights
    corrected_cost += lmbda * (_correction_bits(correction) + VECTOR_BITS * fold**2)
    pays = CORRECTED * corrected_cost < moved_cost
    patience = np.where(_from_outside(vectors, picture.height, picture.width), 1.0, ANEW)
    coded = anew.possible & (np.where(pays, corrected_cost, moved_cost) > patience * anew.cost)
    pays &= ~coded
    vectors = filled(vectors, moved_blocks(coded, (rows, columns)))
    if not pays.any():
        correction = no_correction(picture.height, picture.width)
    else:
        _, predicted = state.move(vectors)  # blocks beside coded regions have changed
        correction = _only(_correction(wanted, pad_to_multiple(predicted, SIDE), step), pays)
        if picture.greyscale:
            correction = replace(correction, chroma=np.zeros_like(correction.chroma))
    return MovedFrame(vectors, anew.tokens_of(coded), pays, correction)


class _Anew:
    """Each region as tokens: what it would cost."""

    possible = True

    def __init__(self, codec: TokenPyramidCodec, picture: Picture, lmbda: float) -> None:
        proposal = propose(
            codec.bundle, codec.entropy_model, codec.settings, picture, 0, None, None, search=True
        )
        demand = replace(proposal.demand, distortions=proposal.measured)  # as the other ways are compared
        cumulative = demand.cumulative_bits()
        self._analysed, self._depths = proposal.analysed, choose_depths(demand, cumulative, lmbda)
        here = self._depths[None].astype(np.intp)
        distortion, bits = (
            np.take_along_axis(table, here, 0)[0] for table in (demand.distortions, cumulative)
        )
        self.cost: NDArray[np.float64] = distortion + lmbda * bits

    def tokens_of(self, coded: NDArray[np.bool_]) -> TokenPyramid | None:
        """The tokens of some regions."""
        grain_map = np.where(coded, self._depths, 0).astype(np.uint8)
        return self._analysed.at(grain_map).cut_to_map()


class _Nothing:
    """Stands in where regions cannot be coded: a region that is worse than its mean colour shows something else."""

    possible = False

    def __init__(self, wanted_u8: NDArray[np.uint8], weights: NDArray[np.float64]) -> None:
        means = wanted_u8.reshape(len(weights), SIDE, weights.shape[1], SIDE, 3).mean((1, 3), keepdims=True)
        flat = np.broadcast_to(np.rint(means), (len(weights), SIDE, weights.shape[1], SIDE, 3))
        errors = region_distortions(wanted_u8, flat.reshape(wanted_u8.shape).astype(np.uint8), SIDE)
        self.cost: NDArray[np.float64] = (errors + _FLAT * SIDE**2) * weights / LOST

    def tokens_of(self, coded: NDArray[np.bool_]) -> None:
        """None."""


def _from_outside(vectors: Vectors, height: int, width: int) -> NDArray[np.bool_]:
    """(rows, columns): regions with a block that comes from beyond the frame's edge: its line repeated, not detail."""
    outside = np.zeros(vectors.shape[:2], np.bool_)
    for axis, length in enumerate((height, width)):
        begins = BLOCK * np.indices(outside.shape)[axis]
        moves = vectors[..., axis] / 2
        ends = np.minimum(begins + BLOCK, length)
        outside |= (begins + moves < -MARGIN) | (ends + moves > length + MARGIN)
    fold = SIDE // BLOCK
    rows, columns = regions_of(height, width)
    padded = np.zeros((rows * fold, columns * fold), np.bool_)
    padded[: len(outside), : vectors.shape[1]] = outside
    return np.asarray(padded.reshape(rows, fold, columns, fold).any((1, 3)))


def _correction(wanted_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], step: int) -> Correction:
    return quantize(wanted_u8.astype(np.float32) - shown_u8, step)


def _correction_bits(correction: Correction) -> NDArray[np.float64]:
    """(rows, columns): about what the levels of each region cost."""
    bits = np.full([count * 8 // SIDE for count in correction.luma.shape[:2]], _REGION_BITS)
    planes = [(correction.luma, SIDE // 8)]
    planes += [(correction.chroma[:, :, part], SIDE // 16) for part in (0, 1)]
    for levels, fold in planes:
        magnitudes = np.abs(levels.astype(np.float64))
        each = np.where(magnitudes > 0, _LEVEL_BITS + _DOUBLING_BITS * np.log2(np.maximum(magnitudes, 1)), 0)
        blocks = each.sum(-1) + _BLOCK_BITS
        bits += blocks.reshape(bits.shape[0], fold, bits.shape[1], fold).sum((1, 3))
    return bits


def _only(correction: Correction, regions: NDArray[np.bool_]) -> Correction:
    """The levels in some regions, 0 elsewhere."""
    luma, chroma = (regions.repeat(SIDE // size, 0).repeat(SIDE // size, 1) for size in (8, 16))
    return Correction(
        correction.step,
        np.where(luma[..., None], correction.luma, 0).astype(np.int16),
        np.where(chroma[..., None, None], correction.chroma, 0).astype(np.int16),
    )
