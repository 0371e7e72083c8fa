"""Darknet "Tiny", a small ImageNet classifier whose features three metrics share.

Source: Redmon, "Darknet: open source neural networks in C", 2013-2016, the network tiny.cfg, batch normalisation
folded in. Input: RGB in 0..1, as it is.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from wisp.bench.metrics.metric import AbstractMetric, Picture
from wisp.bench.metrics.pixels import to_unit
from wisp.bench.metrics.weight_file import WeightFile

DARKNET_FILE = "darknet_tiny.safetensors"
SMALLEST_SIDE = 32

# 3x3 and 1x1 convolutions 1..15 with leaky ReLU, then the classifier's 1x1; taps after the even ones up to 14.
_DEPTH = 14
_POOLED = frozenset({1, 2, 6, 10})
_LEAK = 0.1


@dataclass(frozen=True, eq=False)
class Response:
    """What the network makes of one picture.

    Attributes:
        taps: the picture itself, (1, 3, H, W) in 0..1, then the maps after convolutions 2, 4, ... 14.
    """

    taps: tuple[Tensor, ...]


class DarknetTiny:
    """The network, run once for a picture however many metrics ask for it."""

    def __init__(self, folder: Path | None) -> None:
        """Read the network from `folder`; None if nobody said where it is.

        Raises:
            MetricUnavailable: its weights are not there.
        """
        self._weights = WeightFile(folder, DARKNET_FILE, [f"conv{number}" for number in range(1, _DEPTH + 3)])
        self._latest: tuple[weakref.ref[Picture], Response] | None = None

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of the weights' SHA-256."""
        return self._weights.digest

    def response(self, picture_u8: Picture) -> Response:
        """The taps of an (H, W, 3) uint8 picture with sides of at least 32.

        Those of the latest picture are remembered while it lives, unless its pixels can be written to.
        """
        latest = self._latest
        if latest is not None and latest[0]() is picture_u8:
            return latest[1]
        found = self._run(picture_u8)
        self._latest = None
        if not picture_u8.flags.writeable:
            self._latest = (weakref.ref(picture_u8, self._forget), found)
        return found

    def _forget(self, gone: weakref.ref[Picture]) -> None:
        if self._latest is not None and self._latest[0] is gone:
            self._latest = None

    @torch.inference_mode()
    def _run(self, picture_u8: Picture) -> Response:
        x = to_unit(picture_u8)
        taps = [x]
        for number in range(1, _DEPTH + 1):
            x = functional.leaky_relu_(self._weights.convolve(x, f"conv{number}"), _LEAK)
            if number % 2 == 0:
                taps.append(x)
            if number in _POOLED:
                x = functional.max_pool2d(x, kernel_size=2, ceil_mode=True)
        return Response(tuple(taps))

    @torch.inference_mode()
    def class_scores(self, response: Response) -> Tensor:
        """(1000,) float32: the logits, averaged over positions, in Darknet's order of the ImageNet classes."""
        x = functional.leaky_relu_(self._weights.convolve(response.taps[-1], f"conv{_DEPTH + 1}"), _LEAK)
        # The mean goes through the linear classifier unchanged, and so costs one position instead of all.
        mean = x.mean(dim=(2, 3), keepdim=True)
        return self._weights.convolve(mean, f"conv{_DEPTH + 2}").flatten()


class AbstractDarknetMetric(AbstractMetric):
    """A metric that is computed from the network's response alone."""

    unit = "1"
    smallest_side = SMALLEST_SIDE

    def __init__(self, network: DarknetTiny) -> None:
        self._network = network

    @property
    def version(self) -> str:
        return f"darknet_tiny {self._network.digest}"
