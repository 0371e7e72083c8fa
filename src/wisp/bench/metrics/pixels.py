"""8-bit pictures as the networks take them."""

from __future__ import annotations

import torch
from torch import Tensor

from wisp.bench.metrics.metric import Picture


def to_tensor(picture_u8: Picture) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32, still 0..255.

    In memory the channels stay last, in which order convolutions of few channels are more than twice as fast.
    """
    return torch.tensor(picture_u8).permute(2, 0, 1)[None].float()


def to_unit(picture_u8: Picture) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 in 0..1, channels last in memory."""
    return to_tensor(picture_u8) / 255.0
