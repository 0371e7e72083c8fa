"""Multi-scale structural similarity.

Range 0..1; higher is better, 1 for equal pictures. Computed on sRGB code values, data range 255, for each of
R, G, B by itself and averaged, as learned codecs report it. Source: Wang, Simoncelli and Bovik, "Multiscale
structural similarity for image quality assessment", Asilomar 2003, section 3: five scales with the exponents
0.0448, 0.2856, 0.3001, 0.2363, 0.1333, windows of 11 Gaussian weights (deviation 1.5) that lie wholly inside
the picture, halving by means of 2x2. Negative contrast terms count as 0. By the package pytorch-msssim, which
sets a border of zeros around a scale with an odd side before it halves it.

Undefined (None) below 161 pixels a side: the fifth scale is 1/16 of the size, and there the window of 11
pixels no longer fits. Fewer scales would be another metric under the same name.
"""

from __future__ import annotations

import torch

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.bench.metrics.package import import_package
from wisp.bench.metrics.pixels import to_tensor


class MsSsim(AbstractMetric):
    """MS-SSIM over RGB."""

    name = "ms_ssim"
    direction = Direction.HIGHER
    unit = "1"
    smallest_side = 161

    def __init__(self) -> None:
        """
        Raises:
            MetricUnavailable: pytorch-msssim is not installed.
        """
        package = import_package("pytorch_msssim", "pytorch-msssim")
        self._ms_ssim, self._version = package.module.ms_ssim, package.version

    @property
    def version(self) -> str:
        return f"rgb pytorch-msssim {self._version}"

    def prepare(self, original_u8: Picture) -> Comparison:
        original = to_tensor(original_u8)

        @torch.inference_mode()
        def compare(decoded_u8: Picture) -> float:
            return float(self._ms_ssim(original, to_tensor(decoded_u8), data_range=255))

        return compare
