"""The generator of a progressive GAN: latents to pictures (Karras et al. 2018, "Progressive Growing of GANs").

Weights are those of pytorch_GAN_zoo's checkpoints, which `wisp.train.generators.pgan_checkpoint` reads. In those, a
layer's output, *bias included*, is multiplied by sqrt(2 / fan_in), for every layer alike; the paper scales the weights
only. The factor is folded into weight and bias once, when they are loaded. Only the last scale's colours are shown:
blending with the scale below, which belongs to training, is left out.

The latent is brought to a mean square of 1 first, so that only its direction matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wisp.train.generators.pgan_checkpoint import PganWeights, find_checkpoint, read_weights

LEAK = 0.2
EPSILON = 1e-8  # beside the mean square
FIRST_SIDE = 4


class Scale(nn.Module):
    """(B, C, h, w) to (B, width, 2h, 2w): nearest neighbours, then two convolutions."""

    def __init__(self, below: int, width: int) -> None:
        super().__init__()
        self.first = _conv3x3(below, width)
        self.second = _conv3x3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return _activate(self.second(_activate(self.first(x))))


class PganGenerator(nn.Module):
    """Latents (B, latent_dim) float32 to pictures (B, 3, H, W) float32 from -1 to 1.

    Attributes:
        latent_dim: numbers in a latent, 512 in the published models.
        side: H = W, 4 x 2^scales.
        digest: hexadecimal SHA-256 of the file that the weights are from; empty without one.
    """

    def __init__(self, latent_dim: int, widths: Sequence[int], digest: str = "") -> None:
        """widths: channels at sides 4, 8, 16 and so on."""
        super().__init__()
        self.latent_dim = latent_dim
        self.side = FIRST_SIDE << (len(widths) - 1)
        self.digest = digest
        self.spread = nn.Linear(latent_dim, FIRST_SIDE**2 * widths[0])
        self.first = _conv3x3(widths[0], widths[0])
        self.scales = nn.Sequential(*(Scale(below, width) for below, width in pairwise(widths)))
        self.colours = nn.Conv2d(widths[-1], 3, 1)

    def unbounded(self, latents: Tensor) -> Tensor:
        """Pictures before they are cut to -1..1: for optimisation, where a gradient must pass beyond the ends."""
        x = F.leaky_relu(self.spread(_pixel_norm(latents)), LEAK)
        x = _pixel_norm(x.unflatten(1, (-1, FIRST_SIDE, FIRST_SIDE)))
        x = _activate(self.first(x))
        pictures: Tensor = self.colours(self.scales(x))
        return pictures

    def forward(self, latents: Tensor) -> Tensor:
        return self.unbounded(latents).clamp(-1, 1)


def load_pgan(source: str | Path, *, download: bool = True) -> PganGenerator:
    """A frozen generator in evaluation mode, on the CPU.

    Args:
        source: celebAHQ-256 or celebAHQ-512, or the path of a checkpoint in the same layout.
        download: whether weights of a known name may be fetched where they are not there yet.

    Raises:
        ModelNotFound: no such file, and it could not be fetched; the message says where to put it.
        ModelMismatch: another file than its name says, or not such a checkpoint.
    """
    return build(read_weights(find_checkpoint(source, download=download)))


def build(weights: PganWeights) -> PganGenerator:
    """The generator that has these weights, frozen, with the factor of each layer folded in."""
    generator = PganGenerator(weights.latent_dim, weights.widths, weights.digest)
    _fold(generator.spread, weights, "formatLayer")
    _fold(generator.first, weights, "groupScale0.0")
    for i, scale in enumerate(generator.scales):
        assert isinstance(scale, Scale)
        _fold(scale.first, weights, f"scaleLayers.{i}.0")
        _fold(scale.second, weights, f"scaleLayers.{i}.1")
    _fold(generator.colours, weights, f"toRGBLayers.{len(weights.widths) - 1}")
    return generator.eval().requires_grad_(False)


@torch.no_grad()
def _fold(layer: nn.Module, weights: PganWeights, name: str) -> None:
    """sqrt(2 / fan_in) times a stored weight and bias, into the layer."""
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    factor = math.sqrt(2 / layer.weight[0].numel())
    layer.weight.copy_(weights.tensors[f"{name}.weight"] * factor)
    layer.bias.copy_(weights.tensors[f"{name}.bias"] * factor)  # type: ignore[union-attr]


def _conv3x3(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1)


def _pixel_norm(x: Tensor) -> Tensor:
    """Each position's channels over the root of their mean square."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


def _activate(x: Tensor) -> Tensor:
    return _pixel_norm(F.leaky_relu(x, LEAK))
