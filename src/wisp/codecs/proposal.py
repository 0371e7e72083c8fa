"""What a codec knows of a picture before it decides what to send."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand
from wisp.codecs.pyramid_networks import Analysed


@dataclass(frozen=True)
class AllocationSettings:
    """Numbers measured once per model and kept in its bundle.

    Attributes:
        masking: exponent of the contrast masking (wisp.allocation.benefit).
        level_gains: pixel distortion per unit of latent error, for each level.
        scale_bpp: the working scale is 1 / 2^s where s is how many of these rates (falling) are not reached.
    """

    masking: float
    level_gains: tuple[float, ...]
    scale_bpp: tuple[float, ...]


@dataclass(frozen=True)
class Roi:
    """A region of interest: mask (h, w) uint8 of the picture's shape, and how much more an error weighs in it."""

    mask_u8: NDArray[np.uint8]
    strength: float


@dataclass(frozen=True)
class Proposal:
    """A picture analysed at one working scale, ready to be sent at any depth."""

    scale_exponent: int
    analysed: Analysed
    demand: Demand
