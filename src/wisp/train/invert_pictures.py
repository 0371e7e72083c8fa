"""Pictures to files of a latent vector by inversion: what `wisp invert` and the bench do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wisp.codecs.latent_vector import LatentVectorCodec, step_of
from wisp.container import unpack_file
from wisp.entropy.gaussian_tables import deviation
from wisp.entropy.latent_bytes import LatentKind, write_qsgd
from wisp.entropy.qsgd import quantise
from wisp.errors import ModelMismatch, UsageError
from wisp.imaging import Picture
from wisp.train.feature_loss import FeatureLoss
from wisp.train.inversion import InversionOptions, InversionTask, Inverted, invert
from wisp.train.latent_configs import VectorConfig
from wisp.train.latent_from_bundle import generator_of_bundle

CODER_BITS = 10  # of a range-coded payload beyond its symbols' ideal length


def config_of(codec: LatentVectorCodec) -> VectorConfig:
    """The shape that a bundle says it was trained in.

    Raises:
        ModelMismatch: it says none, or a wrong one.
    """
    try:
        table: dict[str, Any] = dict(codec.bundle.config.latent["shape"])
        shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        return VectorConfig(**shape)
    except (KeyError, TypeError, ValueError, UsageError) as fault:
        raise ModelMismatch(
            f"expected the shape of a generator in {codec.bundle.folder}, found {fault!r}; reinstall the model"
        ) from None


def invert_pictures(
    codec: LatentVectorCodec,
    pictures: Sequence[Picture],
    num_bytes: int,
    options: InversionOptions,
    weights: Path | None = None,
    note: Callable[[int, float], None] = lambda step, score: None,
) -> tuple[list[bytes], Inverted]:
    """Files of at most `num_bytes` each, and what the search found.

    A picture whose search found nothing better than the analysis network keeps that network's vector.

    Raises:
        BudgetError: no file of that size exists for one of them.
    """
    generator = generator_of_bundle(codec.bundle, config_of(codec))
    features = None if weights is None else FeatureLoss(weights)
    squares = [codec.square(picture.pixels_u8) for picture in pictures]
    latents = [codec.analyse(square) for square in squares]
    plain = [codec.fit(p, z, num_bytes) for p, z in zip(pictures, latents, strict=True)]
    wanted = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 127.5 - 1
    payloads = [unpack_file(data).payload for data in plain]
    rooms = [num_bytes - (len(data) - len(p)) - 1 for data, p in zip(plain, payloads, strict=True)]
    task = InversionTask(
        draw=generator,
        spreads=torch.tensor([deviation(int(i)) for i in codec.scales_at(32)]).float(),
        scales_at=codec.scales_at,
        step_of=step_of,
        starts=torch.from_numpy(np.stack(latents)),
        levels=np.stack([codec.levels_of(unpack_file(data)) for data in plain]),
        indices=np.array([payload[0] for payload in payloads]),
        last_index=codec.last_index,
        wanted=wanted,
        budgets=np.array([8 * room - CODER_BITS for room in rooms], np.float64),
    )
    found = invert(task, options, features, note)
    files = []
    for i, picture in enumerate(pictures):
        data = plain[i]
        if found.scores[i] < 1:
            ours = codec.write_levels(picture, found.levels[i], int(found.indices[i]))
            data = ours if len(ours) <= num_bytes else data
        files.append(data)
    return files, found


def published_file(
    codec: LatentVectorCodec, picture: Picture, found: Inverted, place: int, bits: int
) -> bytes:
    """A found vector in the published code: QSGD with stochastic rounding, gaps, signs and levels in omega words.

    Raises:
        UsageError: bits are not from 1 to 8.
    """
    values = found.levels[place] * step_of(int(found.indices[place]))
    vector = quantise(values, bits, rounding="stochastic")
    return codec.write_published(picture, write_qsgd(vector, LatentKind.GAPS))
