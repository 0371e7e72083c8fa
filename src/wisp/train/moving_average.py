"""The weights that are released: an exponential moving average of those that learn."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of the parameters that learn; buffers (codebooks average themselves) are copied.

    Frozen ones are left alone: even a mean of equals may turn -0 into 0, and so change an exported file.
    """
    pairs = zip(average.parameters(), model.parameters(), strict=True)
    learning = [(ours, theirs) for ours, theirs in pairs if theirs.requires_grad]
    torch._foreach_lerp_([ours for ours, _ in learning], [theirs for _, theirs in learning], 1 - decay)
    for ours, theirs in zip(average.buffers(), model.buffers(), strict=True):
        ours.copy_(theirs)
