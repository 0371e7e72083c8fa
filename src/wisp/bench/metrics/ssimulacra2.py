"""SSIMULACRA2, release 2.1.

Range minus infinity to 100; higher is better, 100 for equal pictures. By its author's scale 90 cannot be told from
the original, 70 is high, 50 medium and 30 low quality. Negative values are very strong distortion, for which it was
not tuned; about -64 it has a plateau on which pictures of very different quality lie together. Computed in XYB, the
cone-like colour space of JPEG XL, from sRGB made linear; scales are halved in linear light. Source: J. Sneyers
(Cloudinary), the tool ssimulacra2 of libjxl (no paper): at six scales and in three channels, maps of lost structure,
of added and of lost edges; the mean and the 4-norm of each, weighted.

Written here from that definition, because the Python package of that name is not this metric: it blurs with other
weights, mirrors at two borders and stops a scale early, which is up to 5 points on Kodak at low rates and far more
on small pictures. Values of the C++ tool are met to 0.002 on noise and gradients and to 0.05 on strong shifts of a
flat colour. On weak ones, where the tool's own rounding decides, they differ by up to 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.bench.metrics.ssimulacra2_weights import CUBIC, POWER, SCALE, WEIGHTS

_NUM_SCALES = 6
_SMALLEST_SIDE = 8  # of a scale that may be halved once more
_STEADY = 0.0009

# Linear RGB to the responses of three cones, their bias, and what brings X, Y and B - Y to about 0..1.
_CONES = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.5518098665095536),
)
_BIAS = 0.0037930732552754493
_X_GAIN, _X_OFFSET, _Y_OFFSET, _B_OFFSET = 14.0, 0.42, 0.01, 0.55

_BLUR_DEVIATION = 1.5


def _linear_light() -> Tensor:
    """(256,) float32: sRGB code value -> linear light in 0..1."""
    code = np.arange(256) / 255.0
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return torch.from_numpy(light).float()


def _blur_taps() -> list[float]:
    """The blur's weights at distances 0, 1, ... 4.

    The tool blurs by the recursive filter of Charalampidis, "Recursive implementation of the Gaussian filter using
    truncated cosine functions", IEEE TSP 2016, with three cosines. What it computes is this finite sum of cosines
    over the distance; their weights keep the sum of taps and the second moment, and come closest to a Gaussian.
    """
    radius = round(3.2795 * _BLUR_DEVIATION + 0.2546)
    frequency = np.pi / (2 * radius) * np.array([1.0, 3.0, 5.0])
    sign = np.array([1.0, -1.0, 1.0])
    sums = sign / np.tan(frequency / 2)
    moments = sign * sums**2 / np.sin(frequency)
    wanted = np.exp(-0.5 * (_BLUR_DEVIATION * frequency) ** 2) / radius
    # Orthogonal to both conditions: along it the weights are those of the Gaussian.
    free = np.cross(sums, moments)
    system = np.stack([sums, moments, free / free[2]])
    conditions = np.array([1.0, radius**2 - _BLUR_DEVIATION**2, free @ wanted / free[2]])
    weights = np.linalg.solve(system, conditions)
    return [float(weights @ np.cos(frequency * distance)) for distance in range(radius)]


_LINEAR_LIGHT = _linear_light()
_TAPS = _blur_taps()


def _blur(planes: Tensor) -> Tensor:
    """(P, h, w) -> the same blurred along both axes; beyond the border is 0."""
    reach = len(_TAPS) - 1
    for axis in (2, 1):
        length = planes.shape[axis]
        padded = functional.pad(planes, (reach, reach) if axis == 2 else (0, 0, reach, reach))
        planes = padded.narrow(axis, reach, length) * _TAPS[0]
        for distance, tap in enumerate(_TAPS[1:], start=1):
            pair = padded.narrow(axis, reach - distance, length) + padded.narrow(
                axis, reach + distance, length
            )
            planes.add_(pair, alpha=tap)
    return planes


def _half(linear: Tensor) -> Tensor:
    """(3, h, w) linear light -> half the size by means of 2x2, an odd last row or column counting twice."""
    height, width = linear.shape[1:]
    even = functional.pad(linear[None], (0, width % 2, 0, height % 2), mode="replicate")
    return functional.avg_pool2d(even, kernel_size=2)[0]


def _to_xyb(linear: Tensor) -> Tensor:
    """(3, h, w) linear light -> (3, h, w): X, Y and B - Y, each within about 0..1."""
    cones = torch.tensor(_CONES) @ linear.flatten(1) + _BIAS
    long, medium, short = cones.clamp_(min=0.0).pow_(1 / 3).sub_(_BIAS ** (1 / 3)).reshape(linear.shape)
    x, y = (long - medium) / 2, (long + medium) / 2
    return torch.stack([x * _X_GAIN + _X_OFFSET, y + _Y_OFFSET, short - y + _B_OFFSET])


def _scales(picture_u8: Picture) -> Iterator[Tensor]:
    """The picture in XYB from 1:1 down; stops after the first scale with a side below 8."""
    linear = _LINEAR_LIGHT[torch.tensor(picture_u8).permute(2, 0, 1).long()]
    for scale in range(_NUM_SCALES):
        if min(linear.shape[1:]) < _SMALLEST_SIDE:
            return
        if scale:
            linear = _half(linear)
        yield _to_xyb(linear)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The original at one scale, each (3, h, w): itself, its blur, its variance, its edges' strength."""

    xyb: Tensor
    mean: Tensor
    variance: Tensor
    edges: Tensor

    @classmethod
    def of(cls, xyb: Tensor) -> _Prepared:
        mean = _blur(xyb)
        return cls(xyb, mean, _blur(xyb * xyb) - mean * mean, 1.0 + (xyb - mean).abs())

    def errors(self, xyb: Tensor) -> Tensor:
        """(3 channels, 2 norms, 3 maps) float64 of the decoded picture at this scale."""
        other = _Prepared.of(xyb)
        covariance = _blur(self.xyb * xyb) - self.mean * other.mean
        luminance = 1.0 - (self.mean - other.mean).square()
        contrast = (2.0 * covariance + _STEADY) / (self.variance + other.variance + _STEADY)
        structure = (1.0 - luminance * contrast).clamp_(min=0.0)
        edges = other.edges / self.edges - 1.0
        maps = torch.stack([structure, edges.clamp(min=0.0), (-edges).clamp_(min=0.0)], dim=1)
        means = maps.mean(dim=(2, 3)).double()
        fourth = maps.square_().square_().mean(dim=(2, 3)).double().pow(0.25)
        return torch.stack([means, fourth], dim=1)


def _score(errors: list[Tensor]) -> float:
    """Errors of every scale -> the score."""
    in_order = torch.stack(errors, dim=1).flatten()
    # A small picture has fewer scales; like the tool, it takes the first weights there are, channel by channel.
    weights = torch.tensor(WEIGHTS, dtype=torch.float64).flatten()[: len(in_order)]
    total = SCALE * float(in_order @ weights)
    below = sum(factor * total**power for power, factor in enumerate(CUBIC, start=1))
    return 100.0 - 10.0 * below**POWER if below > 0.0 else 100.0


class Ssimulacra2(AbstractMetric):
    """SSIMULACRA2 as its C++ tool computes it."""

    name = "ssimulacra2"
    direction = Direction.HIGHER
    unit = "1"
    version = "2.1"
    smallest_side = _SMALLEST_SIDE

    def prepare(self, original_u8: Picture) -> Comparison:
        with torch.inference_mode():
            original = [_Prepared.of(xyb) for xyb in _scales(original_u8)]

        @torch.inference_mode()
        def compare(decoded_u8: Picture) -> float:
            decoded = _scales(decoded_u8)
            return _score([ours.errors(theirs) for ours, theirs in zip(original, decoded, strict=True)])

        return compare
