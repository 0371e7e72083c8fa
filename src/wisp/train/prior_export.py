"""Train a bundle's masked prior and write it beside the tables: prior.npz, its golden hashes, the configuration.

The graphs lie as bytes inside one file, so a bundle gains one entry; a bundle without it works as before.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wisp.atomic import write_bytes_atomic
from wisp.codecs.grain_coding import ROUTED
from wisp.codecs.masked_prior import MaskedPrior
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.errors import UsageError
from wisp.runtime import CONFIG_NAME, PRIOR_NAME, Bundle
from wisp.train.export import write_config
from wisp.train.prior_growth import grown_level
from wisp.train.prior_layers import IntegerConv
from wisp.train.prior_loop import LEVEL_SHARES, TrainedLevel, train_level
from wisp.train.prior_network import LevelConfig, LevelPrior, default_config
from wisp.train.prior_onnx import checked_integers, context_onnx, step_onnx
from wisp.train.prior_start import level_of_bundle
from wisp.train.prior_tokens import collect_samples
from wisp.train.shared_files import refuse_keeper


@dataclass(frozen=True)
class PriorReport:
    """Bits a token on held-out pictures for every place of the order, and the size of prior.npz."""

    table_bits: tuple[float, ...]
    prior_bits: tuple[float, ...]
    num_bytes: int


def train_prior(
    folder: Path,
    data: Path,
    minutes: float,
    *,
    cache: Path | None = None,
    image_limit: int | None = None,
    mirrored: bool = False,
    max_steps: int | None = None,
    config: Sequence[LevelConfig] | None = None,
    threads: int | None = None,
    start: Path | None = None,
    learning_rate: float | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> PriorReport:
    """Train a prior for the bundle in `folder` on the photographs under `data`, and put it into the bundle.

    Args:
        minutes: of training, all levels together; collecting the tokens comes on top.
        cache: a file in which the tokens are kept between runs.
        image_limit: photographs used, evenly spread.
        mirrored: as in a mirror too.
        max_steps: for each level, for rehearsals.
        config: sizes and stages of each level; default `default_config`.
        start: a bundle whose prior is trained on, instead of random weights; it may be smaller than `config`.
        learning_rate: the highest; lower than usual where a good start is trained on for a short time.

    Raises:
        ModelError: the bundle cannot be used.
        UsageError: there are no photographs, `start` has a prior of another shape, or the weights left the exact range.
    """
    bundle = Bundle(folder, threads)
    if bundle.config.latent:
        raise UsageError(
            f"expected a model of tokens, found {bundle.config.name}, which has no use for a prior"
        )
    refuse_keeper(folder)
    if threads is not None:
        torch.set_num_threads(threads)
    groups, strides = bundle.config.groups, bundle.config.strides
    tables = PyramidEntropyModel(bundle.tables, bundle.config.contexts, groups, strides, bundle.config.grain)
    levels = tuple(config or default_config(groups, bundle.config.grain == ROUTED))
    shares = [LEVEL_SHARES[min(i, len(LEVEL_SHARES) - 1)] for i in range(len(groups))]
    begun: list[LevelPrior | None] = [None] * len(groups)
    if start is not None:
        torch.manual_seed(0)
        begun = [
            grown_level(level_of_bundle(Bundle(start), level), sizes, groups, strides)
            for level, sizes in enumerate(levels)
        ]
    samples = collect_samples(bundle, data, limit=image_limit, mirrored=mirrored, cache=cache, note=note)
    trained = []
    for level, (sizes, share) in enumerate(zip(levels, shares, strict=True)):
        found = train_level(
            samples,
            tables,
            sizes,
            level,
            minutes * share / sum(shares),
            max_steps=max_steps,
            start=begun[level],
            learning_rate=learning_rate,
            note=note,
        )
        for group, (before, after) in enumerate(zip(found.table_bits, found.prior_bits, strict=True)):
            note(
                f"level {level}, group {group}: {before:.3f} bits a token with tables, {after:.3f} with the prior"
            )
        trained.append(found)
    parts = prior_parts(bundle, trained)
    return PriorReport(
        tuple(b for t in trained for b in t.table_bits),
        tuple(b for t in trained for b in t.prior_bits),
        write_prior(folder, parts),
    )


def prior_parts(bundle: Bundle, trained: Sequence[TrainedLevel]) -> dict[str, NDArray[Any]]:
    """The arrays of prior.npz; the bounds are asserted, and the golden hashes taken with the runtime itself."""
    groups, strides = bundle.config.groups, bundle.config.strides
    table_bits = np.array([b for t in trained for b in t.table_bits])
    prior_bits = np.array([b for t in trained for b in t.prior_bits])
    parts: dict[str, NDArray[Any]] = {
        "stages": np.array([s for t in trained for s in t.network.config.stages], np.int32),
        "blocks": np.array([t.network.config.blocks for t in trained], np.int32),
        "savings": np.round(np.clip(prior_bits / np.maximum(table_bits, 1e-6), 0.3, 1.0), 4),
        "golden": np.array([""] * len(groups)),
    }
    place, shifts = 0, []
    for level, found in enumerate(trained):
        network = found.network
        if level:
            parts[f"context_{level}"] = _bytes(context_onnx(network, groups).SerializeToString())
        parts[f"step_{level}"] = _bytes(step_onnx(network, groups).SerializeToString())
        for head in network.heads:
            assert isinstance(head, IntegerConv)
            weight, bias = checked_integers(head)
            parts[f"head_{place}"] = np.ascontiguousarray(weight[:, :, 0, 0].T)
            parts[f"bias_{place}"] = bias
            shifts.append(head.shift)
            place += 1
    parts["shifts"] = np.array(shifts, np.int32)
    prior = MaskedPrior(parts, bundle.prior_network, strides, groups)
    parts["golden"] = np.array([prior.golden_hash(level) for level in range(len(groups))])
    return parts


def write_prior(folder: Path, parts: dict[str, NDArray[Any]]) -> int:
    """Write prior.npz and renew the configuration's hashes; returns the file's size in bytes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **parts)  # type: ignore[arg-type]
    write_bytes_atomic(folder / PRIOR_NAME, stream.getvalue())
    write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
    return len(stream.getvalue())


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)
