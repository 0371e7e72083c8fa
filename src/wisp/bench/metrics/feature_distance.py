"""Distance of the features of Darknet "Tiny".

Range 0..4, above 1 hardly ever; lower is better, 0 for equal pictures. Computed on sRGB in 0..1. At convolutions
2, 4, ... 14 the features of every position are scaled to unit length over channels; their squared distance is
averaged over positions, then over the seven taps. Source: the unweighted form of LPIPS, Zhang et al., "The
unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018, section 3, over another network;
its values are comparable with nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wisp.bench.metrics.darknet_tiny import AbstractDarknetMetric
from wisp.bench.metrics.metric import Comparison, Direction, Picture
from wisp.bench.metrics.weight_file import unit_length

_FLOOR = 1e-8


@torch.inference_mode()
def unit_features(taps: Sequence[Tensor]) -> list[Tensor]:
    """Each (1, C, h, w) map with unit length over channels."""
    return [unit_length(tap, _FLOOR) for tap in taps]


@torch.inference_mode()
def mean_square_distance(original: Sequence[Tensor], decoded: Sequence[Tensor]) -> float:
    """Mean over taps of the mean over positions of the squared distance over channels."""
    distances = [
        (ours - theirs).square_().sum(dim=1).mean().item()
        for ours, theirs in zip(original, decoded, strict=True)
    ]
    return sum(distances) / len(distances)


class FeatureDistance(AbstractDarknetMetric):
    """Unweighted LPIPS over Darknet Tiny."""

    name = "feature_distance"
    direction = Direction.LOWER

    def prepare(self, original_u8: Picture) -> Comparison:
        # Tap 0 is the picture itself, which has no features.
        original = unit_features(self._network.response(original_u8).taps[1:])

        def compare(decoded_u8: Picture) -> float:
            decoded = unit_features(self._network.response(decoded_u8).taps[1:])
            return mean_square_distance(original, decoded)

        return compare
