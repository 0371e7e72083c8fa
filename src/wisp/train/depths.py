"""Nested dropout over the order of groups: how deep each region of a training crop is sent.

Rippel et al. 2014 drop the tail of an ordered code; here the tail is drawn per crop and moved per region,
so that any grain map the allocation can choose has been seen.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sample_depths(
    batch: int, height: int, width: int, num_groups: int, generator: torch.Generator | None = None
) -> Tensor:
    """Depths (batch, height, width) int64 in 1..num_groups.

    A crop's base depth is drawn evenly from 1..num_groups; each region then departs from it by a normal step
    whose scale is drawn from 0, 1, 2.
    """
    base = torch.randint(1, num_groups + 1, (batch,), generator=generator)
    scale = torch.randint(0, 3, (batch, 1, 1), generator=generator).float()
    step = (torch.randn(batch, height, width, generator=generator) * scale).round().long()
    return (base[:, None, None] + step).clamp(1, num_groups)
