"""One random number for each token of a picture: a hash of (seed, place, row, column), the same on every machine.

The hash is the output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014; the constants are those of Vigna's public-domain splitmix64.c), read at a counter instead of
one step after another: output n + 1 of the generator with state s is mix(s + (n + 1) * GAMMA), all modulo 2^64.
Nothing depends on the order in which tokens are drawn, on threads or on windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAMMA = 0x9E3779B97F4A7C15
ROW_SHIFT, PLACE_SHIFT = 28, 56  # of a counter: 8 bits of place, 28 of row, 28 of column
SEED_LIMIT = 1 << 64

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_WORD = SEED_LIMIT - 1


def mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function of each word."""
    z = (words ^ (words >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def counter_words(
    seed: int, place: int, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.uint64]:
    """(n,) words of the tokens of a place at (n,) rows and columns of its plane.

    key = mix(seed + GAMMA), word = mix(key + (counter + 1) * GAMMA) with counter = place * 2^56 + row * 2^28 + column.

    Args:
        seed: 0..2^64 - 1.
        place: 0..255; rows, columns: 0..2^28 - 1.
    """
    key = mix(np.array([(seed + GAMMA) & _WORD], np.uint64))
    counter = rows.astype(np.uint64) << np.uint64(ROW_SHIFT)
    counter |= columns.astype(np.uint64)
    counter |= np.uint64(place << PLACE_SHIFT)
    return mix(key + (counter + np.uint64(1)) * np.uint64(GAMMA))
