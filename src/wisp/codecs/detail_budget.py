"""A byte budget beyond a model's tokens: what they leave goes into detail behind them.

Where they miss the colours of nearly all of a picture (see wisp.codecs.taming), detail may be worth their bytes before
they end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import region_distortions
from wisp.codecs.detail import MAX_SIDE, add_detail, write_detail
from wisp.codecs.large_detail import LARGE
from wisp.codecs.prior_budget import BYTES_LEFT
from wisp.codecs.pyramid_entropy import Payload, checked_bytes
from wisp.codecs.pyramid_networks import Analysed
from wisp.codecs.taming import vivid_regions
from wisp.container import DETAIL_VERSION, PRIOR_VERSION, Chunk, WispFile, unpack_file
from wisp.container.varint import MAX_VARINT, pack_varint
from wisp.entropy.range_coder import RangeDecoder
from wisp.imaging import Picture
from wisp.tokens.pyramid import TokenPyramid

if TYPE_CHECKING:
    from wisp.codecs.token_pyramid import TokenPyramidCodec

LEAST_BPP = 0.02  # of a budget: below, there is no room for a frame
LEAST_SHARE = 0.005  # of a budget that may stay unused
# What a frame needs to say something (one that says nothing needs 0.014), and what is nearly always worth its tokens.
FRAMES_BPP = (0.022, 0.044)
MUCH = 0.9  # of the regions, of colours that the networks miss; the others would pay for these
AMISS = 12.0  # grey levels that a channel's average over them is off: ten times photographs' mean at 0.02 bpp

Recode = Callable[[int], bytes]


def spend_on_detail(
    codec: TokenPyramidCodec,
    picture: Picture,
    data: bytes,
    analysed: Analysed,
    budget: int,
    chunks: Sequence[Chunk],
    recode: Recode,
) -> bytes:
    """The file, with detail where its tokens came to an end before the budget did.

    Args:
        data: a file at full scale of at most `budget` bytes.
        analysed: what it, and what `recode` gives, were cut from.
        recode: such a file for another budget; where what is left would be too little for a frame, tokens make room.
    """
    pixels = picture.width * picture.height
    spare = budget - len(data)
    can = codec.prior_model is not None and not codec.is_routed and not codec.is_uniform
    can = can and max(picture.width, picture.height) <= MAX_SIDE
    if not can or spare < 0 or 8 * budget < LEAST_BPP * pixels:
        return data
    if spare <= max(BYTES_LEFT, LEAST_SHARE * budget) and not _misses_colours(codec, picture, data, analysed):
        return data
    frames = [least for bpp in FRAMES_BPP if (least := int(bpp * pixels / 8)) < budget]
    if spare >= int(FRAMES_BPP[-1] * pixels / 8):
        made = _with_detail(codec, picture, data, analysed, budget, chunks)
        return data if made is None else made[0]
    best, least_error = data, math.inf
    for least in frames:  # is a frame worth the tokens that make room for it?
        base = data if spare >= least else recode(budget - least)
        made = _with_detail(codec, picture, base, analysed, budget, chunks)
        if made is None:
            continue
        if best is data:
            whole = unpack_file(data)
            least_error = _error(picture, codec.synthesise(whole, _sent(codec, whole, analysed)))
        if (error := _error(picture, add_detail(*made[1:]))) < least_error:
            best, least_error = made[0], error
            if pixels > LARGE:  # whose tokens take seconds to choose once more
                break
    return best


def _with_detail(
    codec: TokenPyramidCodec,
    picture: Picture,
    base: bytes,
    analysed: Analysed,
    budget: int,
    chunks: Sequence[Chunk],
) -> tuple[bytes, NDArray[np.uint8], bytes] | None:
    """A file with the tokens of `base`, filled up with detail; what its tokens show; the detail. None without room."""
    file = unpack_file(base)
    header = replace(file.header, version=DETAIL_VERSION)
    pyramid = _sent(codec, file, analysed)
    if file.header.version == PRIOR_VERSION:  # coded as in a file with detail: seconds, of a large picture
        payload = Payload(file.payload, checked_bytes(pyramid))
    else:
        payload = codec.model_of(header).write(pyramid)
    bare = codec.join(payload, header, chunks)
    room = min(budget - len(bare) - len(pack_varint(min(budget, MAX_VARINT))) + 1, MAX_VARINT)
    shown = codec.synthesise(file, pyramid)
    detail = write_detail(picture.pixels_u8, shown, room, room - int(max(BYTES_LEFT, LEAST_SHARE * budget)))
    if detail is None:
        return None
    return codec.join(payload, header, chunks, detail), shown, detail


def _misses_colours(codec: TokenPyramidCodec, picture: Picture, data: bytes, analysed: Analysed) -> bool:
    """Whether nearly all of the picture has colours that the networks miss, and the file does miss them."""
    side = analysed.tokens.shape.strides[0]
    vivid = vivid_regions(picture.pixels_u8, side)
    if vivid.mean() < MUCH:
        return False
    file = unpack_file(data)
    shown = codec.synthesise(file, _sent(codec, file, analysed))
    where = vivid.repeat(side, 0).repeat(side, 1)[: picture.height, : picture.width]
    off = shown[where].mean(0) - picture.pixels_u8[where].mean(0)
    return float(np.abs(off).max()) > AMISS


def _error(picture: Picture, shown_u8: NDArray[np.uint8]) -> float:
    return float(region_distortions(picture.pixels_u8, shown_u8, 1).sum())


def _sent(codec: TokenPyramidCodec, file: WispFile, analysed: Analysed) -> TokenPyramid:
    """The tokens of a file whose tokens are known: its map says which were sent. Reading a large one takes seconds."""
    grain_map = codec.entropy_model.grain.read(RangeDecoder(file.stream), analysed.tokens.shape)
    return analysed.at(grain_map).cut_to_map()
