"""A small network that tells how far one picture looks from another, region by region.

The form is that of LPIPS (Zhang et al. 2018, section 3.1): features of both at several scales, made unit vectors at
every position, squared differences of channels, weighted, summed and averaged. Here the features are learned as the
weights are, from distances that larger networks found (wisp.train.distance_loop).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (24, 48, 80, 96)  # at 1/2, 1/4, 1/8 and 1/16 of the size
REFINED = (1, 2)  # of these, with a second convolution
SMALLEST_SIDE = 16  # of a region, in pixels: one position of the coarsest features
EPSILON = 1e-2  # added to a feature's squared length: where there is nothing to see there is no distance


class DistanceNetwork(nn.Module):
    """4,000 multiplications a pixel of each picture, 195,000 parameters."""

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        sizes = [3, *channels]
        self.steps = nn.ModuleList(
            nn.Conv2d(before, after, 3 if scale else 5, stride=2, padding=1 if scale else 2)
            for scale, (before, after) in enumerate(pairwise(sizes))
        )
        self.refinements = nn.ModuleDict(
            {str(scale): nn.Conv2d(channels[scale], channels[scale], 3, padding=1) for scale in REFINED}
        )
        self.logits = nn.ParameterList(nn.Parameter(torch.full((count,), -2.0)) for count in channels)

    def features(self, x: Tensor) -> list[Tensor]:
        """x (B, 3, H, W) in -1..1, sides multiples of 32 -> maps of unit vectors, fine to coarse, float32."""
        maps = []
        for scale, step in enumerate(self.steps):
            x = F.relu(step(x))
            if scale in REFINED:
                x = x + F.relu(self.refinements[str(scale)](x))
            wide = x.float()
            maps.append(wide * (wide.square().sum(1, keepdim=True) + EPSILON).rsqrt())
        return maps

    def weight(self, scale: int) -> Tensor:
        """(C,) what a squared difference of each channel counts; above 0."""
        return F.softplus(cast(Tensor, self.logits[scale]))

    def compare(self, wanted: Sequence[Tensor], found: Sequence[Tensor], side: int = 32) -> Tensor:
        """Feature maps of two batches -> (B, H / side, W / side) distances, 0 for equal regions."""
        total = wanted[0].new_zeros(())
        for scale, (u, v) in enumerate(zip(wanted, found, strict=True)):
            difference = ((u - v).square() * self.weight(scale)[:, None, None]).sum(1, keepdim=True)
            total = total + F.avg_pool2d(difference, side >> (scale + 1))[:, 0]
        return total

    def forward(self, x: Tensor, x_hat: Tensor, side: int = 32) -> Tensor:
        return self.compare(self.features(x), self.features(x_hat), side)
