"""How far a region will look from the picture at every depth, foreseen from its latent errors.

Squared error is easy to measure and does not see what people see. Networks of features do, and would have to look at
every depth, which costs many times the encoder. But the latent was trained to matter to such networks, and what its
errors say of them can be learned: a perceptron from the errors of one region, after each of its groups, to the region's
distance at each depth (`train/forecast_loop.py`). The allocation follows a mean of that and of squared error.

Only writers forecast; files are read alike with and without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARE = 0.8  # of the forecast in what the allocation follows; the rest is squared error
STEEPEST = 80.0  # of what exp is asked for: single precision ends at 88, where SiLU has long been 0
SEEN = 0.85  # of a mean of what was seen and foreseen
STEEPER = 8.0  # times as much as was foreseen may a curve through what was seen fall, or as little
OUTSIDE = 0.3  # exponent of that factor where nothing was seen on the other side
LEVEL = 1e-6  # a fall that means nothing, so that it may divide
CHUNK = 1 << 14  # regions that are looked at together: bounds memory for large pictures


class Forecast:
    """A perceptron of two hidden layers, in single precision.

    Args:
        parts: `centre`, `spread` (E,) of the inputs, log(error + 1); `weight_i` (out, in) and `bias_i` (out,) of three
            layers, whose last has an output for each depth: the distance at depth 1, then what each group takes off it.

    Raises:
        ValueError, KeyError, TypeError: arrays are missing, or do not fit one another, `num_errors` or `num_depths`.
    """

    def __init__(self, parts: Mapping[str, NDArray[Any]], num_errors: int, num_depths: int) -> None:
        self._centre, self._spread = (_floats(parts[name], (num_errors,)) for name in ("centre", "spread"))
        if self._spread.min() <= 0:
            raise ValueError("a spread that is not above 0")
        hidden = [len(parts[f"bias_{layer}"]) for layer in range(2)]
        sizes = [num_errors, *hidden, num_depths]
        self._layers = [
            (
                _floats(parts[f"weight_{layer}"], (sizes[layer + 1], sizes[layer])),
                _floats(parts[f"bias_{layer}"], (sizes[layer + 1],)),
            )
            for layer in range(3)
        ]

    def distances(self, errors: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """Levels of (G + 1, rows, cols) squared errors of the latent -> (N + 1, rows, cols), never rising with depth.

        Depth 0 counts as depth 1.
        """
        rows, columns = errors[0].shape[1:]
        inputs = np.concatenate([level.reshape(len(level), -1) for level in errors])
        found = [self._falls(inputs[:, at : at + CHUNK]) for at in range(0, rows * columns, CHUNK)]
        first, *falls = np.concatenate(found, 1).astype(np.float64).reshape(-1, rows, columns)
        curve = np.stack([first, first, *(first - taken for taken in np.cumsum(falls, 0))])
        falling: NDArray[np.float64] = np.minimum.accumulate(curve, 0)
        return falling

    def _falls(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        x: NDArray[np.float32] = np.log(np.maximum(inputs, 0) + 1)
        x = (x - self._centre[:, None]) / self._spread[:, None]
        for number, (weight, bias) in enumerate(self._layers):
            x = weight @ x + bias[:, None]
            if number < len(self._layers) - 1:
                x = x / (1 + np.exp(np.minimum(-x, STEEPEST)))  # SiLU
        return x


def with_sight(
    foreseen: NDArray[np.float64], depths: NDArray[np.uint8], seen: NDArray[np.float32]
) -> NDArray[np.float64]:
    """A mean of what was foreseen and of a curve through what was seen, (N + 1, rows, cols); never rising with depth.

    Their mistakes have little to do with each other, so a mean of both is nearer than what was seen alone. Between two
    depths at which a region was seen the curve falls as was foreseen, times what makes it meet the deeper and, within
    bounds, the other; outside them the factor counts less.

    Args:
        foreseen: (N + 1, rows, cols).
        depths: (K, rows, cols) from 1 on, never falling from one map to the next.
        seen: (K, rows, cols), distances there.
    """
    depths = depths.astype(np.intp)
    there = np.take_along_axis(foreseen, depths, 0)
    steeper = (seen[:-1] - seen[1:]) / np.maximum(there[:-1] - there[1:], LEVEL)
    steeper = np.clip(steeper, 1 / STEEPER, STEEPER)
    first, last = (steeper[0] ** OUTSIDE, steeper[-1] ** OUTSIDE) if len(steeper) else (1.0, 1.0)
    number = np.arange(len(foreseen))[:, None, None]
    curve = seen[0] + (foreseen - there[0]) * first
    for at, slope in enumerate(steeper, 1):
        curve = np.where(number > depths[at - 1], seen[at] + (foreseen - there[at]) * slope, curve)
    curve = np.where(number > depths[-1], seen[-1] + (foreseen - there[-1]) * last, curve)
    for at, depth in enumerate(depths[1:], 1):  # of looks that were clipped to depth 1 the last meant it most
        curve = np.where((number <= 1) & (depth == 1), seen[at], curve)
    falling: NDArray[np.float64] = np.minimum.accumulate(SEEN * curve + (1 - SEEN) * foreseen, 0)
    return falling


def blend(
    measured: NDArray[np.float64], foreseen: NDArray[np.float64], is_clear: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """A mean of two curves (N + 1, rows, cols), in the unit of the first.

    The second is scaled to fall as much as the first over the whole picture. It stays level from where `is_clear`, of
    the same shape, says that nobody sees a difference any more. A forecast of no fall, or of none that is a number,
    counts for nothing.
    """
    last = np.where(is_clear.any(0), np.argmax(is_clear, 0), len(measured) - 1)
    depths = np.minimum(np.arange(len(measured))[:, None, None], last)
    foreseen = np.take_along_axis(foreseen, depths, 0)
    fall = float((foreseen[1] - foreseen[-1]).sum())
    if not 0 < fall < math.inf:
        return measured
    scale = float((measured[1] - measured[-1]).sum()) / fall
    mean: NDArray[np.float64] = (1 - SHARE) * measured + SHARE * scale * foreseen
    return mean


def _floats(value: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if value.shape != shape or value.dtype != np.float32:
        raise ValueError(f"expected float32 {shape}, found {value.dtype} {value.shape}")
    if not np.isfinite(value).all():
        raise ValueError("numbers that are not finite")
    return value
