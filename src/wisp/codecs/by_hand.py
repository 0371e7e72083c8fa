"""Granularity that the user controls: the depth of every region by shares of the area, or by a map.

    pixels -> analysis -> tokens -> depths as they were asked for -> the shorter of both payloads -> file

There is no budget and no search: the size follows from the depths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.information import depths_by_ratio, patch_entropies
from wisp.allocation.roi import check_shape, region_means
from wisp.codecs.pyramid_networks import analyse
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import Chunk
from wisp.errors import UsageError
from wisp.imaging import MAX_EXPONENT, Picture, downscale_u8

SUM_ERROR = 1e-6  # of ratios: what decimal numbers lose


@dataclass(frozen=True)
class Granularity:
    """Depths as a user asks for them; exactly one of the two is given.

    Attributes:
        ratios: shares of the picture's area, finest level first, at least 0, with sum 1: the regions of most entropy
            are sent to the end of the finest level (of a routed model, at that level), and so on.
        map_u8: (h, w) grey values, 0 for one group of the order (the coarsest level) and 255 for all (the finest); of
            the picture's shape in any resolution, or one value a region at some working scale, then that of the file.
    """

    ratios: tuple[float, ...] | None = None
    map_u8: NDArray[np.uint8] | None = None


def make_granularity(ratios: Any, map_u8: NDArray[np.uint8] | None) -> Granularity | None:
    """Checked from a caller's options; None if neither is given.

    Raises:
        UsageError: both are given, or ratios are no shares.
    """
    if ratios is None:
        return None if map_u8 is None else Granularity(map_u8=map_u8)
    if map_u8 is not None:
        raise UsageError("expected ratios or a grain map, found both; give just one")
    found = tuple(ratios) if isinstance(ratios, Sequence | np.ndarray) and not isinstance(ratios, str) else ()
    try:
        shares = tuple(float(r) if isinstance(r, Real) else -1.0 for r in found)
    except OverflowError:  # a whole number beyond every float
        shares = ()
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise UsageError(f"expected ratios as shares from 0 to 1, finest first, found {ratios!r}")
    if abs(sum(shares) - 1) > SUM_ERROR:
        raise UsageError(f"expected ratios whose sum is 1, found {sum(shares):g}; mend one of them")
    return Granularity(ratios=shares)


def refuse_company(granularity: Granularity, **others: object) -> None:
    """Refuse options that would decide the depths as well.

    Raises:
        UsageError: one of them is given.
    """
    name = "grain map" if granularity.ratios is None else "ratios"
    for other, value in others.items():
        if value is not None:
            raise UsageError(
                f"expected {name} without {other}, found both; the size follows from the {name}, leave one out"
            )


def compress_by_hand(
    codec: TokenPyramidCodec,
    picture: Picture,
    granularity: Granularity,
    chunks: Sequence[Chunk] = (),
    huffman: bool = False,
) -> bytes:
    """The file whose regions have the depths that were asked for; `huffman` as in TokenPyramidCodec.compress.

    Raises:
        UsageError: the map does not fit the picture, or the ratios do not fit the model's levels, or it has one depth
            for the whole picture.
    """
    codec.check_huffman(huffman)
    if codec.is_uniform:
        raise UsageError(
            "expected a model with a depth for each region, found one of uniform grain; use wisp_small"
        )
    groups = codec.bundle.config.groups
    ends = [int(end) for end in (range(1, len(groups) + 1) if codec.is_routed else np.cumsum(groups))]
    side = codec.bundle.config.strides[0]
    exponent = 0
    if granularity.map_u8 is not None:
        exponent = _exponent_of(granularity.map_u8, picture, side)
    elif len(granularity.ratios or ()) != len(ends):
        raise UsageError(
            f"expected {len(ends)} ratios, one a level of the model, finest first, found {granularity.ratios}"
        )
    pixels = downscale_u8(picture.pixels_u8, exponent)
    analysed = analyse(codec.bundle, pixels, codec.bundle.can_search)
    if granularity.map_u8 is not None:
        shape = (analysed.tokens.shape.rows, analysed.tokens.shape.columns)
        depths = _depths_of_map(granularity.map_u8, shape, picture, side << exponent, ends[-1])
    else:
        depths = depths_by_ratio(patch_entropies(pixels, side), granularity.ratios or (), ends[::-1])
    header = codec.header(picture, exponent, bool(chunks), huffman)
    return codec.write_shorter(analysed.at(depths), header, chunks)


def greys_of_depths(depths: NDArray[np.uint8], num_groups: int) -> NDArray[np.uint8]:
    """Depths 0..N -> grey values 0..255, as a grain map holds them; 0 and 1 are both black."""
    steps = np.maximum(depths.astype(np.intp), 1) - 1
    return ((steps * 510 + max(1, num_groups - 1)) // (2 * max(1, num_groups - 1))).astype(np.uint8)


def depths_of_greys(greys: NDArray[np.float64], num_groups: int) -> NDArray[np.uint8]:
    """Grey values 0..255 -> the nearest depths 1..N."""
    nearest: NDArray[np.float64] = np.floor(greys * (num_groups - 1) / 255 + 0.5)
    return (1 + nearest).astype(np.uint8)


def _grid(picture: Picture, side: int) -> tuple[int, int]:
    """Regions down and across, of `side` pixels of the original each."""
    return -(-picture.height // side), -(-picture.width // side)


def _exponent_of(map_u8: NDArray[np.uint8], picture: Picture, side: int) -> int:
    """The first working scale whose regions the map has one value for each; 0 if there is none."""
    for exponent in range(MAX_EXPONENT + 1):
        if map_u8.shape == _grid(picture, side << exponent):
            return exponent
    check_shape(map_u8, picture.height, picture.width, "grain map")
    return 0


def _depths_of_map(
    map_u8: NDArray[np.uint8], shape: tuple[int, int], picture: Picture, side: int, num_groups: int
) -> NDArray[np.uint8]:
    if map_u8.shape == shape:
        return depths_of_greys(map_u8.astype(np.float64), num_groups)
    return depths_of_greys(region_means(map_u8, picture.height, picture.width, side), num_groups)
