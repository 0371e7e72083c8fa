"""Nested dropout over the order of groups: how deep each region of a training crop is sent.

Rippel et al. 2014 drop the tail of an ordered code; here the tail is drawn per crop and moved per region,
so that any grain map the allocation can choose has been seen. A model of uniform grain has one depth a crop; in a
share of the crops some of the positions are missing as they are where a file sends a share of the positions only.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wisp.tokens.stages import TILE
from wisp.train.recipe import ModelConfig
from wisp.train.routing import routed_depths

SHALLOW_SHARE = 0.12  # crops whose base depth stays inside the coarsest level
SPARSE_SHARE = 0.2  # crops of a uniform model with positions of which nothing is sent
BUSY_SLOPE = 2.0  # at most this many groups more for a region one standard deviation busier than its crop


def busyness(x: Tensor, side: int = 32) -> Tensor:
    """(B, 3, H, W) -> (B, H/side, W/side), about -2..2: how busy each region is beside the others of its crop."""
    grey = x.mean(1, keepdim=True)
    mean = F.avg_pool2d(grey, side)
    variance = F.avg_pool2d(grey * grey, side) - mean * mean
    level = (variance.clamp(min=0) + 1e-4).log()[:, 0]
    return (level - level.mean((1, 2), keepdim=True)) / (level.std((1, 2), keepdim=True) + 0.5)


def depths_for(x: Tensor, model: ModelConfig) -> tuple[Tensor, Tensor]:
    """Crops x (B, 3, H, W) in -1..1 -> of which kind each is (B,), and depths of its regions (B, rows, columns)."""
    side = model.strides[0]
    if model.grain == "routed":
        seed = int(torch.randint(0, 1 << 62, ()))
        return routed_depths(x, model.strides, np.random.default_rng(seed))
    if model.grain == "uniform":
        return sample_uniform_depths(len(x), x.shape[2] // side, x.shape[3] // side, model.num_groups)
    return sample_depths(busyness(x, side), model.groups)


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
    weights[1 : sum(groups[:2]) - first + 2] = 2.0
    base = first + torch.multinomial(weights, batch, replacement=True, generator=generator)
    shallow = torch.rand(batch, generator=generator) < SHALLOW_SHARE
    base = torch.where(shallow, torch.randint(1, max(2, first), (batch,), generator=generator), base)
    scale = (torch.randint(0, 4, (batch, 1, 1), generator=generator) - 1).clamp(min=0).float()
    slope = BUSY_SLOPE * torch.rand(batch, 1, 1, generator=generator)
    step = torch.randn(batch, height, width, generator=generator) * scale + slope * busy.cpu()
    return base, (base[:, None, None] + step.round().long()).clamp(1, last)


def sample_uniform_depths(
    batch: int, rows: int, columns: int, num_groups: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Kinds of crops (B,) and depths of positions (B, rows, columns), int64 in 0..num_groups, for uniform grain.

    A crop's depth is drawn evenly from 1..num_groups. In a share of the crops only the positions whose rank in the
    4x4 tile of `wisp.tokens.stages` is below k, from 1 to 15, have it, and the others 0. The kind is the depth, plus
    num_groups times 1 to 4 by the quarter that k lies in where positions are missing: crops whose errors compare.
    """
    depth = torch.randint(1, num_groups + 1, (batch,), generator=generator)
    kept = torch.randint(1, 16, (batch,), generator=generator)
    sparse = torch.rand(batch, generator=generator) < SPARSE_SHARE
    kept = torch.where(sparse, kept, 16)
    ranks = torch.from_numpy(TILE.astype("int64")).repeat(-(-rows // 4), -(-columns // 4))[:rows, :columns]
    kind = depth + num_groups * torch.where(sparse, 1 + (kept - 1) // 4, 0)
    return kind, depth[:, None, None] * (ranks[None] < kept[:, None, None])
