"""Where a writer looks before it spends bytes: which depths of each region are decoded.

The file will come to about the depths that the forecast leads to. What matters is how the curve of each region runs
around those, so that is where the usual effort puts its probes, if bits are worth it, and looks at them. With time more
depths are looked at, and in the end all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand, allocate
from wisp.codecs.prior_budget import with_savings
from wisp.rate import Target

if TYPE_CHECKING:
    from wisp.codecs.token_pyramid import TokenPyramidCodec

LEAST_EFFORT, USUAL_EFFORT = 0, 5
AROUND = {
    USUAL_EFFORT: (-2, 0, 2),
    6: (-3, -2, -1, 0, 1, 2, 3),
}  # depths that are looked at, from the expected one
EVERY_DEPTH_EFFORT = 7  # from here on
SEARCH_EFFORT = (
    4  # from here on tokens are searched for that go together (train/search_onnx.py); nobody looks yet
)
NEARLY_ALL = 0.9  # of the regions that will be sent whole: then nobody looks
WORTH_IT = 45  # bits a region at full scale, 0.044 bpp; with fewer nobody looks at the usual effort


@dataclass(frozen=True)
class Look:
    """How a writer looks at a picture.

    Attributes:
        effort: from 5 on.
        expected: a demand that was foreseen -> the grain map (rows, cols) that the file will come to; None if nobody
            knows, as with a quality.
    """

    effort: int
    expected: Callable[[Demand], NDArray[np.uint8]] | None

    @property
    def sees_all(self) -> bool:
        """Whether at every depth."""
        return self.effort >= (EVERY_DEPTH_EFFORT if self.expected is not None else USUAL_EFFORT + 1)


def look_of(codec: TokenPyramidCodec, effort: int, target: Target, payload_bytes: int | None) -> Look | None:
    """How a writer looks that has so many bytes, None with a quality; not at all where everything is sent anyway."""
    if effort < USUAL_EFFORT or target.quality == 100:
        return None
    return Look(effort, None if payload_bytes is None else partial(_expected, codec, 8.0 * payload_bytes))


def _expected(codec: TokenPyramidCodec, bits: float, demand: Demand) -> NDArray[np.uint8]:
    if codec.prior_model is not None:
        demand = with_savings(demand, codec.prior_model.prior.savings)
    return allocate(demand, bits)


def looks(effort: int, num_regions: int, payload_bytes: int | None) -> bool:
    """Whether a writer looks that has so many bytes, None with a quality; regions are those of full scale."""
    return effort > USUAL_EFFORT or payload_bytes is None or 8 * payload_bytes > WORTH_IT * num_regions


def depths_around(expected: NDArray[np.uint8], num_depths: int, effort: int) -> NDArray[np.uint8]:
    """(K, rows, cols), never falling from one to the next; without maps that say the same as another."""
    maps = [np.clip(expected.astype(int) + offset, 1, num_depths) for offset in AROUND[effort]]
    return np.stack([maps[0], *(b for a, b in pairwise(maps) if (a != b).any())]).astype(np.uint8)


def uniform_depths(depths: tuple[int, ...], rows: int, columns: int) -> NDArray[np.uint8]:
    """(K, rows, cols)."""
    return np.broadcast_to(np.array(depths, np.uint8)[:, None, None], (len(depths), rows, columns)).copy()
