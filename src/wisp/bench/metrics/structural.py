"""What the structural similarities share: the package pytorch-msssim on sRGB code values, data range 255, over RGB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.bench.metrics.package import import_package
from wisp.bench.metrics.pixels import to_tensor


class Structural(AbstractMetric):
    """One of the package's functions."""

    direction = Direction.HIGHER
    unit = "1"
    function: ClassVar[str]

    def __init__(self) -> None:
        """
        Raises:
            MetricUnavailable: pytorch-msssim is not installed.
        """
        package = import_package("pytorch_msssim", "pytorch-msssim")
        self._similarity: Callable[..., Any] = getattr(package.module, self.function)
        self._version = package.version

    @property
    def version(self) -> str:
        return f"rgb pytorch-msssim {self._version}"

    def prepare(self, original_u8: Picture) -> Comparison:
        original = to_tensor(original_u8)

        @torch.inference_mode()
        def compare(decoded_u8: Picture) -> float:
            return float(self._similarity(original, to_tensor(decoded_u8), data_range=255))

        return compare
