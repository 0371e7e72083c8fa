"""Tokens that were not sent, drawn from the masked prior in coding order (docs/generation.md).

    place by place -> stage by stage -> every position that is not sent, down to a depth

The prior sees what was sent of the places so far, and what was drawn before. Sent tokens never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grain_coding import ROUTED
from wisp.codecs.prior_entropy import PriorEntropyModel, View
from wisp.entropy.sampling import Sampling, is_whole, make_sampling
from wisp.errors import UsageError
from wisp.runtime import Bundle
from wisp.tokens.pyramid import NOT_SENT, PyramidShape, TokenPyramid, unfold
from wisp.tokens.stages import stage_map


@dataclass(frozen=True)
class Filled:
    """A pyramid with tokens that a model made up.

    Attributes:
        pyramid: sent and drawn tokens; its grain map tells how deep both together go.
        num_generated: how many tokens were drawn.
    """

    pyramid: TokenPyramid
    num_generated: int


@dataclass(frozen=True)
class GenerationOptions:
    """What to draw, and how.

    Attributes:
        sampling: seed, temperature and top-p.
        depth: groups of the order to which every region is filled; None takes `default_depth`.
    """

    sampling: Sampling
    depth: int | None = None


def make_generation(
    seed: Any = 0, temperature: Any = 1.0, top_p: Any = 1.0, depth: Any = None
) -> GenerationOptions:
    """Checked options from a caller's numbers.

    Raises:
        UsageError: an option is of the wrong type or out of its range.
    """
    sampling = make_sampling(seed, temperature, top_p)
    if depth is not None and (not is_whole(depth) or depth < 1):
        raise UsageError(f"expected fill depth to be a whole number of groups from 1 up, found {depth!r}")
    return GenerationOptions(sampling, None if depth is None else int(depth))


def check_generation(bundle: Bundle, options: GenerationOptions) -> None:
    """Refuse what a model cannot do, before anything is decoded.

    Raises:
        UsageError: the model has no masked prior, or is routed, or has fewer groups than the depth that was asked for.
    """
    if not bundle.has_prior:
        raise UsageError(
            f"expected a model with a masked prior for fill generate, found none in {bundle.folder}; "
            "use fill smooth, or another model"
        )
    if bundle.config.grain == ROUTED:
        raise UsageError(
            f"expected a model that leaves something to be made up, found {bundle.config.name}, whose regions are sent "
            "at one level, whole; use fill smooth"
        )
    count = sum(bundle.config.groups)
    if options.depth is not None and options.depth > count:
        raise UsageError(
            f"expected fill depth to be at most {count}, the groups of this model, found {options.depth}"
        )


def default_depth(shape: PyramidShape, grain_map: NDArray[np.uint8], is_uniform: bool = False) -> int:
    """The end of the coarsest level that is not whole in every region: one level is made up at most.

    With a uniform grain its own depth, so that the positions that were left out become as deep as the others.
    """
    if is_uniform:
        return int(grain_map.max())
    ends = np.cumsum(shape.groups)
    return int(ends[min(int((ends <= grain_map.min()).sum()), len(ends) - 1)])


def generate(model: PriorEntropyModel, received: TokenPyramid, options: GenerationOptions) -> Filled:
    """Draw every token of the first groups of the order that is not sent, in all regions.

    A token depends on seed, temperature, top-p and what comes before it in the order, but not on the depth: a
    deeper fill goes on from a shallower one.
    """
    shape, grain = received.shape, received.grain_map
    is_uniform = model.tables.is_uniform
    depth = default_depth(shape, grain, is_uniform) if options.depth is None else options.depth
    target = np.maximum(grain, np.uint8(depth))
    filled = TokenPyramid(shape, tuple(plane.copy() for plane in received.planes), target)
    coded = np.full_like(grain, grain.max()) if is_uniform else grain
    coarser: list[NDArray[np.int32]] = []
    place = num_generated = 0

    def draw(
        logits: NDArray[np.int16], place: int, turn: NDArray[np.bool_], part: slice
    ) -> NDArray[np.uint8]:
        at = np.flatnonzero(turn)[part]
        return options.sampling.draw(logits, place, at // turn.shape[1], at % turn.shape[1])

    for level, count in enumerate(shape.groups):
        if place >= target.max():
            break
        fold = shape.fold(level)
        known = np.full((count, *shape.plane_shape(level)), NOT_SENT, np.int32)
        context: NDArray[np.int8] | None = None
        gaps = (unfold(target > at, fold) & ~received.sent(at, level) for at in range(place, place + count))
        if any(gap.any() for gap in gaps):
            model.prior.check(level)
            context = model.prior.context(coarser)
        for group in range(count):
            sent = received.sent(place, level)
            known[group][sent] = received.planes[level][group][sent]
            missing = unfold(target > place, fold) & ~sent
            # the map of a file that ends with this place: the nearest to it that the prior was trained on
            depths = np.maximum(coded, np.uint8(place + 1)).astype(np.int32).repeat(fold, 0).repeat(fold, 1)
            stages = stage_map(sent.shape[0], sent.shape[1], model.prior.stages[place])
            for stage in range(model.prior.stages[place]):
                turn = missing & (stages == stage)
                if turn.any():
                    tokens = model.visit(filled, place, turn, View(level, known, depths, context), draw)
                    known[group][turn] = tokens
                    filled.planes[level][group][turn] = tokens
                    num_generated += len(tokens)
            place += 1
        coarser.append(known)
    return Filled(filled, num_generated)
