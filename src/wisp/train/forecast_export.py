"""Train a bundle's forecast and write it beside the tables: forecast.npz and the configuration.

Only the writer runs it: files of a bundle with and without it are read alike.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wisp.atomic import write_bytes_atomic
from wisp.codecs.grain_coding import ROUTED, UNIFORM
from wisp.errors import UsageError
from wisp.runtime import CONFIG_NAME, FORECAST_NAME, Bundle
from wisp.train.depth_samples import CROP, FINEST, collect_depth_samples
from wisp.train.export import write_config
from wisp.train.forecast_loop import train_perceptron
from wisp.train.shared_files import refuse_keeper


@dataclass(frozen=True)
class ForecastReport:
    """Shares of the variance of each group's gain that are foreseen on held-out crops, and the file's size in bytes."""

    explained: tuple[float, ...]
    num_bytes: int


def train_forecast(
    folder: Path,
    data: Path,
    weights: Path,
    crops: int,
    *,
    cache: Path | None = None,
    max_steps: int | None = None,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> ForecastReport:
    """Train a forecast for the bundle in `folder` on crops of the photographs under `data`, and put it into the bundle.

    Args:
        weights: folder of the feature networks that may train.
        crops: of 256 pixels, each decoded at every depth: some 3 s each.
        cache: a file in which the crops' errors and distances are kept between runs.
        max_steps: for rehearsals.

    Raises:
        ModelError: the bundle cannot be used.
        UsageError: it has no depth for each region, there are no photographs or no feature networks, or the cache is of
            something else.
    """
    bundle = Bundle(folder, threads)
    refuse_keeper(folder)
    check_depths(bundle)
    if threads is not None:
        torch.set_num_threads(threads)
    samples = collect_depth_samples(bundle, data, weights, crops, cache=cache, note=note)
    found = train_perceptron(samples, max_steps=max_steps)
    stream = io.BytesIO()
    np.savez(stream, **found.parts)  # type: ignore[arg-type]
    write_bytes_atomic(folder / FORECAST_NAME, stream.getvalue())
    write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
    return ForecastReport(found.explained, len(stream.getvalue()))


def check_depths(bundle: Bundle) -> None:
    """Refuse a bundle whose regions have no depths of their own, or do not divide a crop; UsageError."""
    config = bundle.config
    if config.latent or config.grain in (UNIFORM, ROUTED):
        raise UsageError(
            f"expected a model with a depth for each region, found {config.name}, which has no use for a forecast"
        )
    if CROP % config.strides[0] or config.strides[0] % FINEST:
        raise UsageError(
            f"expected a coarsest stride between {FINEST} and {CROP} that divides {CROP}, found {config.strides[0]}"
        )
