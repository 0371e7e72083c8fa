"""A byte budget met by coding: how long a file really becomes is found by writing it.

The allocation counts with estimates: the tables' bits, scaled by what the prior saves of each group on average if
there is one. The ratio of real and estimated bits hardly changes from one map of a picture to the next, and less
the fewer regions differ; so each trial after the first starts from the last map and changes little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand, allocate, shrink
from wisp.allocation.remainder import adjust
from wisp.codecs.pyramid_entropy import Payload
from wisp.tokens.pyramid import TokenPyramid

TRIALS = 6
SMALL, MORE_TRIALS = (
    2000,
    16,
)  # bytes; files up to that take milliseconds, and have few regions to choose from
FLUSH_BITS = 12  # the coder's flush costs at most 9
SHARE_LEFT = 0.005  # of the budget, or
BYTES_LEFT = 2  # if that is more: a file that leaves no more than this unused is left as it is
LARGE = 1 << 16  # bytes; a trial of such a file takes seconds
STANDS_STILL = (
    0.001  # of a large file's bits: with so little more, far from the budget, the tokens have ended
)
FAR = 0.04  # of the budget: beyond it, all regions are chosen anew
AIMS = (
    1 / 3,
    2 / 3,
    0.0,
)  # of what may be left is aimed at; the later ones where the first gives a map tried before

Write = Callable[[NDArray[np.uint8]], bytes]


def with_savings(demand: Demand, savings: NDArray[np.float64]) -> Demand:
    """The demand with the bits of each group scaled by (N,) `savings`."""
    return replace(demand, token_bits=demand.token_bits * savings[:, None, None])


def _unused(num_bytes: int) -> int:
    """Bytes that may be left of a budget."""
    return max(BYTES_LEFT, int(SHARE_LEFT * num_bytes))


def _next_map(
    demand: Demand, depths: NDArray[np.uint8], num_bytes: int, overhead: int, spare: int, seen: set[bytes]
) -> NDArray[np.uint8] | None:
    """A map that has not been tried, nearer to the budget by the corrected estimate; None if there is none.

    Args:
        depths: the last map, which leaves `spare` bytes, or is too long if that is negative.
        num_bytes, overhead: as `fit_budget`.
    """
    slack_bits = 8 * _unused(num_bytes) * AIMS[0]
    for aim in AIMS:
        aim_bits = 8 * _unused(num_bytes) * aim
        if abs(spare) > FAR * num_bytes and aim == AIMS[0]:
            nearer = allocate(demand, 8.0 * (num_bytes - overhead) - FLUSH_BITS - aim_bits)
        else:
            nearer = adjust(demand, depths, 8.0 * spare - aim_bits, slack_bits)
        if nearer.tobytes() not in seen:
            return nearer
    return None


def _adds_little(demand: Demand, depths: NDArray[np.uint8], nearer: NDArray[np.uint8]) -> bool:
    """Whether the tokens have ended: the next map has hardly more of them."""
    cumulative = demand.cumulative_bits()
    now, then = (demand.total_bits(each, cumulative) for each in (depths, nearer))
    return then <= (1 + STANDS_STILL) * now


def calibrated(
    demand: Demand,
    num_bytes: int,
    overhead: int,
    sent: Callable[[NDArray[np.uint8]], TokenPyramid],
    write: Callable[[TokenPyramid], Payload],
) -> Demand:
    """The demand with its bits scaled by what a sixteenth of a large picture, its middle, really costs.

    A trial of the whole takes seconds. Small pictures keep their demand. `sent` are the tokens of a grain map.
    """
    if num_bytes <= LARGE:
        return demand
    depths = allocate(demand, 8.0 * (num_bytes - overhead) - FLUSH_BITS)
    part = tuple(slice(count * 3 // 8, max(count * 5 // 8, count * 3 // 8 + 1)) for count in depths.shape)
    here = replace(
        demand,
        distortions=demand.distortions[(slice(None), *part)],
        token_bits=demand.token_bits[(slice(None), *part)],
    )
    window = sent(depths).window(part[0], part[1])
    found = 8.0 * len(write(window).data)
    return replace(
        demand,
        token_bits=demand.token_bits * (found / here.total_bits(window.grain_map, here.cumulative_bits())),
    )


def fit_budget(
    demand: Demand, num_bytes: int, overhead: int, write: Write
) -> tuple[NDArray[np.uint8], bytes]:
    """Depths and file of at most `num_bytes` bytes, `overhead` of which are not payload.

    If there is none, the smallest file that was found; the caller sees from its size that it does not fit.
    """
    depths = allocate(demand, 8.0 * (num_bytes - overhead) - FLUSH_BITS)
    best: tuple[NDArray[np.uint8], bytes] | None = None
    seen: set[bytes] = set()
    is_large = num_bytes > LARGE
    for _ in range(MORE_TRIALS if num_bytes <= SMALL else TRIALS):
        seen.add(depths.tobytes())
        data = write(depths)
        spare = num_bytes - len(data)
        if spare >= 0 and (best is None or len(data) > len(best[1])):
            best = depths, data
        if 0 <= spare <= _unused(num_bytes) or (spare < 0 and depths.max() <= 1):
            break
        estimated = demand.total_bits(depths, demand.cumulative_bits())
        demand = replace(demand, token_bits=demand.token_bits * (8.0 * (len(data) - overhead) / estimated))
        nearer = _next_map(demand, depths, num_bytes, overhead, spare, seen)
        if nearer is None or (is_large and spare > FAR * num_bytes and _adds_little(demand, depths, nearer)):
            break
        depths = nearer
    if best is not None:
        return best
    while len(data) > num_bytes and depths.max() > 1:
        depths = shrink(demand, depths, 1 + (len(data) - num_bytes) // 2)
        data = write(depths)
    return depths, data
