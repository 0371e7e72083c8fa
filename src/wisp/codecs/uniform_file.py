"""A file of uniform grain: one depth for the whole picture, at all positions or at a share of them.

There is nothing to allocate. A budget takes the largest depth whose file fits, a quality stands for a depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wisp.codecs.pyramid_networks import analyse
from wisp.errors import UsageError
from wisp.imaging import Picture, downscale_u8
from wisp.rate import Target
from wisp.tokens.pyramid import TokenPyramid
from wisp.tokens.uniform_grain import SIXTEENTHS, UniformGrain

if TYPE_CHECKING:
    from wisp.codecs.token_pyramid import TokenPyramidCodec

WriteTokens = Callable[[TokenPyramid], bytes]


def check_keep(keep: Any, is_uniform: bool) -> int:
    """Sixteenths of the positions at which tokens are sent, from a caller's share; 16 for None.

    Raises:
        UsageError: the share is no number from 1/16 to 1, or the model codes a grain map.
    """
    if keep is None:
        return SIXTEENTHS
    if not is_uniform:
        raise UsageError(
            "expected no keep with a model that codes a grain map; use pq_mim, or leave keep out"
        )
    is_number = isinstance(keep, int | float | np.integer | np.floating) and not isinstance(keep, bool)
    if not is_number or not 1 / SIXTEENTHS <= keep <= 1:
        raise UsageError(
            f"expected keep from 1/16 to 1, found {keep!r}; it is taken to the nearest sixteenth"
        )
    return round(float(keep) * SIXTEENTHS)


def depth_of_quality(quality: float, num_groups: int) -> int:
    """0..100 -> the depth at that share of the order, rounded up: 25, 50 and 100 are 2, 4 and 8 of 8 groups."""
    return max(1, math.ceil(num_groups * quality / 100))


def uniform_file(
    codec: TokenPyramidCodec,
    picture: Picture,
    exponent: int,
    kept: int,
    target: Target,
    room: int | None,
    write: WriteTokens,
) -> bytes:
    """The file at one working scale.

    Args:
        kept: sixteenths of the positions.
        room: most bytes of the payload, None when quality decides; a hint, from which the search starts.
        write: tokens to a whole file.

    Returns:
        the largest that fits the target; if there is none, that of depth 1.
    """
    tokens = analyse(codec.bundle, downscale_u8(picture.pixels_u8, exponent)).tokens
    rows, columns = tokens.grain_map.shape

    def file_of(depth: int) -> bytes:
        return write(replace(tokens, grain_map=UniformGrain(depth, kept).map(rows, columns)))

    count = tokens.shape.num_groups
    budget = target.budget(picture.width, picture.height)
    if budget is None or room is None:
        assert target.quality is not None
        return file_of(depth_of_quality(target.quality, count))
    depth = max(1, int((_estimated_bits(codec, tokens, kept) <= 8 * room).sum()))
    data = file_of(depth)
    while len(data) <= budget and depth < count:
        longer = file_of(depth + 1)
        if len(longer) > budget:
            return data
        depth, data = depth + 1, longer
    while len(data) > budget and depth > 1:
        depth -= 1
        data = file_of(depth)
    return data


def _estimated_bits(codec: TokenPyramidCodec, tokens: TokenPyramid, kept: int) -> np.ndarray[Any, Any]:
    """(N,) bits of the tokens at depths 1..N, by the tables and what the prior saves of them on average."""
    sent = UniformGrain(1, kept).map(*tokens.grain_map.shape)
    bits = (codec.entropy_model.token_bits(tokens) * sent).sum((1, 2))
    prior = codec.prior_model
    return np.cumsum(bits if prior is None else bits * prior.prior.savings)
