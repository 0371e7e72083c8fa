"""Perceptual distances in the feature maps of two small ImageNet networks; 0 for equal pictures.

* LPIPS-squeeze: LPIPS 0.1 with the SqueezeNet 1.1 trunk and its learned channel weights (Zhang et al., "The
  unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018). The trunk is stored in half
  precision, which moves the third digit. Never to be compared with LPIPS of another trunk.
* feature distance: the same construction over Darknet "Tiny" without learned weights.
* texture distance: the statistics of DISTS (Ding et al., "Image quality assessment: unifying structure and
  texture similarity", 2020), every channel of every tap weighing the same, over Darknet "Tiny".

Both networks measure and never train: a codec tuned on its own yardstick would only look good.
The weights are no part of wisp; their folder is an argument or the environment variable WISP_METRIC_WEIGHTS.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from wisp.errors import ModelMismatch, UsageError

WEIGHTS_VARIABLE = "WISP_METRIC_WEIGHTS"
SQUEEZE_FILE = "lpips_squeeze.safetensors"
DARKNET_FILE = "darknet_tiny.safetensors"

# The trunk after its first convolution; a star marks a tap, and that convolution is the first tap.
SQUEEZE_LAYERS = ("pool", "3", "4*", "pool", "6", "7*", "pool", "9*", "10*", "11*", "12*")
SQUEEZE_MEAN = (-0.030, -0.088, -0.188)
SQUEEZE_SPREAD = (0.458, 0.448, 0.450)

# Darknet's 3x3 and 1x1 convolutions 1..14 with leaky ReLU; the picture itself is tap 0.
DARKNET_DEPTH = 14
DARKNET_POOLED = frozenset({1, 2, 6, 10})
DARKNET_LEAK = 0.1

SMALLEST_SIDE = 32


def find_weights(folder: Path | None = None) -> Path:
    """The folder that holds both weight files: the argument, else WISP_METRIC_WEIGHTS.

    Raises:
        UsageError: neither is given, or a file is missing there.
    """
    if folder is None:
        named = os.environ.get(WEIGHTS_VARIABLE)
        if not named:
            raise UsageError(
                f"metric weights: expected a folder with {SQUEEZE_FILE} and {DARKNET_FILE}, found none; "
                f"give --weights DIR or set {WEIGHTS_VARIABLE}"
            )
        folder = Path(named)
    for name in (SQUEEZE_FILE, DARKNET_FILE):
        if not (folder / name).is_file():
            raise UsageError(
                f"metric weights: expected {name} in {folder}, found no such file; give --weights DIR or set "
                f"{WEIGHTS_VARIABLE}"
            )
    return folder


def weights_hash(folder: Path) -> str:
    """Twelve hexadecimal digits of the SHA-256 of both weight files."""
    digest = hashlib.sha256()
    for name in (SQUEEZE_FILE, DARKNET_FILE):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:12]


class _Weights:
    """Convolutions by name, in float32 on the CPU."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tensors: dict[str, Tensor] = {name: t.float() for name, t in load_file(path).items()}

    def tensor(self, name: str) -> Tensor:
        try:
            return self._tensors[name]
        except KeyError:
            raise ModelMismatch(
                f"{self._path.name}: expected a tensor {name}, found none; get the metric's own weights"
            ) from None

    def convolve(self, x: Tensor, name: str, *, stride: int = 1, same: bool = True) -> Tensor:
        kernel = self.tensor(f"{name}.weight")
        padding = kernel.shape[-1] // 2 if same else 0
        return functional.conv2d(x, kernel, self.tensor(f"{name}.bias"), stride=stride, padding=padding)


def _unit_length(features: Tensor, floor: float) -> Tensor:
    """(1, C, h, w) -> the same with the C numbers of every position scaled to length 1."""
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + floor)


