"""The layers that both transforms are made of, and how they start.

Everything that changes size or width is linear, and residual blocks stand beside it: the composition of all
linear steps is an unbroken linear path from pixels to latent and back. At the start that path is a random
orthogonal projection, which keeps what it is given; the first steps then turn it towards the principal components
of photographs, which alone are worth more than a deep stack whose every layer is bent. Residual autoencoding (Chen
et al. 2025, DC-AE, section 3.1) makes the same point with fixed shortcuts. docs/experiments.md has the figures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BEND = 0.3  # share of the activation where a head bends its linear path a little
BLOCK_GAIN = 0.1  # residual blocks start nearly closed
CEILING = 8.0  # of an activation inside a residual block; beside a bounded latent it bounds the whole stream
INIT_NOISE = 0.1  # standard deviation beside the orthogonal part, in units of fan_in ** -0.5


def bend(x: Tensor) -> Tensor:
    """x + 0.3 SiLU(x): a path that stays nearly linear."""
    return x + BEND * F.silu(x)


class ResidualBlock(nn.Module):
    """x + conv3x3(min(SiLU(conv3x3(x)), 8)), channels unchanged.

    Without the ceiling nothing bounds a stream of a few blocks: now and then a crop of tokens that training never
    saw together grew from block to block and came out a hundred times brighter than white.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.project(F.silu(self.expand(x)).clamp(max=CEILING))
        return y


def blocks(channels: int, count: int) -> nn.Sequential:
    """A stack of residual blocks."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


class Upsample(nn.Module):
    """1x1 convolution, pixel shuffle by 2."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, 4 * channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), 2)


def _middle(kernel: int) -> list[tuple[int, int]]:
    """The taps at the middle of a kernel: one of an odd kernel, four of an even one."""
    first, last = (kernel - 1) // 2, kernel // 2
    return [(y, x) for y in sorted({first, last}) for x in sorted({first, last})]


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Orthogonal middle taps and a little noise for the linear path, He et al. 2015 inside residual blocks."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
            taps = _middle(layer.kernel_size[0])
            matrix = torch.empty(layer.out_channels, len(taps) * layer.in_channels)
            nn.init.orthogonal_(matrix)
            fan_in = layer.weight[0].numel()
            layer.weight.normal_(std=INIT_NOISE * fan_in**-0.5)
            for tap, (y, x) in enumerate(taps):
                layer.weight[:, :, y, x] += matrix[:, tap * layer.in_channels :][:, : layer.in_channels]
    for layer in module.modules():
        if isinstance(layer, ResidualBlock):
            nn.init.kaiming_normal_(layer.expand.weight)
            nn.init.kaiming_normal_(layer.project.weight)
            layer.project.weight.mul_(BLOCK_GAIN)
