"""Nested dropout over the order of groups: how deep each region of a training crop is sent.

Rippel et al. 2014 drop the tail of an ordered code; here the tail is drawn per crop and moved per region,
so that any grain map the allocation can choose has been seen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHALLOW_SHARE = 0.12  # crops whose base depth stays inside the coarsest level


BUSY_SLOPE = 2.0  # at most this many groups more for a region one standard deviation busier than its crop


def busyness(x: Tensor) -> Tensor:
    """How busy each 32x32 region is beside the others of its crop: (B, 3, H, W) -> (B, H/32, W/32), about -2..2."""
    grey = x.mean(1, keepdim=True)
    mean = F.avg_pool2d(grey, 32)
    variance = F.avg_pool2d(grey * grey, 32) - mean * mean
    level = (variance.clamp(min=0) + 1e-4).log()[:, 0]
    return (level - level.mean((1, 2), keepdim=True)) / (level.std((1, 2), keepdim=True) + 0.5)


def sample_depths(
    busy: Tensor, groups: tuple[int, ...], generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Base depths (B,) and depths of regions (B, h, w), int64 in 1..sum(groups), for `busy` (B, h, w).

    A crop's base depth is drawn evenly from the end of the coarsest level to the end of the order, with the
    depths of 0.05-0.2 bpp twice as often; or, for a small share, from inside the coarsest level. A region departs
    from it by how busy it is (as the allocation will have it), times a slope drawn from 0..2, and by a normal
    step whose scale is drawn from 0, 0, 1, 2.
    """
    batch, height, width = busy.shape
    first, last = groups[0], sum(groups)
    weights = torch.ones(last - first + 1)
    weights[1 : groups[1] + 2] = 2.0
    base = first + torch.multinomial(weights, batch, replacement=True, generator=generator)
    shallow = torch.rand(batch, generator=generator) < SHALLOW_SHARE
    base = torch.where(shallow, torch.randint(1, max(2, first), (batch,), generator=generator), base)
    scale = (torch.randint(0, 4, (batch, 1, 1), generator=generator) - 1).clamp(min=0).float()
    slope = BUSY_SLOPE * torch.rand(batch, 1, 1, generator=generator)
    step = torch.randn(batch, height, width, generator=generator) * scale + slope * busy.cpu()
    return base, (base[:, None, None] + step.round().long()).clamp(1, last)
