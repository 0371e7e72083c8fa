"""Structural similarity.

Range -1..1; higher is better, 1 for equal pictures. On sRGB code values, data range 255, for each of R, G, B by
itself and averaged. Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE TIP 2004, section 3: windows of 11 Gaussian weights (deviation 1.5) that lie wholly
inside the picture. By the package pytorch-msssim. Undefined (None) below 11 pixels a side.
"""

from __future__ import annotations

import torch

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.bench.metrics.package import import_package
from wisp.bench.metrics.pixels import to_tensor


class Ssim(AbstractMetric):
    """SSIM over RGB."""

    name = "ssim"
    direction = Direction.HIGHER
    unit = "1"
    smallest_side = 11

    def __init__(self) -> None:
        """
        Raises:
            MetricUnavailable: pytorch-msssim is not installed.
        """
        package = import_package("pytorch_msssim", "pytorch-msssim")
        self._ssim, self._version = package.module.ssim, package.version

    @property
    def version(self) -> str:
        return f"rgb pytorch-msssim {self._version}"

    def prepare(self, original_u8: Picture) -> Comparison:
        original = to_tensor(original_u8)

        @torch.inference_mode()
        def compare(decoded_u8: Picture) -> float:
            return float(self._ssim(original, to_tensor(decoded_u8), data_range=255))

        return compare
