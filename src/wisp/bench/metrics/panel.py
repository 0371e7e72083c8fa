"""All metrics of one decoded picture, what is known of the original being computed once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from wisp.bench.metrics.class_agreement import ClassAgreement
from wisp.bench.metrics.colour_shift import ColourShift
from wisp.bench.metrics.darknet_tiny import DarknetTiny
from wisp.bench.metrics.dists import Dists
from wisp.bench.metrics.feature_distance import FeatureDistance
from wisp.bench.metrics.lpips_squeeze import LpipsSqueeze
from wisp.bench.metrics.lpips_torch import LpipsTorch
from wisp.bench.metrics.metric import AbstractMetric, Comparison, MetricUnavailable, Picture
from wisp.bench.metrics.ms_ssim import MsSsim
from wisp.bench.metrics.psnr import Psnr
from wisp.bench.metrics.ssim import Ssim
from wisp.bench.metrics.ssimulacra2 import Ssimulacra2
from wisp.bench.metrics.texture_distance import TextureDistance
from wisp.bench.metrics.weight_file import weights_folder
from wisp.errors import UsageError


class _Networks:
    """The networks in a folder of weights, each read when it is first asked for, and then shared."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @cached_property
    def darknet(self) -> DarknetTiny:
        return DarknetTiny(self.folder)


_MAKERS: Mapping[str, Callable[[_Networks], AbstractMetric]] = {
    "psnr_db": lambda networks: Psnr(),
    "ms_ssim": lambda networks: MsSsim(),
    "ssimulacra2": lambda networks: Ssimulacra2(),
    "lpips_squeeze": lambda networks: LpipsSqueeze(networks.folder),
    "feature_distance": lambda networks: FeatureDistance(networks.darknet),
    "texture_distance": lambda networks: TextureDistance(networks.darknet),
    "class_agreement": lambda networks: ClassAgreement(networks.darknet),
    "lpips_alex": lambda networks: LpipsTorch("alex"),
    "lpips_vgg": lambda networks: LpipsTorch("vgg"),
    "dists": lambda networks: Dists(),
}
METRIC_NAMES = tuple(_MAKERS)
_ON_REQUEST: Mapping[str, Callable[[_Networks], AbstractMetric]] = {
    "colour_shift": lambda networks: ColourShift(),
    "ssim": lambda networks: Ssim(),
}
ALL_NAMES = (*METRIC_NAMES, *_ON_REQUEST)


def _pixels(image: Image.Image) -> Picture:
    """(H, W, 3) uint8 that cannot be written to, which lets metrics recognise a picture they have seen."""
    pixels_u8 = np.array(image.convert("RGB"))
    pixels_u8.setflags(write=False)
    return pixels_u8


class Reference:
    """An original, to be compared with many decoded pictures."""

    def __init__(self, original: Image.Image, metrics: Sequence[AbstractMetric]) -> None:
        pixels_u8 = _pixels(original)
        self._comparisons: dict[str, Comparison] = {
            metric.name: metric.reference(pixels_u8) for metric in metrics
        }

    def compare(self, decoded: Image.Image) -> dict[str, float | None]:
        """Every metric of `decoded`, an 8-bit picture of the original's size; None: infinite or undefined.

        Raises:
            ImageError: sizes differ.
        """
        pixels_u8 = _pixels(decoded)
        found = {name: comparison(pixels_u8) for name, comparison in self._comparisons.items()}
        return {name: v if v is not None and math.isfinite(v) else None for name, v in found.items()}


class MetricPanel:
    """The metrics that can be had here.

    Attributes:
        metrics: in the order of `names`.
        unavailable: name -> reason, of those that were asked for and cannot be had.
        version: changes with anything that decides a value: twelve hexadecimal digits of the SHA-256 of all
            metrics' names and versions.
    """

    def __init__(self, weights: Path | None = None, names: Sequence[str] | None = None) -> None:
        """Load the metrics `names`, by default METRIC_NAMES.

        Args:
            weights: folder of the networks' weights; None is the environment variable WISP_METRIC_WEIGHTS.
            names: of metrics, out of ALL_NAMES; one given twice counts once.

        Raises:
            UsageError: a name is unknown, or the folder does not exist.
        """
        names = METRIC_NAMES if names is None else tuple(dict.fromkeys(names))
        for name in names:
            if name not in ALL_NAMES:
                raise UsageError(f"metrics: expected some of {', '.join(ALL_NAMES)}; found {name!r}")
        networks = _Networks(weights_folder(weights))
        metrics: list[AbstractMetric] = []
        self.unavailable: dict[str, str] = {}
        for name in names:
            try:
                metrics.append({**_MAKERS, **_ON_REQUEST}[name](networks))
            except MetricUnavailable as reason:
                self.unavailable[name] = str(reason)
        self.metrics: tuple[AbstractMetric, ...] = tuple(metrics)
        versions = sorted(f"{metric.name} {metric.version}\n" for metric in metrics)
        self.version: str = hashlib.sha256("".join(versions).encode()).hexdigest()[:12]

    @classmethod
    def with_any(cls, weights: Path | None, names: str) -> MetricPanel:
        """Those of `names`, with commas between, that can be had here; at least one.

        Raises:
            UsageError: a name is unknown, the folder does not exist, or none of them can be had.
        """
        panel = cls(weights, names.split(","))
        if not panel.metrics:
            raise UsageError(f"--metrics: expected one that is there, found {panel.unavailable}")
        return panel

    def for_meta(self) -> dict[str, dict[str, str]]:
        """What goes beside a result: `metrics`, name -> version, and `unavailable`, name -> reason."""
        return {
            "metrics": {metric.name: metric.version for metric in self.metrics},
            "unavailable": self.unavailable,
        }

    def reference(self, original: Image.Image) -> Reference:
        """The original, ready to be compared.

        Raises:
            ImageError: the picture has no pixels.
        """
        return Reference(original, self.metrics)
