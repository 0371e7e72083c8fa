"""Levels of a correction as bits: block by block, each in zigzag order up to its last level."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.correction import BLOCK, LARGEST, NUM_STEPS, Correction
from wisp.entropy.adaptive_bits import BitPort

_BAND_BEGINS = (1, 2, 3, 4, 10, 21)  # places in zigzag order at which the next band begins
_NUM_BANDS = len(_BAND_BEGINS) + 1
_LONGEST = 14  # of a magnitude in answers; what is left follows as it is
_REST = 2048
_EMPTY, _ZERO, _LAST, _ONE, _MORE = 0, 3, 3 + 3 * _NUM_BANDS, 3 + 4 * _NUM_BANDS, 7 + 4 * _NUM_BANDS
_PER_PLANE = 8 + 4 * _NUM_BANDS
NUM_CONTEXTS = 3 * _PER_PLANE
_NUM_PLACES = BLOCK * BLOCK


class EmptyBlock(Exception):
    """A block that says it has levels has none, or more than fit: no writer writes that; becomes Corrupt."""


def exchange_correction(
    port: BitPort, correction: Correction, regions: NDArray[np.bool_], side: int, base: int
) -> Correction:
    """Step and levels of the blocks in `regions` (rows, columns) of `side` pixels: written, or read if the port reads.

    Raises:
        EmptyBlock: the levels are spelled as no writer spells them.
        Truncated, Corrupt: as the port.
    """
    step = port.equal(correction.step, NUM_STEPS)
    luma, chroma = np.zeros_like(correction.luma), np.zeros_like(correction.chroma)
    planes = [(correction.luma, luma, side // BLOCK)]
    planes += [(correction.chroma[:, :, part], chroma[:, :, part], side // BLOCK // 2) for part in (0, 1)]
    for number, (given, found, fold) in enumerate(planes):
        first = base + number * _PER_PLANE
        filled = np.zeros(
            (found.shape[0] + 1, found.shape[1] + 1), np.int64
        )  # one row and column of 0 before
        for y, x in _places(regions, fold):
            near = int(filled[y, x + 1] + filled[y + 1, x])
            levels = given[y, x].tolist()
            if port.bit(first + _EMPTY + near, int(any(levels))):
                filled[y + 1, x + 1] = 1
                found[y, x] = _exchange_block(port, levels, first)
    return Correction(step, luma, chroma)


def _places(regions: NDArray[np.bool_], fold: int) -> Iterator[tuple[int, int]]:
    rows, columns = np.nonzero(regions.repeat(fold, 0).repeat(fold, 1))
    return zip(rows.tolist(), columns.tolist(), strict=True)


def _exchange_block(port: BitPort, given: list[int], first: int) -> list[int]:
    """64 levels, of which at least one is not 0."""
    found = [0] * _NUM_PLACES
    last = max((i for i, level in enumerate(given) if level), default=0)
    recent = 0  # how large the levels just before were, at most 3
    for place in range(_NUM_PLACES):
        band = _BANDS[place]
        wanted = abs(given[place])
        if not port.bit(first + _ZERO + 3 * band + min(recent, 2), int(wanted > 0)):
            recent //= 2
            continue
        magnitude = 1
        if port.bit(first + _ONE + min(band, 3), int(wanted > 1)):
            magnitude = 2
            while magnitude < _LONGEST and port.bit(first + _MORE, int(wanted > magnitude)):
                magnitude += 1
            if magnitude == _LONGEST:
                magnitude += port.equal(max(wanted - magnitude, 0), _REST)
                if magnitude > LARGEST:
                    raise EmptyBlock(f"a level of {magnitude}")
        found[place] = -magnitude if port.equal(int(given[place] < 0), 2) else magnitude
        recent = recent // 2 + min(magnitude, 2)
        if place == _NUM_PLACES - 1 or port.bit(first + _LAST + band, int(place == last)):
            return found
    raise EmptyBlock("a block without the last level it announced")


_BANDS = [sum(place >= begin for begin in _BAND_BEGINS) for place in range(_NUM_PLACES)]
