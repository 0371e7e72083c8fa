"""Distance of the texture statistics of Darknet "Tiny".

Range 0..2, above 1 hardly ever; lower is better, 0 for equal pictures. Computed on sRGB in 0..1. For the picture
and the maps after convolutions 2, 4, ... 14: how alike are each channel's mean and its (co)variance over the
whole map; 1 minus the mean of both over channels, then over taps. Source: the form of DISTS, Ding et al., "Image
quality assessment: unifying structure and texture similarity", IEEE TPAMI 2020, section 3, every channel and tap
weighing the same, over another network; its values are comparable with nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wisp.bench.metrics.darknet_tiny import AbstractDarknetMetric
from wisp.bench.metrics.metric import Comparison, Direction, Picture

_STEADY = 1e-6


@dataclass(frozen=True, eq=False)
class MapStatistics:
    """One map and its moments.

    Attributes:
        centred: (positions, C) float32, less the mean.
        mean, variance: (C,) float64.
    """

    centred: Tensor
    mean: Tensor
    variance: Tensor


@torch.inference_mode()
def map_statistics(features: Tensor) -> MapStatistics:
    """Of a (1, C, h, w) map."""
    positions = features.permute(0, 2, 3, 1).flatten(0, 2)
    mean = positions.mean(dim=0)
    centred = positions - mean
    return MapStatistics(centred, mean.double(), centred.square().mean(dim=0).double())


@torch.inference_mode()
def dissimilarity(original: Sequence[MapStatistics], decoded: Sequence[MapStatistics]) -> float:
    """1 - mean over maps of the mean over channels of the similarity of means and of (co)variances."""
    similarity = 0.0
    for ours, theirs in zip(original, decoded, strict=True):
        covariance = (ours.centred * theirs.centred).mean(dim=0).double()
        brightness = (2 * ours.mean * theirs.mean + _STEADY) / (
            ours.mean.square() + theirs.mean.square() + _STEADY
        )
        structure = (2 * covariance + _STEADY) / (ours.variance + theirs.variance + _STEADY)
        similarity += (brightness + structure).mean().item() / 2
    return 1.0 - similarity / len(original)


class TextureDistance(AbstractDarknetMetric):
    """DISTS with equal weights over Darknet Tiny."""

    name = "texture_distance"
    direction = Direction.LOWER

    def prepare(self, original_u8: Picture) -> Comparison:
        original = self._statistics(original_u8)
        return lambda decoded_u8: dissimilarity(original, self._statistics(decoded_u8))

    def _statistics(self, picture_u8: Picture) -> list[MapStatistics]:
        return [map_statistics(tap) for tap in self._network.response(picture_u8).taps]
