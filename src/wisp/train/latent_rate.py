"""Bits of latents in training: differentiable stand-ins for the integer tables of a bundle.

Adding uniform noise of a step's width makes the density at a point the probability of a rounded value (Balle et al.
2017, section 3). The tables that files are coded with are counted anew at export (wisp.train.latent_export).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 1e-9  # probability: beyond it the logarithm has no gradient that would help
PARTS = 3


class MixtureRate(nn.Module):
    """Each channel's steps as a mixture of three logistic distributions; channels and positions are independent."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.linspace(-4, 4, PARTS).repeat(channels, 1))
        self.log_scales = nn.Parameter(torch.full((channels, PARTS), 1.0))
        self.logits = nn.Parameter(torch.zeros(channels, PARTS))

    def bits(self, y: Tensor) -> Tensor:
        """y (B, C, h, w) in steps -> bits of each number, of the same shape."""
        y = y[:, :, None]
        means, scales, weights = (
            part[None, :, :, None, None]
            for part in (self.means, self.log_scales.exp().clamp(min=0.05), F.softmax(self.logits, 1))
        )
        mass = torch.sigmoid((y + 0.5 - means) / scales) - torch.sigmoid((y - 0.5 - means) / scales)
        # far from all parts sigmoids round to the same value: a heavy tail keeps the way back
        tail = 1e-4 / (1 + (y.squeeze(2) / 16).square())
        return -torch.log2((weights * mass).sum(2) + tail)


class GaussianRate(nn.Module):
    """Each dimension's numbers as a Gaussian around zero, in steps of any size."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.log_scales = nn.Parameter(torch.full((dimensions,), 1.0))

    def bits(self, z: Tensor, step: Tensor) -> Tensor:
        """z (B, n), step (B, 1) -> bits of each number (B, n)."""
        return gaussian_mass_bits(z, step, self.log_scales.exp()[None])

    def sample(self, count: int) -> Tensor:
        """(count, n) latents of the prior."""
        scales = self.log_scales.detach().exp()
        return scales * torch.randn(count, len(scales), device=scales.device)


def gaussian_mass_bits(z: Tensor, step: Tensor, spreads: Tensor) -> Tensor:
    """Bits of numbers z (B, n) in intervals of a step (B, 1) under Gaussians around zero (1, n)."""
    # on the negative side the error function keeps its digits
    near, far = (step / 2 - z.abs()) / spreads, (-step / 2 - z.abs()) / spreads
    mass = torch.special.ndtr(near) - torch.special.ndtr(far)
    tail = 1e-3 * LEAST + 1e-5 / (1 + (z / (8 * spreads)).square())
    return -torch.log2(mass + tail * torch.clamp(step / spreads, max=1.0))
