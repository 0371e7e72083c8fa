"""Training photographs, decoded once into uint8 memory, and random crops of them.

A few thousand photographs of half a megapixel take 2 GB, and cropping from memory costs next to nothing
beside a training step. Sources: a folder of pictures, tar shards of pictures (WebDataset style), or a
folder of such shards.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from wisp.errors import UsageError
from wisp.train.recipe import DataConfig

SUFFIXES = {".webp", ".png", ".jpg", ".jpeg", ".avif", ".bmp", ".tif", ".tiff"}


def _read_sources(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.suffix == ".tar":
            with tarfile.open(path) as shard:
                for member in shard:
                    stream = (
                        shard.extractfile(member) if Path(member.name).suffix.lower() in SUFFIXES else None
                    )
                    if stream is not None:
                        yield stream.read()
        elif path.suffix.lower() in SUFFIXES:
            yield path.read_bytes()


def _decode(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).copy()


def load_photographs(folder: Path, min_side: int, limit: int | None = None) -> list[NDArray[np.uint8]]:
    """Every photograph under `folder` (H, W, 3) uint8 whose shorter side is at least `min_side`.

    Raises:
        UsageError: there is not a single one.
    """
    sources = _read_sources(folder)
    if limit is not None:
        sources = (data for data, _ in zip(sources, range(limit), strict=False))
    with ThreadPoolExecutor(2) as pool:
        pictures = [p for p in pool.map(_decode, sources) if min(p.shape[:2]) >= min_side]
    if not pictures:
        raise UsageError(
            f"expected pictures or tar shards under {folder}, found none of at least {min_side} pixels"
        )
    return pictures


class CropSampler:
    """Random crops: flips, and for a share of them a reduction first, so that fine detail is seen too.

    The photographs lie on `device` as uint8 (a few gigabytes), and are cut and converted there: on an accelerator a
    step would otherwise wait for its crops.
    """

    def __init__(
        self,
        pictures: list[NDArray[np.uint8]],
        config: DataConfig,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.pictures = [torch.from_numpy(picture).to(device) for picture in pictures]
        self.config = config
        self.random = np.random.default_rng(seed)

    def _crop(self) -> Tensor:
        size, random = self.config.crop_size, self.random
        picture = self.pictures[random.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        reduction = 1.0
        if random.random() < self.config.reduced_share:
            reduction = random.uniform(1.0, min(self.config.max_reduction, min(height, width) / size))
        span = min(round(size * reduction), height, width)
        y, x = random.integers(height - span + 1), random.integers(width - span + 1)
        part = picture[y : y + span, x : x + span]
        if random.random() < 0.5:
            part = part.flip(1)
        tensor = part.permute(2, 0, 1)[None].float() / 127.5 - 1
        if span != size:
            tensor = F.interpolate(tensor, (size, size), mode="bicubic", antialias=True).clamp(-1, 1)
        return tensor

    def batch(self) -> Tensor:
        """(B, 3, S, S) float32 in -1..1, on the device."""
        return torch.cat([self._crop() for _ in range(self.config.batch_size)])
