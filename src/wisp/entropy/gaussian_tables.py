"""Integer frequencies of a Gaussian's whole numbers, by a scale index: nothing about them is ever recomputed in floats.

Index i = 0..95 stands for a variance of V / 4096 with V = (64, 76, 91, 108)[i mod 4] x 2^(i // 4): standard deviations
from 1/8 to 454 in steps of a factor 2^(1/8). A scale that is half an index off costs less than 0.003 bits a number.

Symbol 0..254 is the number symbol - 127; 255 says that a larger magnitude follows. With k the number (128 for symbol
255), the logit of a symbol in sixteenths of a nat is -min(256, (32768 k^2 + V // 2) // V), which is -8 k^2 over the
variance, and logits become frequencies as everywhere else (docs/format.md, section 5.3). No product passes 2^30.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.integer_softmax import cumulatives, frequencies
from wisp.entropy.level_rows import REACH

NUM_SCALES = 96
_UNIT = 4096  # of V: one step squared
_MANTISSAS = (64, 76, 91, 108)  # round(64 x 2^(i / 4))
_CUT = 256


def variance(index: int) -> int:
    """V of a scale index, in 1/4096."""
    return _MANTISSAS[index % 4] << index // 4


def deviation(index: int) -> float:
    """Standard deviation of a scale index, in steps."""
    return math.sqrt(variance(index) / _UNIT)


@cache
def scale_frequencies() -> NDArray[np.uint32]:
    """(96, 256) uint32: a row for each scale index, each entry at least 1, rows sum to 2^16. Not to be written to."""
    numbers = np.arange(-REACH, REACH + 2, dtype=np.int64)  # the last, 128, is symbol 255's
    variances = np.array([[variance(i)] for i in range(NUM_SCALES)], np.int64)
    drop = (8 * _UNIT * numbers * numbers + variances // 2) // variances
    table = frequencies((-np.minimum(drop, _CUT)).astype(np.int16))
    table.flags.writeable = False
    return table


@cache
def scale_cumulatives() -> NDArray[np.int32]:
    """(96, 257) int32 from 0 to 2^16, as the range coder takes them. Not to be written to."""
    rows = cumulatives(scale_frequencies())
    rows.flags.writeable = False
    return rows
