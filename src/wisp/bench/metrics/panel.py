"""All four distances of one decoded picture, the original's features being computed once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from wisp.bench.metrics.feature_nets import (
    SMALLEST_SIDE,
    DarknetTiny,
    LpipsSqueeze,
    feature_distance,
    find_weights,
    texture_distance,
    weights_hash,
)
from wisp.bench.metrics.psnr import psnr_db
from wisp.errors import ImageError


@dataclass(frozen=True)
class Distances:
    """One decoded 8-bit RGB picture against its original.

    Attributes:
        psnr_db: decibels, higher is better; None for equal pictures, whose ratio is infinite.
        lpips_squeeze: lower is better.
        feature_distance: lower is better.
        texture_distance: lower is better.
    """

    psnr_db: float | None
    lpips_squeeze: float
    feature_distance: float
    texture_distance: float


def _to_unit(pixels_u8: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 in 0..1."""
    return torch.from_numpy(pixels_u8.transpose(2, 0, 1)[None].copy()).float() / 255.0


class Reference:
    """An original with its features, to be compared with many decoded pictures."""

    def __init__(self, original: Image.Image, lpips: LpipsSqueeze, darknet: DarknetTiny) -> None:
        self._pixels_u8 = np.asarray(original.convert("RGB"))
        if min(self._pixels_u8.shape[:2]) < SMALLEST_SIDE:
            raise ImageError(
                f"metrics: expected sides of at least {SMALLEST_SIDE} pixels, found {original.width}x"
                f"{original.height}; measure a larger picture"
            )
        self._lpips, self._darknet = lpips, darknet
        unit = _to_unit(self._pixels_u8)
        self._squeeze_features, self._darknet_taps = lpips.features(unit), darknet.taps(unit)

    def compare(self, decoded: Image.Image) -> Distances:
        """All distances of `decoded`, an 8-bit picture of the original's size.

        Raises:
            ImageError: sizes differ.
        """
        pixels_u8 = np.asarray(decoded.convert("RGB"))
        decibels = psnr_db(self._pixels_u8, pixels_u8)
        unit = _to_unit(pixels_u8)
        taps = self._darknet.taps(unit)
        return Distances(
            psnr_db=decibels if math.isfinite(decibels) else None,
            lpips_squeeze=self._lpips.distance(self._squeeze_features, self._lpips.features(unit)),
            feature_distance=feature_distance(self._darknet_taps, taps),
            texture_distance=texture_distance(self._darknet_taps, taps),
        )


class MetricPanel:
    """The networks, loaded once; `version` names their weights."""

    def __init__(self, weights: Path | None = None) -> None:
        folder = find_weights(weights)
        self.version = weights_hash(folder)
        self._lpips, self._darknet = LpipsSqueeze(folder), DarknetTiny(folder)

    def reference(self, original: Image.Image) -> Reference:
        """The original, ready to be compared.

        Raises:
            ImageError: a side is shorter than 32 pixels.
        """
        return Reference(original, self._lpips, self._darknet)
