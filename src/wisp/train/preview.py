"""The line a run prints now and then: PSNR of whole pictures at a few uniform depths, nominal bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from wisp.train.pyramids import PyramidNetwork


def load_preview(folder: Path, count: int) -> list[Tensor]:
    """Up to `count` pictures of a folder as (1, 3, H, W) float32 in -1..1, evenly spread over its names."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in {".png", ".webp", ".jpg"})
    chosen = paths[:: max(1, len(paths) // count)][:count]
    tensors = []
    for path in chosen:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB")).copy()
        tensors.append(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1)
    return tensors


def nominal_bpp(depth: int, strides: tuple[int, ...], groups: tuple[int, ...], bits: float = 8.0) -> float:
    """Token bits a pixel when every region is sent `depth` groups, at `bits` bits a token, no entropy coding."""
    total = 0.0
    for stride, count in zip(strides, groups, strict=True):
        total += bits * min(max(depth, 0), count) / stride**2
        depth -= count
    return total


def preview_depths(groups: tuple[int, ...]) -> tuple[int, ...]:
    """The depths at which a quarter, half and all of each level's groups are sent; of a routed model every level."""
    ends = np.cumsum(groups).tolist()
    parts = [(end - 3 * count // 4, end - count // 2, end) for end, count in zip(ends, groups, strict=True)]
    return tuple(sorted({depth for part in parts for depth in part}))


@torch.no_grad()
def preview_psnr(model: PyramidNetwork, pictures: list[Tensor], depths: tuple[int, ...]) -> dict[str, float]:
    """Mean PSNR in dB (8-bit RGB) of the pictures for each uniform depth, keyed by nominal bpp."""
    device = next(model.parameters()).device
    sums = dict.fromkeys(depths, 0.0)
    was_training = model.training
    model.eval()
    for picture in pictures:
        height, width = picture.shape[-2:]
        side = model.config.strides[0]
        x = F.pad(picture.to(device), (0, -width % side, 0, -height % side), mode="replicate")
        with torch.autocast(device_type=device.type, dtype=torch.bfloat16):
            levels = model.encode(x)
            for depth in depths:
                grain = torch.full((1, x.shape[2] // side, x.shape[3] // side), depth, device=device)
                x_hat = model.decode(levels, grain)[..., :height, :width].float()
                decoded = ((x_hat + 1) * 127.5).round().clamp(0, 255)
                mse_u8 = (decoded - (picture.to(device) + 1) * 127.5).square().mean()
                sums[depth] += float(10 * torch.log10(255**2 / mse_u8))
    model.train(was_training)
    config = model.config
    rates = {d: nominal_bpp(d, config.strides, config.groups) for d in depths}
    if config.grain == "routed":
        rates = {d: float(np.log2(config.codebook_size)) / config.strides[d - 1] ** 2 for d in depths}
    return {f"{rates[d]:.3f}": round(s / len(pictures), 3) for d, s in sums.items()}
