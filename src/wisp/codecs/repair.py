"""What stands in for regions of which nothing arrived: error concealment, on tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wisp.tokens.pyramid import NOT_SENT, TokenPyramid

Integers = NDArray[np.int64]

UNIT = 4096  # codewords are rounded to whole multiples of 1 / UNIT
REACH = 8  # regions in each direction that are looked at
NEIGHBOURS = 8  # received regions that take part in one mean
WEIGHT = 1 << 20  # of a neighbour, over its squared distance


class Repair(Protocol):
    """Fills holes in a token pyramid."""

    def fill(self, pyramid: TokenPyramid, received: NDArray[np.bool_]) -> TokenPyramid:
        """A pyramid whose missing regions have tokens.

        Args:
            pyramid: its grain map is 0 in the missing regions.
            received: (rows, columns), false where nothing arrived; somewhere true.

        Returns:
            a pyramid of the same shape: the received regions as they are, the others with the tokens and to the depth
            that the repair finds best.
        """


class LeaveOut:
    """No repair: the synthesis network shows what it makes of a region that was not sent."""

    def fill(self, pyramid: TokenPyramid, received: NDArray[np.bool_]) -> TokenPyramid:
        """The pyramid as it is."""
        return pyramid


class BlendNeighbours:
    """A missing region takes the coarsest tokens that come nearest to the mean of its neighbours' latents.

    The latents are sums of codewords, rounded to integers once; means, distances and ties are integer arithmetic, so
    that the same packets give the same tokens on every machine. Finer tokens stay out: a mean has no detail.
    """

    def __init__(self, codebooks: NDArray[np.float32]) -> None:
        """Codebooks (G, 257, C) of the coarsest level, the last row for what was not sent."""
        self._books: Integers = np.rint(codebooks.astype(np.float64) * UNIT).astype(np.int64)

    @property
    def books(self) -> Integers:
        """(G, 256, C): codewords in units of 1 / UNIT."""
        return self._books[:, :NOT_SENT]

    def mean(self, pyramid: TokenPyramid, received: NDArray[np.bool_]) -> Integers:
        """(rows, columns, C) in units of 1 / UNIT: what the neighbours say of each missing region."""
        tokens = pyramid.with_absences()[0]
        latents = sum(
            (book[plane] for book, plane in zip(self._books, tokens, strict=True)), start=np.int64(0)
        )
        return _blend(np.asarray(latents), received)

    def fill(self, pyramid: TokenPyramid, received: NDArray[np.bool_]) -> TokenPyramid:
        """All groups of the coarsest level in every missing region, nothing finer."""
        left = self.mean(pyramid, received)[~received]
        coarsest = pyramid.planes[0].copy()
        for group, book in enumerate(self.books):
            chosen = nearest_codewords(left, book)
            coarsest[group][~received] = chosen
            left = left - book[chosen]
        depths = np.where(received, pyramid.grain_map, len(self._books)).astype(np.uint8)
        return replace(pyramid, planes=(coarsest, *pyramid.planes[1:]), grain_map=depths)


def nearest_codewords(latents: Integers, book: Integers) -> NDArray[np.uint8]:
    """(n, C) latents -> (n,) the codeword at the least squared distance, the first of equals."""
    found = np.empty(len(latents), np.uint8)
    lengths = (book * book).sum(1)
    for first in range(0, len(latents), 1024):  # bounds memory
        part = slice(first, first + 1024)
        found[part] = (lengths - 2 * (latents[part] @ book.T)).argmin(1)
    return found


def _blend(latents: Integers, received: NDArray[np.bool_]) -> Integers:
    """(rows, columns, C): the mean of the nearest received regions, each weighted by 1 / squared distance.

    Where none is in reach, the mean of all.
    """
    rows, columns = received.shape
    total = np.zeros_like(latents)
    weights = np.zeros((rows, columns), np.int64)
    count = np.zeros((rows, columns), np.int64)
    for distance, down, across in offsets():
        to_rows, from_rows = shifted(rows, down)
        to_columns, from_columns = shifted(columns, across)
        here, there = (to_rows, to_columns), (from_rows, from_columns)
        use = received[there] & ~received[here] & (count[here] < NEIGHBOURS)
        weight = WEIGHT // distance
        total[here] += use[..., None] * latents[there] * weight
        weights[here] += use * weight
        count[here] += use
        if (received | (count >= NEIGHBOURS)).all():
            break
    everywhere = latents[received].sum(0) // int(received.sum())
    mean = total // np.maximum(weights, 1)[..., None]
    blended: Integers = np.where(weights[..., None] > 0, mean, everywhere)
    return blended


def offsets() -> list[tuple[int, int, int]]:
    """(squared distance, down, across), the nearest first."""
    span = range(-REACH, REACH + 1)
    return sorted((y * y + x * x, y, x) for y in span for x in span if y or x)


def shifted(side: int, step: int) -> tuple[slice, slice]:
    """Positions of a side that have a neighbour `step` away, and these neighbours; both empty if there are none."""
    length = max(0, side - abs(step))
    start = max(0, -step)
    return slice(start, start + length), slice(start + step, start + step + length)
