"""Grain maps of a routed pyramid for training: shares of the area drawn at random, regions ranked by their entropy.

Control-GIC trains at one triple of shares (research and code of Li et al., ICLR 2025) and codes at others; here every
crop has its own, and its ranking is disturbed, so that any map an allocation can choose has been seen.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wisp.allocation.information import depths_by_ratio, patch_entropies
from wisp.tokens.pyramid import PyramidShape

PURE_SHARE = 0.2  # of the maps have one level alone
DISTURBANCES = (0.0, 0.0, 0.5, 2.0)  # of the ranking, in standard deviations of the entropies


def random_ratios(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(count,) shares of the levels with sum 1: one level alone, or evenly drawn, some of them without a level."""
    if random.random() < PURE_SHARE:
        return np.eye(count)[random.integers(count)]
    shares = random.exponential(size=count)
    if count > 2 and random.random() < 0.25:
        shares[random.integers(count)] = 0.0
    return shares / shares.sum()


def routed_map(
    entropies: NDArray[np.float64], shape: PyramidShape, random: np.random.Generator
) -> NDArray[np.uint8]:
    """(rows, columns) levels 1..L for regions of these entropies (rows, columns)."""
    levels = shape.num_depths
    noise = random.normal(size=entropies.shape) * random.choice(DISTURBANCES) * entropies.std()
    ratios = random_ratios(levels, random)
    return depths_by_ratio(entropies + noise, ratios.tolist(), range(levels, 0, -1))


def routed_depths(x: Tensor, strides: tuple[int, ...], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Crops x (B, 3, H, W) in -1..1 -> of which kind each is (B,), and levels of its regions (B, rows, columns).

    The kind is how many tokens a region has on average, in half octaves: crops whose errors compare.
    """
    side, levels = strides[0], len(strides)
    shape = PyramidShape(x.shape[2] // side, x.shape[3] // side, strides, (1,) * levels, routed=True)
    pixels = ((x.detach().float().cpu() + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    maps = np.stack([routed_map(patch_entropies(crop, side), shape, random) for crop in pixels])
    tokens = np.array([shape.fold(level) ** 2 for level in range(levels)], np.float64)[maps - 1].mean((1, 2))
    kinds = np.rint(2 * np.log2(tokens)).astype(np.int64)
    return torch.from_numpy(kinds), torch.from_numpy(maps.astype(np.int64))