class LpipsSqueeze:
    """LPIPS 0.1 over SqueezeNet 1.1."""

    def __init__(self, folder: Path) -> None:
        self._weights = _Weights(folder / SQUEEZE_FILE)
        self._mean = torch.tensor(SQUEEZE_MEAN).reshape(1, 3, 1, 1)
        self._spread = torch.tensor(SQUEEZE_SPREAD).reshape(1, 3, 1, 1)

    def _fire(self, x: Tensor, number: str) -> Tensor:
        """Squeeze by 1x1, expand by 1x1 and 3x3 side by side."""
        prefix = f"features.{number}"
        squeezed = self._weights.convolve(x, f"{prefix}.squeeze").relu()
        wings = [self._weights.convolve(squeezed, f"{prefix}.expand{kind}").relu() for kind in ("1x1", "3x3")]
        return torch.cat(wings, dim=1)

    @torch.no_grad()
    def features(self, image_unit: Tensor) -> list[Tensor]:
        """(1, 3, H, W) RGB in 0..1, H and W at least 32 -> seven maps, unit length over channels."""
        x = (2.0 * image_unit - 1.0 - self._mean) / self._spread
        x = self._weights.convolve(x, "features.0", stride=2, same=False).relu()
        taps = [x]
        for layer in SQUEEZE_LAYERS:
            if layer == "pool":
                x = functional.max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)
                continue
            x = self._fire(x, layer.rstrip("*"))
            if layer.endswith("*"):
                taps.append(x)
        return [_unit_length(tap, 1e-10) for tap in taps]

    @torch.no_grad()
    def distance(self, original: Sequence[Tensor], decoded: Sequence[Tensor]) -> float:
        """Sum over taps of the mean over positions of the weighted squared difference of `features`."""
        total = 0.0
        for index, (ours, theirs) in enumerate(zip(original, decoded, strict=True)):
            head = self._weights.tensor(f"lin{index}.weight")
            total += functional.conv2d((ours - theirs).square(), head).mean().item()
        return total


class DarknetTiny:
    """Darknet's "Tiny" classifier up to its 14th convolution."""

    def __init__(self, folder: Path) -> None:
        self._weights = _Weights(folder / DARKNET_FILE)

    @torch.no_grad()
    def taps(self, image_unit: Tensor) -> list[Tensor]:
        """(1, 3, H, W) RGB in 0..1 -> the picture, then the maps after convolutions 2, 4, ... 14."""
        taps = [image_unit]
        x = image_unit
        for number in range(1, DARKNET_DEPTH + 1):
            x = functional.leaky_relu(self._weights.convolve(x, f"conv{number}"), DARKNET_LEAK)
            if number % 2 == 0:
                taps.append(x)
            if number in DARKNET_POOLED:
                x = functional.max_pool2d(x, kernel_size=2, ceil_mode=True)
        return taps


@torch.no_grad()
def feature_distance(original: Sequence[Tensor], decoded: Sequence[Tensor]) -> float:
    """Mean over taps of the mean squared distance of unit-length features; tap 0, the picture; not tap 0."""
    distances = [
        (_unit_length(ours, 1e-8) - _unit_length(theirs, 1e-8)).square().sum(dim=1).mean().item()
        for ours, theirs in zip(original[1:], decoded[1:], strict=True)
    ]
    return sum(distances) / len(distances)


@torch.no_grad()
def texture_distance(original: Sequence[Tensor], decoded: Sequence[Tensor]) -> float:
    """1 - mean over taps of the similarity of channel means and of channel (co)variances over the map."""
    steady = 1e-6
    similarity = 0.0
    for ours, theirs in zip(original, decoded, strict=True):
        x, y = ours.flatten(2).double(), theirs.flatten(2).double()
        mean_x, mean_y = x.mean(-1), y.mean(-1)
        covariance = ((x - mean_x[..., None]) * (y - mean_y[..., None])).mean(-1)
        spread = x.var(-1, correction=0) + y.var(-1, correction=0)
        brightness = (2 * mean_x * mean_y + steady) / (mean_x.square() + mean_y.square() + steady)
        structure = (2 * covariance + steady) / (spread + steady)
        similarity += (brightness + structure).mean().item() / 2
    return 1.0 - similarity / len(original)
