"""Layers of the masked prior in the arithmetic of the deployed network, simulated in float32.

All tensors hold integers. A unit is 16: activations live in -127..127, weights are round(parameter * 2^shift) in
-127..127, and a layer ends with a division by 2^shift that rounds down. Rounding and flooring pass gradients
through unchanged (Bengio et al. 2013), so what is trained is what will run.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UNIT = 16  # one nat of a logit, or 1.0 of an activation
PEAK = 127  # largest magnitude of weights and activations
EXACT = 1 << 24  # float32 holds every integer up to here
BIAS_LIMIT = 1 << 22


def through(exact: Tensor, smooth: Tensor) -> Tensor:
    """The value of `exact` with the gradient of `smooth`."""
    return smooth + (exact - smooth).detach()


class IntegerConv(nn.Module):
    """Convolution with int8 weights and an integer bias, divided by 2^shift with a floor; no clipping."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, shift: int, spread: float, depthwise: bool = False
    ):
        super().__init__()
        self.shift, self.kernel, self.groups = shift, kernel, inputs if depthwise else 1
        fan_in = (1 if depthwise else inputs) * kernel**2
        shape = (outputs, 1 if depthwise else inputs, kernel, kernel)
        self.weight = nn.Parameter(torch.randn(shape) * spread / fan_in**0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def integers(self) -> tuple[Tensor, Tensor]:
        """Weights and bias as integer-valued floats, with gradients."""
        scaled = (self.weight * (1 << self.shift)).clamp(-PEAK, PEAK)
        bias = (self.bias * (UNIT << self.shift) + (1 << self.shift) / 2).clamp(-BIAS_LIMIT, BIAS_LIMIT)
        return through(scaled.detach().round(), scaled), through(bias.detach().round(), bias)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.integers()
        total = F.conv2d(x, weight, bias, padding=self.kernel // 2, groups=self.groups)
        scaled = total * 2.0**-self.shift
        return through(scaled.detach().floor(), scaled)


class IntegerEmbedding(nn.Module):
    """Rows of int8: token -> vector."""

    def __init__(self, rows: int, width: int):
        super().__init__()
        self.table = nn.Parameter(torch.randn(rows, width) * 0.3)

    def integers(self) -> Tensor:
        """(rows, width) integer-valued, with gradients."""
        scaled = (self.table * UNIT).clamp(-PEAK, PEAK)
        return through(scaled.detach().round(), scaled)

    def forward(self, index: Tensor) -> Tensor:
        """(B, h, w) int64 -> (B, width, h, w)."""
        return F.embedding(index, self.integers()).permute(0, 3, 1, 2)


def clip(x: Tensor) -> Tensor:
    """To -127..127."""
    return x.clamp(-PEAK, PEAK)


class PriorBlock(nn.Module):
    """x + contract(relu(expand(depthwise 5x5(x)))), clipped after every step."""

    RADIUS = 2

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.spatial = IntegerConv(width, width, 5, shift=6, spread=1.0, depthwise=True)
        self.expand = IntegerConv(width, hidden, 1, shift=7, spread=1.4)
        self.contract = IntegerConv(hidden, width, 1, shift=7, spread=0.3)

    def forward(self, x: Tensor) -> Tensor:
        inner = clip(self.spatial(x))
        inner = self.expand(inner).clamp(0, PEAK)
        return clip(x + self.contract(inner))
