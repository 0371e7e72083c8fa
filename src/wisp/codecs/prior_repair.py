"""Lost regions filled by the masked prior: what it expects there, halfway to what the neighbours say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.prior_entropy import PriorEntropyModel, View
from wisp.codecs.repair import BlendNeighbours, Integers, nearest_codewords
from wisp.entropy.integer_softmax import frequencies
from wisp.entropy.range_coder import TOTAL, TOTAL_BITS
from wisp.tokens.pyramid import NOT_SENT, TokenPyramid


class PriorRepair:
    """A missing region takes the coarsest tokens that come nearest to the prior's mean and the neighbours' mean.

    Group by group: the prior's frequencies, from the tokens that were received and those just chosen, give a mean
    codeword; half of it is added to half of the neighbours' mean, and the nearest codeword is subtracted. A mean and
    not the likeliest token, because at 5 to 7 bits a token the likeliest is mostly wrong, and wrong by much. Integer
    arithmetic only, so that the same packets give the same tokens on every machine.
    """

    def __init__(
        self, model: PriorEntropyModel, codebooks: NDArray[np.float32], *, alone: bool = False
    ) -> None:
        """What it stands on.

        Args:
            model: a bundle's prior.
            codebooks: (G, 257, C) of its coarsest level, the last row for what was not sent.
            alone: the prior's mean instead of the mean of both.
        """
        self._model, self._neighbours, self._alone = model, BlendNeighbours(codebooks), alone

    def fill(self, pyramid: TokenPyramid, received: NDArray[np.bool_]) -> TokenPyramid:
        """All groups of the coarsest level in every missing region, nothing finer.

        Raises:
            ModelMismatch: the prior computes other logits here than where it was made.
        """
        if received.all():
            return pyramid
        books, missing = self._neighbours.books, ~received
        coarsest = pyramid.planes[0].copy()
        filled = replace(pyramid, planes=(coarsest, *pyramid.planes[1:]))
        known = np.full(coarsest.shape, NOT_SENT, np.int32)
        share = 1 if self._alone else 2
        left = self._neighbours.mean(pyramid, received)[missing] // 2  # (n, C), what is still to be said
        if self._alone:
            left[:] = 0
        self._model.prior.check(0)

        def choose(
            logits: NDArray[np.int16], place: int, turn: NDArray[np.bool_], part: slice
        ) -> NDArray[np.uint8]:
            left[part] += mean_codeword(logits, books[place]) // share
            chosen = nearest_codewords(left[part], books[place])
            left[part] -= books[place][chosen]
            return chosen

        for group, plane in enumerate(coarsest):
            sent = pyramid.sent(group, 0)
            known[group][sent] = plane[sent]
            depths = np.maximum(pyramid.grain_map, np.uint8(group + 1)).astype(np.int32)
            chosen = self._model.visit(filled, group, missing, View(0, known, depths, None), choose)
            known[group][missing] = chosen
            plane[missing] = chosen
        depths_u8 = np.where(received, pyramid.grain_map, len(books)).astype(np.uint8)
        return replace(filled, grain_map=depths_u8)


def mean_codeword(logits: NDArray[np.int16], book: Integers) -> Integers:
    """(n, 256) logits in 1/16 nat, codewords (256, C) -> (n, C), their mean by the coder's frequencies, nearest."""
    total: Integers = frequencies(logits).astype(np.int64) @ book
    return (total + TOTAL // 2) >> TOTAL_BITS
