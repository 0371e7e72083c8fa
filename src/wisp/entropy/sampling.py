"""Integer logits and a random word to a token: temperature, top-p and the draw, in integers throughout.

Temperature and top-p count thousandths, so that what a person writes with three decimals is what is used. The
rules are normative (docs/generation.md): same logits, same words, same options, same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.counter_random import SEED_LIMIT, counter_words
from wisp.entropy.integer_softmax import frequencies
from wisp.errors import UsageError

UNIT = 1000  # of temperature and top-p
MAX_TEMPERATURE = 4 * UNIT
CUT = 256  # logits further below the largest count alike (docs/format.md, section 5.3)
_HIGH = np.uint64(32)


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        seed: 0..2^64 - 1.
        temperature: thousandths, 0..4000: what logits are divided by; 0 takes the likeliest token.
        top_p: thousandths, 1..1000: only the likeliest tokens that together hold this share may be drawn.
    """

    seed: int
    temperature: int
    top_p: int

    def draw(
        self,
        logits: NDArray[np.int16],
        place: int,
        rows: NDArray[np.integer],
        columns: NDArray[np.integer],
    ) -> NDArray[np.uint8]:
        """(n, K) logits in 1/16 nat of the tokens of a place at (n,) rows and columns -> (n,) uint8, K <= 256."""
        if self.temperature == 0:
            likeliest: NDArray[np.uint8] = logits.argmax(1).astype(np.uint8)
            return likeliest
        freqs = truncated(frequencies(tempered(logits, self.temperature)), self.top_p)
        return pick(freqs, counter_words(self.seed, place, rows, columns))


def make_sampling(seed: Any = 0, temperature: Any = 1.0, top_p: Any = 1.0) -> Sampling:
    """Checked options from a caller's numbers; temperature and top-p are rounded to thousandths.

    Raises:
        UsageError: an option is of the wrong type or out of its range.
    """
    if not is_whole(seed) or not 0 <= seed < SEED_LIMIT:
        raise UsageError(f"expected seed to be a whole number from 0 to 2^64 - 1, found {seed!r}")
    if not _is_number(temperature) or not 0 <= UNIT * temperature <= MAX_TEMPERATURE:
        raise UsageError(f"expected temperature from 0 to 4, found {temperature!r}")
    if not _is_number(top_p) or not 0 < top_p <= 1:
        raise UsageError(f"expected top-p above 0 and at most 1, found {top_p!r}")
    return Sampling(int(seed), round(UNIT * float(temperature)), max(1, round(UNIT * float(top_p))))


def tempered(logits: NDArray[np.int16], temperature: int) -> NDArray[np.int16]:
    """(n, K) logits -> (n, K), 0 at the largest of a row and below it -min(256, (1000 d + t // 2) // t).

    d is the distance to the largest; t the temperature in thousandths, at least 1.
    """
    drop = logits.max(1, keepdims=True).astype(np.int64) - logits
    scaled = (drop * UNIT + temperature // 2) // temperature
    cooled: NDArray[np.int16] = (-np.minimum(scaled, CUT)).astype(np.int16)
    return cooled


def truncated(freqs: NDArray[np.uint32], top_p: int) -> NDArray[np.uint32]:
    """(n, K) frequencies -> the same with 0 for all but the shortest list of the largest that reaches top-p.

    Sorted from the largest, the lowest index first among equals, the list ends with the first symbol at which
    1000 x (the sum so far) >= top_p x (the whole row's sum).
    """
    if top_p >= UNIT:
        return freqs
    order = np.argsort(-freqs.astype(np.int64), axis=1, kind="stable")
    ranked = np.take_along_axis(freqs, order, 1).astype(np.int64)
    before = ranked.cumsum(1) - ranked
    kept = np.where(UNIT * before < top_p * ranked.sum(1, keepdims=True), ranked, 0)
    out = np.zeros_like(freqs)
    np.put_along_axis(out, order, kept.astype(freqs.dtype), 1)
    return out


def pick(freqs: NDArray[np.uint32], words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """(n, K) frequencies whose rows sum to S <= 2^16, (n,) words -> (n,) symbols.

    u = (the word's upper 32 bits x S) // 2^32; the symbol is the first whose cumulative sum exceeds u.
    """
    ends = freqs.cumsum(1, dtype=np.uint64)
    u = ((words >> _HIGH) * ends[:, -1]) >> _HIGH
    symbols: NDArray[np.uint8] = (ends <= u[:, None]).sum(1).astype(np.uint8)
    return symbols


def is_whole(value: object) -> bool:
    """Whether a caller's value is an integer of any kind, truth values excepted."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
