"""How far the average colour of a picture moved.

Range 0 and up, in grey levels; lower is better: the mean over the three channels of the absolute difference of their
averages. A synthesis trained against a critic can drift in colour without any metric of structure noticing.
"""

from __future__ import annotations

import numpy as np

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture


class ColourShift(AbstractMetric):
    """Mean absolute shift of the channels' averages, in sRGB code values."""

    name = "colour_shift"
    direction = Direction.LOWER
    unit = "grey levels"
    version = "mean of channels"
    smallest_side = 1

    def prepare(self, original_u8: Picture) -> Comparison:
        wanted = original_u8.mean((0, 1), dtype=np.float64)

        def compare(decoded_u8: Picture) -> float | None:
            return float(np.abs(decoded_u8.mean((0, 1), dtype=np.float64) - wanted).mean())

        return compare
