"""Training examples of the forecast and of the network of distances: crops of photographs, and how far each depth
looks from them, region by region.

A crop is decoded at every uniform depth; two networks that may train say how far each decoded crop is from the true
one, as train/feature_loss.py does but without its random shifts, and their distances are averaged over each region.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from wisp.atomic import write_bytes_atomic
from wisp.codecs.pyramid_networks import analyse, synthesise
from wisp.errors import UsageError
from wisp.runtime import Bundle
from wisp.tokens.pyramid import TokenPyramid
from wisp.train.dataset import CropSampler, load_photographs
from wisp.train.feature_loss import TRAINING_NETWORKS, FeatureLoss, unit_features
from wisp.train.recipe import DataConfig

CROP = 256
FINEST = 4  # pixels a side of what features are averaged to before regions are


@dataclass(frozen=True)
class DepthSamples:
    """N crops.

    Attributes:
        crops_u8: (N, H, W, 3) uint8.
        errors: (N, sum of G + 1, rows, cols) float32, the latent's squared errors of all levels, as `Analysed.errors`.
        distances: (N, D, rows, cols) float32, at depths 1..D; 0 for equal regions.
    """

    crops_u8: NDArray[np.uint8]
    errors: NDArray[np.float32]
    distances: NDArray[np.float32]


def collect_depth_samples(
    bundle: Bundle,
    data: Path,
    weights: Path,
    count: int,
    *,
    cache: Path | None = None,
    seed: int = 0,
    note: Callable[[str], None] = lambda text: None,
) -> DepthSamples:
    """Crops of the photographs under `data`, as many as `count`; with `cache` they are kept in a file, and found there.

    Raises:
        UsageError: there is no photograph, a feature network is missing, or the cache is of another bundle or number of
            crops, or of something else. That its photographs are the same is not checked.
    """
    key = f"{bundle.config.files['analysis.onnx']}{bundle.config.files['synthesis.onnx']}, {count} crops, seed {seed}"
    if cache is not None and cache.exists():
        return _load(cache, key)
    if cache is not None and not os.access(cache.absolute().parent, os.W_OK):
        raise UsageError(
            f"expected a folder to write {cache} into, found none; make it, or name another file"
        )
    networks = [FeatureLoss(weights, name).eval() for name in TRAINING_NETWORKS]
    sampler = CropSampler(load_photographs(data, CROP), DataConfig(crop_size=CROP, batch_size=1), seed)
    found = []
    for number in range(count):
        if number % 100 == 0:
            note(f"distances of {number} of {count} crops")
        crop = ((sampler.batch()[0].permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8).numpy()
        found.append(_sample(bundle, networks, crop))
    samples = DepthSamples(*(np.stack(parts) for parts in zip(*found, strict=True)))
    if cache is not None:
        _save(cache, key, samples)
    return samples


def _sample(
    bundle: Bundle, networks: list[FeatureLoss], crop_u8: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    analysed = analyse(bundle, crop_u8)
    shape = analysed.tokens.shape
    wanted = [unit_features(network, _tensor(crop_u8)) for network in networks]
    distances = []
    for decoded_u8 in _decoded(bundle, analysed.tokens):
        total = torch.zeros(shape.rows, shape.columns)
        for network, features in zip(networks, wanted, strict=True):
            for u, v in zip(features, unit_features(network, _tensor(decoded_u8)), strict=True):
                total += _by_region((u - v).square().sum(1, keepdim=True), shape.strides[0]) / len(features)
        distances.append(total.numpy())
    return crop_u8, np.concatenate(analysed.errors), np.stack(distances)


def decode_every_depth(bundle: Bundle, crop_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) -> (D, H, W, 3): the crop as it is shown at depths 1..D."""
    return np.stack(list(_decoded(bundle, analyse(bundle, crop_u8).tokens)))


def _decoded(bundle: Bundle, tokens: TokenPyramid) -> Iterator[NDArray[np.uint8]]:
    for depth in range(1, tokens.shape.num_depths + 1):
        yield synthesise(bundle, replace(tokens, grain_map=np.full_like(tokens.grain_map, depth)))


def _tensor(pixels_u8: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels_u8.transpose(2, 0, 1)))[None].float() / 127.5 - 1


def _by_region(distance: Tensor, side: int) -> Tensor:
    """(1, 1, h, w) on a grid that may be coarser than regions -> (rows, cols) means."""
    fine = F.interpolate(distance, size=(CROP // FINEST, CROP // FINEST), mode="bilinear", antialias=True)
    return F.avg_pool2d(fine, side // FINEST)[0, 0]


def _save(path: Path, key: str, samples: DepthSamples) -> None:
    stream = io.BytesIO()
    np.savez(
        stream,
        key=np.array(key),
        crops=samples.crops_u8,
        errors=samples.errors,
        distances=samples.distances,
    )
    write_bytes_atomic(path, stream.getvalue())


def _load(path: Path, key: str) -> DepthSamples:
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = str(archive["key"])
            samples = DepthSamples(archive["crops"], archive["errors"], archive["distances"])
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as fault:
        raise UsageError(
            f"expected distances of crops in {path}, found {fault!r}; name another file"
        ) from None
    if found != key:
        raise UsageError(
            f"expected in {path} the distances of this bundle and of as many crops, found others; remove it or name "
            "another file"
        )
    return samples
