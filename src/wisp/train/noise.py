"""Noise for the synthesis: what it needs to make texture that does not repeat.

Convolutions and pixel shuffles make of constant features nothing but a pattern of the shuffles' period, so a
synthesis that is asked for texture weaves a cloth of four pixels. A plane of fixed numbers, added where a gate of the
features lets it through, gives it something irregular to make texture of (Karras et al. 2019, StyleGAN, section 3.2,
draws such planes anew each time). The numbers are those of every reader: SHAKE-256, a byte each, in a square that
repeats after 128 pixels, or after 512 where features are at 1/8 and coarser: larger shapes are more easily seen to
repeat. A part of a picture says where it lies (its *origin*), so that tiles agree with the whole.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

PERIODS = {2: 128, 4: 128, 8: 512, 16: 512}  # pixels, by size
CHANNELS = 8
UNIT = np.float32(1 / 74)  # of a level, so that levels -128..127 have a variance of 1
FIRST_GATE = 0.1


def noise_levels(size: int) -> NDArray[np.int8]:
    """(CHANNELS, period / size, period / size), for features at 1/size of the picture's size."""
    side = PERIODS[size] // size
    raw = hashlib.shake_256(b"wisp noise %d" % size).digest(CHANNELS * side * side)
    return np.frombuffer(raw, np.uint8).view(np.int8).reshape(CHANNELS, side, side)


class NoiseGate(nn.Module):
    """x + gate(x) * mix(noise); shapes (B, C, h, w), at 1/size of the picture's size.

    While training the origin is anywhere, or the synthesis would learn the numbers by heart.
    """

    plane: Tensor

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.gate = nn.Conv2d(channels, channels, 1)
        self.mix = nn.Conv2d(CHANNELS, channels, 1)
        plane = torch.from_numpy(noise_levels(size).astype(np.float32) * UNIT)
        self.register_buffer("plane", plane, persistent=False)

    @torch.no_grad()
    def start(self) -> None:
        """Nearly closed: the noise is hardly seen, but its gradient is."""
        self.gate.weight.zero_()
        assert self.gate.bias is not None
        self.gate.bias.fill_(FIRST_GATE)

    def forward(self, x: Tensor) -> Tensor:
        side = self.plane.shape[-1]
        top, left = (int(v) for v in torch.randint(0, side, (2,))) if self.training else (0, 0)
        rows = (torch.arange(x.shape[2], device=x.device) + top) % side
        columns = (torch.arange(x.shape[3], device=x.device) + left) % side
        here = self.plane[:, rows][:, :, columns][None].to(x.dtype)
        y: Tensor = x + self.gate(x) * self.mix(here)
        return y
