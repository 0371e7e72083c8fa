"""Train a bundle's network of distances and write it beside the others: distance.onnx and the configuration.

Only the writer runs it: files of a bundle with and without it are read alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wisp.atomic import write_bytes_atomic
from wisp.errors import UsageError
from wisp.runtime import CONFIG_NAME, DISTANCE_NAME, Bundle
from wisp.train.depth_samples import collect_depth_samples, decode_every_depth
from wisp.train.distance_loop import train_distance_network
from wisp.train.distance_network import SMALLEST_SIDE
from wisp.train.distance_onnx import distance_onnx
from wisp.train.export import write_config
from wisp.train.forecast_export import check_depths
from wisp.train.shared_files import refuse_keeper


@dataclass(frozen=True)
class DistanceReport:
    """Shares of the variance of each group's gain that are seen on held-out crops, and the file's size in bytes."""

    explained: tuple[float, ...]
    num_bytes: int


def train_distance(
    folder: Path,
    data: Path,
    weights: Path,
    crops: int,
    minutes: float,
    *,
    cache: Path | None = None,
    max_steps: int | None = None,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> DistanceReport:
    """Train a network of distances for the bundle in `folder`, and put it into the bundle.

    Args:
        weights, crops, cache, max_steps: as `wisp.train.forecast_export.train_forecast`, which can share the cache.
        minutes: of training, once the crops are decoded; a crop takes 2.4 MB of memory.

    Raises:
        ModelError: the bundle cannot be used.
        UsageError: as train_forecast, or the bundle has no forecast, beside which alone distances are looked at.
    """
    bundle = Bundle(folder, threads)
    refuse_keeper(folder)
    check_depths(bundle)
    config = bundle.config
    if config.strides[0] < SMALLEST_SIDE or sum(config.groups) < 2:
        raise UsageError(
            f"expected regions of {SMALLEST_SIDE} pixels or more, sent in 2 groups or more, found {config.strides[0]} "
            f"and {sum(config.groups)}; train a model of another shape"
        )
    if not bundle.has_forecast:
        raise UsageError(
            f"expected a bundle with a forecast, found none in {folder}; run `wisp train-forecast` first"
        )
    if threads is not None:
        torch.set_num_threads(threads)
    samples = collect_depth_samples(bundle, data, weights, crops, cache=cache, note=note)
    note(f"decoding {len(samples.crops_u8)} crops at every depth")
    depths = samples.distances.shape[1]
    decoded = np.empty((len(samples.crops_u8), depths, *samples.crops_u8.shape[1:]), np.uint8)
    for crop, shown in zip(samples.crops_u8, decoded, strict=True):
        shown[:] = decode_every_depth(bundle, crop)
    found = train_distance_network(samples, decoded, minutes, max_steps=max_steps, note=note)
    graph = distance_onnx(found.network).SerializeToString()
    write_bytes_atomic(folder / DISTANCE_NAME, graph)
    write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
    return DistanceReport(found.explained, len(graph))
