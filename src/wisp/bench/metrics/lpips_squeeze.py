"""LPIPS over SqueezeNet.

Range 0 and up; lower is better, 0 for equal pictures. Computed on sRGB in -1..1, shifted and scaled for each
channel as the network was trained. Source: Zhang et al., "The unreasonable effectiveness of deep features as
a perceptual metric", CVPR 2018, section 3 and equation 1; release 0.1, trunk SqueezeNet 1.1, learned channel
weights. The trunk is stored in half precision, which moves the third digit. Never to be compared with LPIPS of
another trunk.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.bench.metrics.pixels import to_unit
from wisp.bench.metrics.weight_file import WeightFile, unit_length

SQUEEZE_FILE = "lpips_squeeze.safetensors"

# The trunk after its first convolution; a star marks a tap, and that convolution is the first tap.
_LAYERS = ("pool", "3", "4*", "pool", "6", "7*", "pool", "9*", "10*", "11*", "12*")
_FIRE_PARTS = ("squeeze", "expand1x1", "expand3x3")
_NUM_TAPS = 1 + sum(layer.endswith("*") for layer in _LAYERS)
_MEAN = (-0.030, -0.088, -0.188)
_SPREAD = (0.458, 0.448, 0.450)


def _convolutions() -> list[str]:
    fires = [layer.rstrip("*") for layer in _LAYERS if layer != "pool"]
    inside = [f"features.{number}.{part}" for number in fires for part in _FIRE_PARTS]
    return ["features.0", *inside, *(f"lin{tap}" for tap in range(_NUM_TAPS))]


class LpipsSqueeze(AbstractMetric):
    """LPIPS 0.1 with the SqueezeNet 1.1 trunk."""

    name = "lpips_squeeze"
    direction = Direction.LOWER
    unit = "1"
    smallest_side = 32

    def __init__(self, folder: Path | None) -> None:
        """Read the network from `folder`; None if nobody said where it is.

        Raises:
            MetricUnavailable: its weights are not there.
        """
        self._weights = WeightFile(folder, SQUEEZE_FILE, _convolutions())
        self._mean = torch.tensor(_MEAN).reshape(1, 3, 1, 1)
        self._spread = torch.tensor(_SPREAD).reshape(1, 3, 1, 1)

    @property
    def version(self) -> str:
        return f"0.1 {self._weights.digest}"

    @torch.inference_mode()
    def features(self, image_unit: Tensor) -> list[Tensor]:
        """(1, 3, H, W) RGB in 0..1, H and W at least 32 -> seven maps, unit length over channels."""
        x = (2.0 * image_unit - 1.0 - self._mean) / self._spread
        x = self._weights.convolve(x, "features.0", stride=2, same=False).relu_()
        taps = [x]
        for layer in _LAYERS:
            if layer == "pool":
                x = functional.max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)
                continue
            x = self._fire(x, layer.rstrip("*"))
            if layer.endswith("*"):
                taps.append(x)
        return [unit_length(tap, 1e-10) for tap in taps]

    def _fire(self, x: Tensor, number: str) -> Tensor:
        """Squeeze by 1x1, expand by 1x1 and 3x3 side by side."""
        first, *wings = (f"features.{number}.{part}" for part in _FIRE_PARTS)
        squeezed = self._weights.convolve(x, first).relu_()
        return torch.cat([self._weights.convolve(squeezed, wing).relu_() for wing in wings], dim=1)

    def prepare(self, original_u8: Picture) -> Comparison:
        original = self.features(to_unit(original_u8))

        @torch.inference_mode()
        def compare(decoded_u8: Picture) -> float:
            decoded = self.features(to_unit(decoded_u8))
            total = 0.0
            for tap, (ours, theirs) in enumerate(zip(original, decoded, strict=True)):
                total += self._weights.convolve((ours - theirs).square_(), f"lin{tap}").mean().item()
            return total

        return compare
