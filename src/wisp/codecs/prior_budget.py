"""A byte budget with the masked prior, whose cost of a token depends on what else is sent.

The allocation counts with the tables' bits, scaled by what the prior saves of each group on average; how long the
file really becomes is found by coding it. The ratio of the two hardly changes for one picture, so two or three
trials come within a percent of the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand, allocate, shrink

TRIALS = 5
FLUSH_BITS = 12  # the coder's flush costs at most 9
CLOSE = 0.985  # a file that fills so much of its budget is left as it is
AIM = 0.997  # of the budget, in trials after the first

Write = Callable[[NDArray[np.uint8]], bytes]


def with_savings(demand: Demand, savings: NDArray[np.float64]) -> Demand:
    """The demand with the bits of each group scaled by (N,) `savings`."""
    return replace(demand, token_bits=demand.token_bits * savings[:, None, None])


def fit_budget(
    demand: Demand, num_bytes: int, overhead: int, write: Write
) -> tuple[NDArray[np.uint8], bytes]:
    """Depths and file of at most `num_bytes` bytes, `overhead` of which are not payload.

    If there is none, the smallest file that was found; the caller sees from its size that it does not fit.
    """
    wanted = 8.0 * (num_bytes - overhead) - FLUSH_BITS
    asked = wanted
    best: tuple[NDArray[np.uint8], bytes] | None = None
    seen: set[bytes] = set()
    for _ in range(TRIALS):
        depths = allocate(demand, asked)
        if depths.tobytes() in seen:
            break
        seen.add(depths.tobytes())
        data = write(depths)
        fits = len(data) <= num_bytes
        if fits and (best is None or len(data) > len(best[1])):
            best = depths, data
        used = 8.0 * (len(data) - overhead)
        if (
            (fits and used >= CLOSE * wanted)
            or depths.max() <= 1
            or (fits and depths.min() == demand.num_groups)
        ):
            break
        asked *= AIM * wanted / used
    if best is not None:
        return best
    excess = 0
    while len(data) > num_bytes and depths.max() > 1:
        excess += 1 + (len(data) - num_bytes) // 2
        depths = shrink(demand, depths, excess)
        data = write(depths)
    return depths, data
