"""Tokens to code in several ways: random maps that every machine makes alike, and those of real files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import wisp
from wisp.bench.pictures import read_picture
from wisp.codecs import decode_tokens
from wisp.tokens.pyramid import PyramidShape, TokenPyramid

SIZE_BYTES = 4
PERIOD = 20  # of the kinds of shapes
SMALL, MIDDLE, LARGE = 3, 6, 12  # regions along a side, at most


@dataclass(frozen=True)
class TokenMap:
    """One pyramid to code.

    Attributes:
        name: unique in a run.
        kind: the line of the results that it is counted in.
        pyramid: what is sent of it, the rest is 0; depths of at least 1.
    """

    name: str
    kind: str
    pyramid: TokenPyramid


def random_map(index: int, seed: int, strides: tuple[int, ...], groups: tuple[int, ...]) -> TokenMap:
    """A map out of SHAKE-256 of its number: the same on every machine and with every version of numpy.

    Of 20 maps 14 have 1 to 3 regions a side, 3 have 1 to 6, 2 are strips of one or two rows or columns of up to
    12, and 1 has up to 12 a side. In every fourth map only four values occur, so that sums become large. Depths are
    drawn from 1 to the last place in half of the maps, and to a number that is drawn first in the others.
    """
    name = f"random_{index:05}"
    stream = hashlib.shake_256(f"wisp exactness {seed} {index}".encode())
    first, second, deepest, turned = stream.digest(SIZE_BYTES)
    turn = index % PERIOD
    limits = (SMALL,) * 2 if turn < 14 else (MIDDLE,) * 2 if turn < 17 else (2, LARGE)
    if turn == PERIOD - 1:
        limits = (LARGE, LARGE)
    rows, columns = 1 + first % limits[0], 1 + second % limits[1]
    if turned & 1:
        rows, columns = columns, rows
    shape = PyramidShape(rows, columns, strides, groups)
    sizes = [(count, *shape.plane_shape(level)) for level, count in enumerate(groups)]
    counts = [shape.num_regions, *(int(np.prod(size)) for size in sizes)]
    values = np.frombuffer(stream.digest(SIZE_BYTES + sum(counts)), np.uint8)[SIZE_BYTES:]
    depths, *planes = np.split(values, np.cumsum(counts)[:-1])
    if index % 4 == 3:
        planes = [plane[plane % min(4, plane.size)] for plane in planes]
    most = shape.num_groups if turned & 2 else 1 + deepest % shape.num_groups
    grain = (1 + depths % most).astype(np.uint8).reshape(rows, columns)
    pyramid = TokenPyramid(
        shape, tuple(plane.reshape(size) for plane, size in zip(planes, sizes, strict=True)), grain
    )
    return TokenMap(name, _kind(shape.num_regions), pyramid.cut_to_map())


def _kind(regions: int) -> str:
    for limit in (1, SMALL**2, MIDDLE**2):
        if regions <= limit:
            return f"random, up to {limit} regions" if limit > 1 else "random, 1 region"
    return f"random, up to {LARGE**2} regions"


def picture_maps(path: Path, rates: tuple[float, ...], model: str | Path | None) -> Iterator[TokenMap]:
    """A picture's tokens, as the file has them that `wisp compress --bpp RATE` makes.

    Raises:
        ImageError: it cannot be read.
        BudgetError: no file is that small.
    """
    image = read_picture(path)
    for rate in rates:
        data = wisp.compress(image, bpp=rate, model=model, threads=1)
        yield TokenMap(
            f"{path.stem} at {rate} bpp",
            f"pictures at {rate} bpp",
            decode_tokens(data, model=model, threads=1),
        )
