"""Autoencoders whose latents are numbers: a grid of ordered channels, and one vector for a whole picture.

    grid:   x -> 1/4 -> 1/8 -> y, in steps of 1;  round(y), the first c channels -> 1/8 -> 1/4 -> x_hat
    vector: x -> 1/4 .. 1/32 -> z;  round(z / step) step, and the step -> 1/32 .. 1/4 -> x_hat

They are the corrected second and first approach of Generative Compression: an autoencoder whose channel count sets the
rate, and a generator of a latent vector. Layers are those of the token pyramid (wisp.train.layers): a linear path from
pixels to latent and back, with residual blocks beside it, and no normalisation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wisp.train.latent_configs import GridConfig, VectorConfig
from wisp.train.latent_rate import GaussianRate, MixtureRate
from wisp.train.layers import Upsample, blocks, initialise
from wisp.train.networks import SmoothHead

# Natural logarithms of how many steps a latent of unit amplitude starts with: coarse where training has one step only.
GRID_GAIN = 0.7
VECTOR_GAIN = 3.0


class Coded(NamedTuple):
    """A batch through an autoencoder.

    Attributes:
        x_hat: (B, 3, H, W), nominally -1..1.
        sent: (B, C, h, w) what the synthesis was given, zero where nothing was sent; a vector has h = w = 1.
        bits: (B,) of all that was sent.
    """

    x_hat: Tensor
    sent: Tensor
    bits: Tensor


class _Scaled(nn.Module):
    """Latents in units of the network to steps and back, by a gain for each channel."""

    def __init__(self, channels: int, log_gain: float) -> None:
        super().__init__()
        self.log_gain = nn.Parameter(torch.full((channels,), log_gain))

    def gain(self, latent: Tensor) -> Tensor:
        """Shaped to multiply a latent (B, C) or (B, C, h, w)."""
        return self.log_gain.exp().view(1, -1, *[1] * (latent.dim() - 2))


class GridAnalysis(_Scaled):
    """x (B, 3, H, W) in -1..1, sides multiples of 8 -> y (B, C, H / 8, W / 8) in steps."""

    def __init__(self, config: GridConfig) -> None:
        super().__init__(config.channels, GRID_GAIN)
        fine, coarse = config.widths
        self.stem = nn.Conv2d(48, fine, 3, padding=1)
        self.blocks4 = blocks(fine, config.analysis_blocks[0])
        self.down8 = nn.Conv2d(fine, coarse, 4, stride=2, padding=1)
        self.blocks8 = blocks(coarse, config.analysis_blocks[1])
        self.out = nn.Conv2d(coarse, config.channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.blocks4(self.stem(F.pixel_unshuffle(x, 4)))
        y = self.out(self.blocks8(self.down8(h))).float()
        return y * self.gain(y)


class GridSynthesis(_Scaled):
    """y (B, C, h, w) in steps, zero beyond the channels sent, and their share (B, 1, h, w) -> x_hat (B, 3, 8h, 8w)."""

    def __init__(self, config: GridConfig) -> None:
        super().__init__(config.channels, GRID_GAIN)
        fine, coarse = config.widths
        self.in8 = nn.Conv2d(config.channels + 1, coarse, 3, padding=1)
        self.blocks8 = blocks(coarse, config.synthesis_blocks[1])
        self.up4 = Upsample(coarse, fine)
        self.blocks4 = blocks(fine, config.synthesis_blocks[0])
        self.head = SmoothHead(fine)

    def forward(self, y: Tensor, share: Tensor) -> Tensor:
        h = self.blocks8(self.in8(torch.cat([y / self.gain(y), share], 1)))
        x_hat: Tensor = self.head(self.blocks4(self.up4(h)))
        return x_hat


class GridAutoencoder(nn.Module):
    """Analysis, factorised rate and synthesis of a latent grid."""

    stride = 8

    def __init__(self, config: GridConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis, self.synthesis = GridAnalysis(config), GridSynthesis(config)
        self.rate = MixtureRate(config.channels)
        initialise(self)

    def code(self, x: Tensor, count: Tensor) -> Coded:
        """x with the first `count` (B,) int64 channels sent; rounding by straight-through, bits by added noise.

        Mixing the two is Minnen and Singh 2020, section 3: what is shown is what a reader shows.
        """
        y = self.analysis(x)
        sent = torch.arange(self.config.channels, device=y.device)[None] < count[:, None]
        mask = sent[:, :, None, None].float()
        with torch.autocast(device_type=x.device.type, enabled=False):
            noisy = y + (torch.rand_like(y) - 0.5)
            bits = (self.rate.bits(noisy) * mask).sum((1, 2, 3))
        return Coded(self.decode(straight_through(y), mask), y * mask, bits)

    def decode(self, y: Tensor, mask: Tensor) -> Tensor:
        """y (B, C, h, w) in steps and which channels are sent (B, C, 1, 1) -> x_hat."""
        share = mask.mean(1, keepdim=True).expand(-1, 1, *y.shape[2:])
        x_hat: Tensor = self.synthesis(y * mask, share)
        return x_hat


class VectorAnalysis(_Scaled):
    """x (B, 3, S, S) in -1..1 -> z (B, n)."""

    def __init__(self, config: VectorConfig) -> None:
        super().__init__(config.dimensions, VECTOR_GAIN)
        fine, middle, coarse = config.widths
        self.stem = nn.Conv2d(48, fine, 3, padding=1)
        self.blocks4 = blocks(fine, config.analysis_blocks[0])
        self.down8 = nn.Conv2d(fine, middle, 4, stride=2, padding=1)
        self.blocks8 = blocks(middle, config.analysis_blocks[1])
        self.down16 = nn.Conv2d(middle, coarse, 4, stride=2, padding=1)
        self.blocks16 = blocks(coarse, config.analysis_blocks[2])
        self.down32 = nn.Conv2d(coarse, config.seed_channels, 4, stride=2, padding=1)
        self.out = nn.Conv2d(config.seed_channels, config.dimensions, config.seed_side)

    def forward(self, x: Tensor) -> Tensor:
        h = self.blocks4(self.stem(F.pixel_unshuffle(x, 4)))
        h = self.blocks16(self.down16(self.blocks8(self.down8(h))))
        z = self.out(self.down32(h)).float().flatten(1)
        return z * self.gain(z)


class VectorSynthesis(_Scaled):
    """z (B, n) and log2 of the step it was rounded to (B, 1), -inf not allowed -> x_hat (B, 3, S, S)."""

    def __init__(self, config: VectorConfig) -> None:
        super().__init__(config.dimensions, VECTOR_GAIN)
        fine, middle, coarse = config.widths
        self.seed_channels, side = config.seed_channels, config.seed_side
        self.spread = nn.Conv2d(config.dimensions + 1, config.seed_channels * side**2, 1)
        self.shuffle = nn.PixelShuffle(side)
        self.up16 = Upsample(config.seed_channels, coarse)
        self.blocks16 = blocks(coarse, config.synthesis_blocks[2])
        self.up8 = Upsample(coarse, middle)
        self.blocks8 = blocks(middle, config.synthesis_blocks[1])
        self.up4 = Upsample(middle, fine)
        self.blocks4 = blocks(fine, config.synthesis_blocks[0])
        self.head = SmoothHead(fine)

    def forward(self, z: Tensor, log_step: Tensor) -> Tensor:
        seed = torch.cat([z / self.gain(z), log_step], 1)[:, :, None, None]
        h = self.blocks16(self.up16(self.shuffle(self.spread(seed))))
        h = self.blocks4(self.up4(self.blocks8(self.up8(h))))
        x_hat: Tensor = self.head(h)
        return x_hat


class VectorAutoencoder(nn.Module):
    """Analysis, Gaussian rate and generator of a latent vector."""

    def __init__(self, config: VectorConfig) -> None:
        super().__init__()
        self.config, self.stride = config, config.side
        self.analysis, self.synthesis = VectorAnalysis(config), VectorSynthesis(config)
        self.rate = GaussianRate(config.dimensions)
        initialise(self)

    def code(self, x: Tensor, step: Tensor) -> Coded:
        """x with its latent in multiples of `step` (B,); as with a grid."""
        z = self.analysis(x)
        step = step[:, None]
        with torch.autocast(device_type=x.device.type, enabled=False):
            noisy = z + step * (torch.rand_like(z) - 0.5)
            bits = self.rate.bits(noisy, step).sum(1)
        x_hat = self.synthesis(straight_through(z / step) * step, step.log2())
        return Coded(x_hat, z[:, :, None, None], bits)

    def sample(self, step: Tensor) -> Coded:
        """Pictures of latents drawn from the prior, in multiples of `step` (B,); bits are zero."""
        z = self.rate.sample(len(step))
        step = step[:, None]
        x_hat = self.synthesis((z / step).round() * step, step.log2())
        return Coded(x_hat, z[:, :, None, None], torch.zeros_like(step[:, 0]))


LatentNetwork = GridAutoencoder | VectorAutoencoder


def new_latent_network(config: GridConfig | VectorConfig) -> LatentNetwork:
    """An untrained network of a shape."""
    return GridAutoencoder(config) if isinstance(config, GridConfig) else VectorAutoencoder(config)


def straight_through(y: Tensor) -> Tensor:
    """Rounded, with the gradient of the identity (Bengio et al. 2013)."""
    return y + (y.round() - y).detach()
