"""An entropy model made of integer tables: the logits of a token are a sum of table rows.

    logits = bias + sum over contexts c of table_c[value of c]        (1/16 nat)

A context is something already decoded: an earlier group at the same position, or a coarser token together
with the position's place under it. One table is an order-1 conditional distribution; the sum of several is
a log-linear (maximum-entropy) model (Berger et al. 1996), with as many contexts as pay for their bytes.
Everything is int8 tables and additions: the integer law holds by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.integer_softmax import frequencies
from wisp.entropy.range_coder import TOTAL, TOTAL_BITS

CHUNK = (
    512  # rows worked on at once: half a megabyte, which stays in the cache; more costs several times as much
)


@dataclass(frozen=True)
class GroupTables:
    """Tables of one group of one level.

    Attributes:
        bias: (K,) int16, logits without context.
        tables: one (values, K) int8 array a context.
    """

    bias: NDArray[np.int16]
    tables: tuple[NDArray[np.int8], ...]

    def logits(self, contexts: Sequence[NDArray[np.intp]]) -> NDArray[np.int16]:
        """contexts: one (n,) array of row numbers a table -> (n, K) int16."""
        count = len(contexts[0]) if contexts else 0
        total = np.repeat(self.bias[None], count, 0)
        for table, values in zip(self.tables, contexts, strict=True):
            total += table[values]
        return total

    def frequencies(self, contexts: Sequence[NDArray[np.intp]], count: int) -> NDArray[np.uint32]:
        """(count, K) uint32 frequencies of `count` tokens; contexts as in `logits`."""
        if not self.tables:
            return np.broadcast_to(frequencies(self.bias[None]), (count, len(self.bias)))
        return frequencies(self.logits(contexts))

    def intervals(
        self, symbols: NDArray[np.uint8], contexts: Sequence[NDArray[np.intp]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cumulative and frequency (n,) of each symbol (n,): what the range encoder is fed with."""
        starts = np.empty(len(symbols), np.int64)
        widths = np.empty(len(symbols), np.int64)
        for first in range(0, len(symbols), CHUNK):
            part = slice(first, first + CHUNK)
            chosen = symbols[part].astype(np.intp)
            freqs = self.frequencies([c[part] for c in contexts], len(chosen))
            rows = np.arange(len(chosen))
            before = np.arange(freqs.shape[1])[None] < chosen[:, None]
            starts[part] = (freqs * before).sum(1)
            widths[part] = freqs[rows, chosen]
        return starts, widths

    def estimated_bits(
        self, symbols: NDArray[np.uint8], contexts: Sequence[NDArray[np.intp]]
    ) -> NDArray[np.float32]:
        """(n,) float32 bits that each symbol will cost, to within the coder's rounding; no decoder uses them."""
        if not self.tables:
            every: NDArray[np.float32] = _bits(self.bias[None])[0]
            return every[symbols]
        bits = np.empty(len(symbols), np.float32)
        for first in range(0, len(symbols), CHUNK):
            part = slice(first, first + CHUNK)
            chosen = symbols[part].astype(np.intp)
            costs = _bits(self.logits([c[part] for c in contexts]), chosen[:, None])
            bits[part] = costs[:, 0]
        return bits


def _bits(logits: NDArray[np.int16], chosen: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
    """Bits (n, K) of all symbols, or (n, 1) of the chosen ones: -log2 of the integer softmax's frequency, in floats."""
    drop = (logits - logits.max(1, keepdims=True)).astype(np.float32)
    weights = np.exp(drop * np.float32(1 / 16))
    scale = (TOTAL - logits.shape[1]) / weights.sum(1, keepdims=True)
    if chosen is not None:
        weights = np.take_along_axis(weights, chosen, 1)
    bits: NDArray[np.float32] = TOTAL_BITS - np.log2(weights * scale + 1)
    return bits
