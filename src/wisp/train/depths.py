"""Nested dropout over the order of groups: how deep each region of a training crop is sent.

Rippel et al. 2014 drop the tail of an ordered code; here the tail is drawn per crop and moved per region,
so that any grain map the allocation can choose has been seen.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHALLOW_SHARE = 0.12  # crops whose base depth stays inside the coarsest level


def sample_depths(
    batch: int, height: int, width: int, groups: tuple[int, ...], generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Base depths (batch,) and depths of regions (batch, height, width), int64 in 1..sum(groups).

    A crop's base depth is drawn evenly from the end of the coarsest level to the end of the order, or, for a
    small share, from inside the coarsest level. Each region departs from it by a normal step whose scale is
    drawn from 0, 0, 1, 2.
    """
    first, last = groups[0], sum(groups)
    base = torch.randint(first, last + 1, (batch,), generator=generator)
    shallow = torch.rand(batch, generator=generator) < SHALLOW_SHARE
    base = torch.where(shallow, torch.randint(1, max(2, first), (batch,), generator=generator), base)
    scale = (torch.randint(0, 4, (batch, 1, 1), generator=generator) - 1).clamp(min=0).float()
    step = (torch.randn(batch, height, width, generator=generator) * scale).round().long()
    return base, (base[:, None, None] + step).clamp(1, last)
