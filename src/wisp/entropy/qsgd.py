"""QSGD: a vector as its length and one small signed integer a dimension.

Alistarh et al. 2017, "QSGD: Communication-Efficient SGD via Gradient Quantization and Encoding", section 3.1: with
a = s |v_i| / ||v||, the level of dimension i is floor(a) or floor(a) + 1, the latter with probability a - floor(a).
That makes gradients unbiased. A vector that is coded once and never averaged is better off with the nearest level,
which halves the squared error at the same step. `bits` levels mean s = 2^bits - 1, as in the codec of the paper
"Generative Compression" (8, 6 and 4 bits), which this is for.

Floats decide here what a writer sends, and what a reader shows; nothing in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.counter_random import SEED_LIMIT, counter_words
from wisp.errors import UsageError

MAX_BITS = 8
MAX_LENGTH = 1 << 16
Rounding = Literal["nearest", "stochastic"]
_PLACE = 255  # of the random words: no group of tokens has it
_FRACTION_BITS = 53  # of a random word, so that the fraction is an exact double


@dataclass(frozen=True)
class QsgdVector:
    """A quantised vector.

    Attributes:
        norm: Euclidean length of the vector, a float32 value, finite and not negative.
        bits: 1..8.
        levels: (n,) int16, n from 1 to 2^16, each from -s to s with s = 2^bits - 1; all 0 where the norm is 0.
    """

    norm: float
    bits: int
    levels: NDArray[np.int16]

    def values(self) -> NDArray[np.float32]:
        """(n,) float32: norm x level / s."""
        scaled: NDArray[np.float32] = (self.levels * (self.norm / most(self.bits))).astype(np.float32)
        return scaled


def most(bits: int) -> int:
    """s, the largest level."""
    return (1 << bits) - 1


def quantise(vector: Any, bits: int, rounding: Rounding = "nearest", seed: int = 0) -> QsgdVector:
    """A vector at a number of bits.

    Args:
        vector: (n,) finite numbers, n from 1 to 2^16.
        bits: 1..8.
        rounding: "nearest" level, half up; or "stochastic", as published.
        seed: of the stochastic rounding, 0..2^64 - 1: the same levels on every machine.

    Raises:
        UsageError: an argument is out of its range, or the norm is above float32.
    """
    floats = as_vector(vector)
    if not 1 <= bits <= MAX_BITS:
        raise UsageError(f"expected 1 to {MAX_BITS} bits, found {bits}")
    if rounding not in get_args(Rounding):
        raise UsageError(f"expected rounding to be nearest or stochastic, found {rounding!r}")
    if not 0 <= seed < SEED_LIMIT:
        raise UsageError(f"expected seed to be a whole number from 0 to 2^64 - 1, found {seed!r}")
    norm = norm_f32(floats)
    if norm == 0:
        return QsgdVector(0.0, bits, np.zeros(len(floats), np.int16))
    exact = np.abs(floats) * (most(bits) / norm)
    if rounding == "nearest":
        levels = np.floor(exact + 0.5)
    else:
        below = np.floor(exact)
        levels = below + (_uniform(seed, len(floats)) < exact - below)
    signed = np.copysign(np.minimum(levels, most(bits)), floats)  # a norm rounded down lets a level pass s
    return QsgdVector(norm, bits, signed.astype(np.int16))


def as_vector(vector: Any) -> NDArray[np.float64]:
    """(n,) float64 of a caller's numbers.

    Raises:
        UsageError: not one dimension, too long, empty, not numbers or not finite.
    """
    try:
        floats = np.asarray(vector, np.float64)
    except (TypeError, ValueError):
        raise UsageError("expected a vector of numbers, found something else") from None
    if floats.ndim != 1 or not 1 <= len(floats) <= MAX_LENGTH:
        raise UsageError(f"expected a vector of 1 to {MAX_LENGTH} numbers, found the shape {floats.shape}")
    if not np.isfinite(floats).all():
        raise UsageError("expected finite numbers in the vector, found others")
    return floats


def norm_f32(floats: NDArray[np.float64]) -> float:
    """Euclidean length as a float32 value; squares are summed exactly, so that machines agree.

    Raises:
        UsageError: it is larger than any float32.
    """
    largest = float(np.finfo(np.float32).max)
    if np.abs(floats).max() <= largest:
        norm = math.sqrt(math.fsum((floats * floats).tolist()))
        if norm <= largest:
            return float(np.float32(norm))
    raise UsageError("expected a vector whose length float32 can hold, found a longer one")


def _uniform(seed: int, count: int) -> NDArray[np.float64]:
    """(count,) fractions from 0 to 1, 1 excepted: the upper 53 bits of one random word a dimension."""
    dimensions = np.arange(count)
    words = counter_words(seed, _PLACE, np.zeros(count, np.int64), dimensions)
    upper = (words >> np.uint64(64 - _FRACTION_BITS)).astype(np.float64)  # exact
    fractions: NDArray[np.float64] = upper * 2.0**-_FRACTION_BITS
    return fractions
