"""Latents at a fixed place and size, so that codebooks can follow them.

Nothing else pins a latent: the synthesis undoes any shift and any factor, so both wander, and with a
perceptual loss they grew until codebooks that average over a hundred steps lagged behind and training fell
apart (docs/experiments.md). Subtracting a running mean and dividing by one running deviation leaves that
freedom without effect, and the gradient loses the two directions in which it would drive them. One factor for
all channels keeps the geometry in which codewords are compared; where each group of a product quantizer owns a slice
of the channels, one factor a slice does so, and keeps the slices that are often dropped from fading beside the first,
which otherwise grew without end (docs/experiments.md). As in batch normalisation (Ioffe and Szegedy
2015, section 3.1) the running values are constants once trained, and export folds them into the convolution
before; unlike there, they are never those of the batch at hand, whose few skies and walls would shift its
brightness.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DECAY = 0.99
LIMIT = 12.0  # standard deviations: a bounded latent, whatever the picture


def _without_drift(y: Tensor, slices: int) -> Tensor:
    """y unchanged, (B, D, h, w); its gradient without the parts that would shift channels or scale a whole slice."""
    shift = y.mean((0, 2, 3), keepdim=True)
    square = (y - y.detach().mean((0, 2, 3), keepdim=True)).square()
    size = _slice_means(square, slices).sqrt().clamp_min(1e-3)
    return (y - shift + shift.detach()) * (size.detach() / size)


def _slice_means(values: Tensor, slices: int) -> Tensor:
    """(B, D, h, w) -> the mean of all, or of each of several slices of the channels as (1, D, 1, 1)."""
    if slices == 1:
        return values.mean()
    means = values.mean((0, 2, 3)).view(slices, -1).mean(1)
    return means.repeat_interleave(values.shape[1] // slices).view(1, -1, 1, 1)


class LatentNorm(nn.Module):
    """x (B, D, h, w) -> ((x - mean) / deviation) within -12..12, float32; follows x slowly in training mode.

    One deviation for all channels, () float32, or one for each of `slices` equal slices of them, (D, 1, 1) float32.
    """

    mean: Tensor
    deviation: Tensor
    initialised: Tensor

    def __init__(self, channels: int, slices: int = 1) -> None:
        super().__init__()
        self.slices = slices
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones((channels, 1, 1) if slices > 1 else ()))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        if self.training:
            self._follow(x.detach())
        y = (x - self.mean.view(1, -1, 1, 1)) / self.deviation
        if self.training:
            y = _without_drift(y, self.slices)
        return y.clamp(-LIMIT, LIMIT)

    @torch.no_grad()
    def _follow(self, x: Tensor) -> None:
        rate = 1 - DECAY if bool(self.initialised) else 1.0
        self.mean.lerp_(x.mean((0, 2, 3)), rate)
        variance = _slice_means((x - self.mean.view(1, -1, 1, 1)).square(), self.slices)
        variance = variance.view(self.deviation.shape)
        self.deviation.copy_((self.deviation.square() * (1 - rate) + variance * rate).sqrt().clamp_min(1e-3))
        self.initialised.fill_(True)

    def folded(self, layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution before with the normalisation inside."""
        assert layer.bias is not None
        deviation = self.deviation.unsqueeze(1) if self.slices > 1 else self.deviation
        return layer.weight / deviation, (layer.bias - self.mean) / self.deviation.squeeze()

    @torch.no_grad()
    def fold_into(self, layer: nn.Conv2d) -> None:
        """Move the normalisation into the convolution before for good; what comes out stays the same."""
        weight, bias = self.folded(layer)
        assert layer.bias is not None
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
        self.mean.zero_()
        self.deviation.fill_(1.0)
