"""Tokens refined against the decoder: what it still gets wrong is added to what is analysed.

    tokens as sent -> picture as shown -> original + share of what is missing -> tokens -> picture as shown, and so on

A region takes new tokens where they show it better. That needs no gradients, and no reader knows of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import region_distortions
from wisp.allocation.forecast import SHARE
from wisp.codecs.proposal import Proposal
from wisp.codecs.pyramid_networks import analyse, synthesise
from wisp.codecs.seeing import how_far
from wisp.container import unpack_file
from wisp.errors import UsageError
from wisp.imaging import Picture, downscale_u8, pad_to_multiple
from wisp.runtime import Bundle
from wisp.tokens.pyramid import TokenPyramid

if TYPE_CHECKING:
    from wisp.codecs.token_pyramid import TokenPyramidCodec

MOST_EFFORT = 9
SHARES = {
    7: (0.5,),
    8: (0.5, 0.5, 0.35),
    9: (0.5, 0.5, 0.35, 0.35, 0.25, 0.25),
}  # of what is missing, pass by pass

Code = Callable[[Proposal, int | None], bytes]


def check_effort(effort: object) -> int:
    """A caller's effort.

    Raises:
        UsageError: it is no whole number from 0 to 9.
    """
    is_whole = isinstance(effort, int | np.integer) and not isinstance(effort, bool)
    if not is_whole or not 0 <= int(effort) <= MOST_EFFORT:  # type: ignore[call-overload]
        raise UsageError(f"expected effort as a whole number from 0 to {MOST_EFFORT}, found {effort!r}")
    return int(effort)  # type: ignore[call-overload,no-any-return]


def refine(
    codec: TokenPyramidCodec,
    picture: Picture,
    proposal: Proposal,
    data: bytes,
    budget: int | None,
    effort: int,
    code: Code,
) -> tuple[Proposal, bytes]:
    """The proposal with better tokens and its file; as they were where the search finds nothing, or up to effort 6.

    Args:
        data: the proposal's file; its depths are those at which tokens are refined.
        code: a proposal's file for a budget.
    """
    searched = bool(proposal.analysed.choices)  # such tokens need less
    shares = SHARES.get(effort - searched, ())
    if not shares:
        return proposal, data
    side = codec.bundle.config.strides[0]
    pixels = pad_to_multiple(downscale_u8(picture.pixels_u8, proposal.scale_exponent), side)
    depths = codec.decode_tokens(unpack_file(data)).grain_map
    sent = proposal.analysed.at(depths)
    tokens = _refined(codec, pixels, sent, shares, searched)
    if tokens is sent:  # nothing was better
        return proposal, data
    full = replace(tokens, grain_map=proposal.analysed.tokens.grain_map)
    demand = replace(proposal.demand, token_bits=codec.entropy_model.token_bits(full))
    better = replace(proposal, analysed=replace(proposal.analysed, tokens=full, choices=()), demand=demand)
    again = code(better, budget)
    if budget is not None and len(again) > budget:
        return proposal, data
    before, after = (
        synthesise(codec.bundle, codec.decode_tokens(unpack_file(each))) for each in (data, again)
    )
    judge = _Judge(codec.bundle, pixels, before)
    return (better, again) if judge(after).sum() < judge(before).sum() else (proposal, data)


class _Judge:
    """What is wrong with each region of a picture as it is shown.

    Squared error; of a model with a network of distances, these for the share that the forecast has in the allocation,
    in the unit of squared error. A mask and the weights of busy regions count for nothing here.

    Args:
        pixels, shown: (H, W, 3) uint8, padded: the original, and what it looks like at first.
    """

    def __init__(self, bundle: Bundle, pixels: NDArray[np.uint8], shown: NDArray[np.uint8]) -> None:
        self.bundle, self.pixels = bundle, pixels
        self.scale = 0.0
        if bundle.can_look:
            far = float(how_far(bundle, pixels, shown).sum(dtype=np.float64))
            self.scale = float(self._squares(shown).sum()) / far if far > 0 else 0.0

    def __call__(self, shown: NDArray[np.uint8]) -> NDArray[np.float64]:
        squares = self._squares(shown)
        if not self.scale:
            return squares
        wrong: NDArray[np.float64] = (1 - SHARE) * squares + SHARE * self.scale * how_far(
            self.bundle, self.pixels, shown
        )
        return wrong

    def _squares(self, shown: NDArray[np.uint8]) -> NDArray[np.float64]:
        return region_distortions(self.pixels, shown, self.bundle.config.strides[0])


def _refined(
    codec: TokenPyramidCodec,
    pixels: NDArray[np.uint8],
    tokens: TokenPyramid,
    shares: tuple[float, ...],
    search: bool,
) -> TokenPyramid:
    shown = synthesise(codec.bundle, tokens)
    judge = _Judge(codec.bundle, pixels, shown)
    errors = judge(shown)
    wanted = pixels.astype(np.float32)
    for share in shares:
        trial = wanted + share * (pixels.astype(np.float32) - shown)
        found = analyse(codec.bundle, np.clip(np.rint(trial), 0, 255).astype(np.uint8), search).at(
            tokens.grain_map
        )
        better = judge(synthesise(codec.bundle, found)) < errors
        mixed = _mixed(tokens, found, better)
        mixed_shown = synthesise(codec.bundle, mixed)
        mixed_errors = judge(mixed_shown)
        if mixed_errors.sum() < errors.sum():
            tokens, shown, errors, wanted = mixed, mixed_shown, mixed_errors, trial
    return tokens


def _mixed(old: TokenPyramid, new: TokenPyramid, is_new: NDArray[np.bool_]) -> TokenPyramid:
    """The tokens of `new` in the regions `is_new` (rows, columns), those of `old` elsewhere."""
    planes = []
    for level, (before, after) in enumerate(zip(old.planes, new.planes, strict=True)):
        fold = old.shape.fold(level)
        planes.append(np.where(is_new.repeat(fold, 0).repeat(fold, 1), after, before))
    return replace(old, planes=tuple(planes))
