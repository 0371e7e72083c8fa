"""The demand of a routed pyramid, whose regions are sent at one level each and not at the coarser ones as well.

Everything else in this room counts in steps from one depth to the next. Here a step is from one level to the next
finer one, and costs what the finer tokens cost *more*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import INVISIBLE
from wisp.allocation.lagrange import Demand


def by_level(demand: Demand, groups: Sequence[int]) -> Demand:
    """Bits of groups (sum of `groups`, rows, cols) -> bits of steps between levels (len(groups), rows, cols)."""
    starts = np.cumsum([0, *groups[:-1]])
    levels = np.add.reduceat(demand.token_bits, starts, axis=0)
    return replace(demand, token_bits=np.diff(levels, axis=0, prepend=0.0))


def level_curve(probes: Mapping[int, NDArray[np.float64]], side: int) -> NDArray[np.float64]:
    """Distortions (L + 1, rows, cols) from those measured with all regions at level 1..L; never rising.

    Entry 0, nothing sent, is that of the coarsest level: no region may choose it.
    """
    measured = np.stack([probes[level] for level in (1, *sorted(probes))])
    curve: NDArray[np.float64] = np.maximum(np.minimum.accumulate(measured, 0), side**2 * INVISIBLE)
    return curve
