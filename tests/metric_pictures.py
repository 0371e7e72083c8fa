"""Pictures, damages and made-up weights for the tests of the metrics."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from wisp.bench.metrics.darknet_tiny import DARKNET_FILE
from wisp.bench.metrics.lpips_squeeze import SQUEEZE_FILE

SHARED = Path(__file__).resolve().parents[2] / "shared"
KODAK = SHARED / "eval" / "kodak"

Pixels = NDArray[np.uint8]


def frozen(pixels_u8: Pixels) -> Pixels:
    """The same, which nobody can write to."""
    pixels_u8.setflags(write=False)
    return pixels_u8


def picture(seed: int = 0, height: int = 48, width: int = 64) -> Pixels:
    """A smooth random picture, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    small = random.integers(20, 236, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def noisy(pixels: Pixels, deviation: float) -> Pixels:
    noise = np.random.default_rng(1).normal(0.0, 1.0, pixels.shape) * deviation
    return (pixels + noise).round().clip(0, 255).astype(np.uint8)


def blurred(pixels: Pixels, times: float) -> Pixels:
    """Averaged with its four neighbours, so many times over."""
    plane = pixels.astype(float)
    for _ in range(int(times)):
        plane = (plane + sum(np.roll(plane, step, axis) for axis in (0, 1) for step in (-1, 1))) / 5
    return plane.round().astype(np.uint8)


def through_jpeg(pixels: Pixels, strength: float) -> Pixels:
    """Coded as a JPEG of quality 100 - strength."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=100 - int(strength))
    return np.asarray(Image.open(file).convert("RGB"))


def write_weights(folder: Path, seed: int = 3) -> None:
    """Both weight files with the right shapes and random content."""
    random = torch.Generator().manual_seed(seed)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random) / math.sqrt(math.prod(shape[1:]))

    squeeze = {"features.0.weight": tensor(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}
    inputs = 64
    for number, narrow in ((3, 16), (4, 16), (6, 32), (7, 32), (9, 48), (10, 48), (11, 64), (12, 64)):
        wide = 4 * narrow
        for part, shape in (
            ("squeeze", (narrow, inputs, 1, 1)),
            ("expand1x1", (wide, narrow, 1, 1)),
            ("expand3x3", (wide, narrow, 3, 3)),
        ):
            squeeze[f"features.{number}.{part}.weight"] = tensor(*shape)
            squeeze[f"features.{number}.{part}.bias"] = torch.zeros(shape[0])
        inputs = 2 * wide
    for index, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        squeeze[f"lin{index}.weight"] = tensor(1, channels, 1, 1).abs()
    channels = (3, 16, 32, 16, 128, 16, 128, 32, 256, 32, 256, 64, 512, 64, 512, 128, 1000)
    darknet = {}
    for number in range(1, 17):
        side = 1 if number in (3, 5, 7, 9, 11, 13, 15, 16) else 3
        darknet[f"conv{number}.weight"] = tensor(channels[number], channels[number - 1], side, side)
        darknet[f"conv{number}.bias"] = torch.zeros(channels[number])
    save_file(squeeze, folder / SQUEEZE_FILE)
    save_file(darknet, folder / DARKNET_FILE)
