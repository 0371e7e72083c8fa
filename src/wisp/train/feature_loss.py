"""Perceptual loss: distance of unit-length features in a small classifier, on a shifting grid.

The form is LPIPS without learned weights (Zhang et al. 2018, "baseline"). Networks: the Darknet reference
classifier (convolutions 1-5) and VGG-19 up to relu3_4, read from a folder of safetensors files. Networks
that the bench measures with are refused: a codec trained on its own measure would look good and be bad.

Strided networks see some pixel phases more than others, and a synthesis trained against them grows a
lattice. Each call therefore shifts both pictures by the same random offset, so that no phase is preferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from wisp.errors import UsageError

TRAINING_NETWORKS = ("darknet_reference", "vgg19_relu3_4")
EPSILON = (
    1e-4  # under the root of a feature's length: where there are no features there is no gradient to speak of
)
_VGG_MEAN = (123.68, 116.779, 103.939)


WINDOW = 96


def random_window(x: Tensor, x_hat: Tensor) -> tuple[Tensor, Tensor]:
    """The same square of 96 pixels out of both (B, 3, H, W): for a network too dear for whole crops."""
    top, left = (int(torch.randint(0, max(1, n - WINDOW + 1), ())) for n in x.shape[-2:])
    here = (..., slice(top, top + WINDOW), slice(left, left + WINDOW))
    return x[here], x_hat[here]


@dataclass(frozen=True)
class Compared:
    """Two pictures as a network sees them.

    Attributes:
        distances: (B,) float32, 0 for equal pictures.
        wanted, found: unit-length feature maps (B, C, h, w) of x and of x_hat, fine to coarse; the latter have
            gradients.
        shift: (rows, columns) in pixels, cut off at the top and at the left before the network looked.
        pictures: what it looked at, (B, 3, H, W): of x, and of x_hat with gradients.
    """

    distances: Tensor
    wanted: tuple[Tensor, ...]
    found: tuple[Tensor, ...]
    shift: tuple[int, int]
    pictures: tuple[Tensor, Tensor]


class FeatureLoss(nn.Module):
    """Call with x, x_hat (B, 3, H, W) in -1..1 -> (B,) distances, 0 for equal pictures.

    Raises:
        UsageError: the network is not one that may train, or its file is missing.
    """

    def __init__(self, folder: Path, network: str = "darknet_reference", max_shift: int = 16) -> None:
        super().__init__()
        if network not in TRAINING_NETWORKS:
            raise UsageError(f"expected a training network of {TRAINING_NETWORKS}, found {network!r}")
        path = folder / f"{network}.safetensors"
        if not path.is_file():
            raise UsageError(f"expected feature network weights at {path}; give their folder with --weights")
        self.network, self.max_shift = network, max_shift
        for key, value in load_file(path).items():
            self.register_buffer(key.replace(".", "_"), value.float())

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each feature map, fine to coarse."""
        names = [f"conv{i}" for i in range(1, 6)]
        if self.network == "vgg19_relu3_4":
            names = ["conv1_2", "conv2_2", "conv3_4"]
        return tuple(len(getattr(self, f"{name}_bias")) for name in names)

    def _convolve(self, x: Tensor, layer: str) -> Tensor:
        weight = getattr(self, f"{layer}_weight")
        return F.conv2d(x, weight, getattr(self, f"{layer}_bias"), padding=weight.shape[-1] // 2)

    def taps(self, x: Tensor) -> list[Tensor]:
        """x (B, 3, H, W) in -1..1 -> feature maps, fine to coarse."""
        if self.network == "vgg19_relu3_4":
            mean = torch.tensor(_VGG_MEAN, device=x.device, dtype=x.dtype).view(1, 3, 1, 1)
            h, taps = (x + 1) * 127.5 - mean, []
            for block, count in ((1, 2), (2, 2), (3, 4)):
                if block > 1:
                    h = F.max_pool2d(h, 2, ceil_mode=True)
                for i in range(1, count + 1):
                    h = F.relu(self._convolve(h, f"conv{block}_{i}"))
                taps.append(h)
            return taps
        h, taps = (x + 1) * 0.5, []
        for i in range(1, 6):
            h = F.leaky_relu(self._convolve(h, f"conv{i}"), 0.1)
            taps.append(h)
            if i < 5:
                h = F.max_pool2d(h, 2, ceil_mode=True)
        return taps

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return self.compare(x, x_hat).distances

    def compare(self, x: Tensor, x_hat: Tensor) -> Compared:
        """Distances and the features they come from, for what else wants to look at these."""
        dy, dx = (int(v) for v in torch.randint(0, self.max_shift, (2,)))
        with torch.no_grad():
            wanted = tuple(_unit(u) for u in self.taps(x[..., dy:, dx:]))
        found = self.look(x_hat, (dy, dx))
        total = x.new_zeros(len(x))
        for u, v in zip(wanted, found, strict=True):
            total = total + (u - v).square().sum(1).mean((1, 2))
        pictures = x[..., dy:, dx:], x_hat[..., dy:, dx:]
        return Compared(total / len(wanted), wanted, found, (dy, dx), pictures)

    def look(self, x: Tensor, shift: tuple[int, int]) -> tuple[Tensor, ...]:
        """Unit-length feature maps of x, cut by `shift` first, fine to coarse."""
        return tuple(_unit(v) for v in self.taps(x[..., shift[0] :, shift[1] :]))


@torch.no_grad()
def unit_features(network: FeatureLoss, x: Tensor) -> tuple[Tensor, ...]:
    """Unit-length feature maps of x (B, 3, H, W) in -1..1, fine to coarse, without gradients."""
    with torch.autocast("cpu", torch.bfloat16, enabled=network.network == "vgg19_relu3_4"):
        return network.look(x, (0, 0))


def _unit(features: Tensor) -> Tensor:
    features = features.float()
    return features * (features.square().sum(1, keepdim=True) + EPSILON).rsqrt()
