"""Integer logits to integer frequencies, by rules that every machine computes alike.

Logits count sixteenths of a nat. With d = (largest logit of the row) - logit, cut at 256:

    e = EXPONENTIAL[d],  S = sum of e,  q = ((2^16 - K) * 2^24) // S,  f = (e * q) // 2^24 + 1,

and what is missing to 2^16 goes to the first largest. Every symbol keeps a frequency of at least 1, and
there is one division a row. Products stay below 2^41, so doubles and 64-bit integers agree.
EXPONENTIAL[d] is round(2^16 exp(-d / 16)), written down as integers because a mathematical library may
round differently. No float takes part (docs/format.md, section "Frequencies").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.exponential import EXPONENTIAL
from wisp.entropy.range_coder import TOTAL

_LUT = np.array(EXPONENTIAL, np.uint64)
_SHIFT = np.uint64(24)


def frequencies(logits: NDArray[np.int16]) -> NDArray[np.uint32]:
    """(n, K) int16 logits in 1/16 nat, K <= 256 -> (n, K) uint32 frequencies, each >= 1, rows sum to 2^16."""
    rows, k = logits.shape
    drop = (logits.max(1, keepdims=True) - logits).astype(np.intp)
    weights = _LUT.take(drop, mode="clip")
    scale = (np.uint64(TOTAL - k) << _SHIFT) // weights.sum(1, keepdims=True)
    freqs: NDArray[np.uint32] = ((weights * scale) >> _SHIFT).astype(np.uint32)
    freqs += np.uint32(1)
    freqs[np.arange(rows), logits.argmax(1)] += np.uint32(TOTAL) - freqs.sum(1, dtype=np.uint32)
    return freqs


def cumulatives(freqs: NDArray[np.uint32]) -> NDArray[np.int32]:
    """(n, K) frequencies -> (n, K + 1) int32 rows from 0 to 2^16."""
    rows = np.zeros((freqs.shape[0], freqs.shape[1] + 1), np.int32)
    np.cumsum(freqs, axis=1, dtype=np.int32, out=rows[:, 1:])
    return rows
