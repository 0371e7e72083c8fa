"""DISTS: structure and texture similarity over VGG-16.

Range 0..1; lower is better, 0 for equal pictures. Computed on sRGB in 0..1 at the picture's own size; its authors
scale the shorter side to 256 first, which hides what was lost, so their values are not comparable. Source: Ding et
al., "Image quality assessment: unifying structure and texture similarity", IEEE TPAMI 2020, section 3. By the
authors' package DISTS-pytorch, which brings the channel weights; torchvision downloads the trunk (528 MB) unless it
is in torch's cache.
"""

from __future__ import annotations

import torch

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.bench.metrics.package import import_package, with_download
from wisp.bench.metrics.pixels import to_unit


class Dists(AbstractMetric):
    """DISTS as published, without its scaling."""

    name = "dists"
    direction = Direction.LOWER
    unit = "1"
    smallest_side = 32

    def __init__(self) -> None:
        """Load, and if need be download, the trunk.

        Raises:
            MetricUnavailable: a package is not installed, or weights cannot be had.
        """
        trunks = import_package("torchvision", "torchvision", " with VGG-16")
        package = import_package("DISTS_pytorch", "DISTS-pytorch")
        self._version = f"full size DISTS-pytorch {package.version} torchvision {trunks.version}"
        self._net = with_download("VGG-16 (torchvision) and DISTS", lambda: package.module.DISTS().eval())

    @property
    def version(self) -> str:
        return self._version

    def prepare(self, original_u8: Picture) -> Comparison:
        original = to_unit(original_u8)

        @torch.inference_mode()
        def compare(decoded_u8: Picture) -> float:
            return float(self._net(original, to_unit(decoded_u8)))

        return compare
