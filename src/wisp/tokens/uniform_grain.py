"""A grain of one depth for the whole picture, at a share of its positions (docs/format.md, section 5.4).

The share counts ranks of the 4x4 tile of `wisp.tokens.stages`: with k sixteenths, the positions of rank below k have
the depth, the others have depth 0, and nothing is sent of them. That is PQ-MIM's hybrid mode, in which the last stages
of the order are left out (El-Nouby et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.tokens.stages import stage_map

SIXTEENTHS = 16


@dataclass(frozen=True)
class UniformGrain:
    """What a file says of a uniform grain.

    Attributes:
        depth: groups of the order that are sent, 1..N.
        kept: k, sixteenths of the positions at which they are sent, 1..16.
    """

    depth: int
    kept: int = SIXTEENTHS

    def map(self, rows: int, columns: int) -> NDArray[np.uint8]:
        """(rows, columns) uint8: the depth where the position's rank is below k, else 0."""
        return np.where(_ranks(rows, columns) < self.kept, np.uint8(self.depth), np.uint8(0))

    def canonical(self, rows: int, columns: int) -> UniformGrain:
        """The one spelling of this map: k = 16 if it is sent everywhere, else the least k that gives it.

        Only pictures of fewer than 4 rows or columns have maps that several k would give.
        """
        ranks = _ranks(rows, columns)
        used = ranks[ranks < self.kept]
        return UniformGrain(self.depth, SIXTEENTHS if used.size == ranks.size else int(used.max()) + 1)


def grain_of_map(grain_map: NDArray[np.uint8]) -> UniformGrain | None:
    """The uniform grain, canonical, of a map (rows, columns); None if it is not that of one."""
    ranks = _ranks(*grain_map.shape)
    sent = grain_map > 0
    if not sent.any():
        return None
    found = UniformGrain(int(grain_map.max()), int(ranks[sent].max()) + 1).canonical(*grain_map.shape)
    return found if np.array_equal(found.map(*grain_map.shape), grain_map) else None


def _ranks(rows: int, columns: int) -> NDArray[np.uint8]:
    return stage_map(rows, columns, SIXTEENTHS)
