"""A vector as one step and a whole number of steps a dimension: the plain quantiser for latents of known scale.

The nearest multiple is the best choice for one dimension by itself: squared error step^2 / 12 where the step is small
beside the spread (Gray and Neuhoff 1998, "Quantization", section II). QSGD's step is norm / s; here any step will do,
and the vector's length is not sent. A reader who knows how a dimension is spread shows the mean of what the writer may
have had, a little nearer to zero than the multiple itself (`centroids`).

Floats decide here what a writer sends, and what a reader shows; nothing in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.gaussian_tables import deviation
from wisp.entropy.level_rows import LARGEST
from wisp.entropy.qsgd import as_vector
from wisp.errors import UsageError

_MIN_STEP, _MAX_STEP = 2.0**-126, 2.0**119
_SHEPPARD = 1 / 12  # variance that rounding adds, in steps squared


@dataclass(frozen=True)
class SteppedVector:
    """A quantised vector.

    Attributes:
        step: as `round_step` gives it.
        levels: (n,) int16, n from 1 to 2^16, each from -255 to 255.
    """

    step: float
    levels: NDArray[np.int16]

    def values(self) -> NDArray[np.float32]:
        """(n,) float32: step x level."""
        scaled: NDArray[np.float32] = (self.levels * self.step).astype(np.float32)
        return scaled

    def centroids(self, scales: NDArray[np.integer]) -> NDArray[np.float32]:
        """(n,) float32: the mean of a Gaussian within the level's interval, where that is narrower than the spread.

        scales: (n,) scale indices, by which the levels are coded (`gaussian_tables`).
        """
        spreads = [math.sqrt(max(deviation(int(i)) ** 2 - _SHEPPARD, 0.0)) for i in np.asarray(scales)]
        shown = [_mean(level, spread) for level, spread in zip(self.levels.tolist(), spreads, strict=True)]
        return (np.array(shown) * self.step).astype(np.float32)


def round_step(step: float) -> float:
    """The nearest step that two bytes hold: the upper half of a float32, eight significant bits.

    Raises:
        UsageError: below 2^-126 or above 2^119.
    """
    if not _MIN_STEP <= step <= _MAX_STEP:
        raise UsageError(f"expected a step from 2^-126 to 2^119, found {step!r}")
    mantissa, exponent = math.frexp(step)
    return math.ldexp(round(mantissa * 256), exponent - 8)


def quantise_steps(vector: Any, step: float) -> SteppedVector:
    """The nearest multiples of the nearest step that two bytes hold.

    Args:
        vector: (n,) finite numbers, n from 1 to 2^16.
        step: 2^-126..2^119, and at least the largest magnitude / 255.5.

    Raises:
        UsageError: an argument is out of its range.
    """
    floats = as_vector(vector)
    rounded = round_step(step)
    reach = (LARGEST + 0.5) * rounded
    if np.abs(floats).max() >= reach:
        raise UsageError(
            f"expected numbers within {LARGEST} steps of {rounded:g}, found larger ones; take a larger step"
        )
    return SteppedVector(rounded, np.clip(np.rint(floats / rounded), -LARGEST, LARGEST).astype(np.int16))


def _mean(level: int, spread: float) -> float:
    """Mean of a Gaussian of that standard deviation between level - 1/2 and level + 1/2."""
    if (
        level == 0 or spread < 0.25 or abs(level) > 4 * spread
    ):  # no curvature worth it, or nothing there to weigh
        return float(level)
    lower, upper = ((level + end) / spread for end in (-0.5, 0.5))
    mass = (math.erf(upper / math.sqrt(2)) - math.erf(lower / math.sqrt(2))) / 2
    density = (math.exp(-lower * lower / 2) - math.exp(-upper * upper / 2)) / math.sqrt(2 * math.pi)
    return spread * density / mass
