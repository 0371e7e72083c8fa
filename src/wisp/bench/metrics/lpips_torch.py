"""LPIPS over AlexNet and over VGG-16, by its authors' package.

Range 0 and up; lower is better, 0 for equal pictures. Computed on sRGB in -1..1. Source: Zhang et al., "The
unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018, section 3 and equation 1, release
0.1 with learned channel weights. Each trunk is a metric of its own with its own column; values of different
trunks must never be compared. The package brings the channel weights; torchvision downloads the trunks (AlexNet
233 MB, VGG-16 528 MB) unless they are in torch's cache.
"""

from __future__ import annotations

from typing import Literal

import torch

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.bench.metrics.package import import_package, with_download
from wisp.bench.metrics.pixels import to_unit

_TRUNKS = {"alex": "AlexNet", "vgg": "VGG-16"}


class LpipsTorch(AbstractMetric):
    """LPIPS 0.1 with a trunk of torchvision."""

    direction = Direction.LOWER
    unit = "1"
    smallest_side = 32

    def __init__(self, trunk: Literal["alex", "vgg"]) -> None:
        """Load, and if need be download, the trunk.

        Raises:
            MetricUnavailable: a package is not installed, or the trunk cannot be had.
        """
        trunks = import_package("torchvision", "torchvision", f" with {_TRUNKS[trunk]}")
        package = import_package("lpips", "lpips")
        self._trunk = trunk
        self._version = f"0.1 {trunk} lpips {package.version} torchvision {trunks.version}"
        self._net = with_download(
            f"{_TRUNKS[trunk]} (torchvision)", lambda: package.module.LPIPS(net=trunk, verbose=False)
        )

    @property
    def name(self) -> str:
        return f"lpips_{self._trunk}"

    @property
    def version(self) -> str:
        return self._version

    def prepare(self, original_u8: Picture) -> Comparison:
        original = to_unit(original_u8)

        @torch.inference_mode()
        def compare(decoded_u8: Picture) -> float:
            return float(self._net(original, to_unit(decoded_u8), normalize=True))

        return compare
