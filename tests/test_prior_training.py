"""Training of a masked prior: maps as an allocation chooses them, and a bundle's prior trained on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wisp.codecs import codec_for_model
from wisp.errors import ModelMismatch
from wisp.runtime import Bundle
from wisp.train.prior_batches import BatchMaker
from wisp.train.prior_export import train_prior
from wisp.train.prior_layers import IntegerConv, IntegerEmbedding
from wisp.train.prior_loop import batch_bits
from wisp.train.prior_network import LevelConfig, default_config
from wisp.train.prior_start import level_of_bundle
from wisp.train.prior_tokens import Sample, _sample
from wisp.train.verify import example_picture

CONFIG = LevelConfig(16, 16, 2, (4,) * 4)  # of the tiny prior's first level


def sample_of(model: Path, seed: int = 3) -> Sample:
    return _sample(codec_for_model(model), example_picture(256, 256, seed), np.random.default_rng(seed))


def test_maps_are_those_of_many_budgets(prior_model: Path) -> None:
    """From a few groups to many, and not the same everywhere: else a prior never sees what files look like."""
    maps = np.concatenate([sample_of(prior_model, seed).maps for seed in range(4)])
    means = maps.mean((1, 2))
    assert means.min() < 4 < means.max()
    assert len({m.tobytes() for m in maps}) > len(maps) // 2
    assert np.mean([len(np.unique(m)) > 1 for m in maps]) > 0.5


def test_a_prior_read_back_is_the_same_to_the_integer(prior_model: Path) -> None:
    bundle = Bundle(prior_model)
    prior = codec_for_model(prior_model).prior_model
    assert prior is not None
    for level in range(3):
        stages = prior.prior.stages[4 * level : 4 * level + 4]
        network = level_of_bundle(bundle, LevelConfig(16, 16, 2, stages), level, (4, 4, 4))
        side = 4 << level
        tokens = torch.randint(0, 257, (1, 4, side, side))
        depths = torch.randint(0, 13, (1, side, side))
        coarser = [torch.randint(0, 257, (1, 4, 4 << i, 4 << i)) for i in range(level)]
        with torch.no_grad():
            context = network.context(coarser)
            features = network.step(tokens, depths, context)
        planes = [plane[0].numpy().astype(np.int32) for plane in coarser]
        found = prior.prior.features(
            level,
            tokens[0].numpy().astype(np.int32),
            depths[0].numpy().astype(np.int32),
            prior.prior.context(planes),
        )
        assert np.array_equal(features[0].permute(1, 2, 0).numpy(), found)
        rows = features.permute(0, 2, 3, 1).reshape(-1, 16)
        logits = network.logits(rows, 0).detach().numpy()
        assert np.array_equal(logits, prior.prior.logits(4 * level, found.reshape(-1, 16)))


def test_training_on_begins_where_the_bundle_was(prior_model: Path, tmp_path: Path) -> None:
    sample = sample_of(prior_model)
    model = codec_for_model(prior_model).entropy_model
    batch = BatchMaker([sample], model, 0, CONFIG.stages, 0).make([sample.pyramid], 0, 0)
    trained = level_of_bundle(Bundle(prior_model), CONFIG, 0, (4, 4, 4))
    with torch.no_grad():
        with_prior, alone = batch_bits(trained, batch, 0)
    assert with_prior.mean() != alone.mean()
    data, folder = tmp_path / "pictures", tmp_path / "tiny"
    data.mkdir()
    for seed in range(3):
        Image.fromarray(example_picture(96, 128, seed)).save(data / f"{seed}.png")
    shutil.copytree(prior_model, folder)
    config = [LevelConfig(16, 16, 2, (s,) * 4) for s in (4, 2, 2)]
    train_prior(folder, data, 1.0, max_steps=1, config=config, threads=1, start=prior_model)
    moved, kept = (level_of_bundle(Bundle(f), CONFIG, 0, (4, 4, 4)) for f in (folder, prior_model))
    for ours, theirs in zip(moved.modules(), kept.modules(), strict=True):
        if isinstance(ours, IntegerConv):
            (a, _), (b, _) = ours.integers(), theirs.integers()
            assert (a - b).abs().max() <= 2
        elif isinstance(ours, IntegerEmbedding):
            assert (ours.integers() - theirs.integers()).abs().max() <= 1


def test_priors_of_another_shape_are_refused(prior_model: Path, tiny_model: Path) -> None:
    with pytest.raises(ModelMismatch):
        level_of_bundle(Bundle(prior_model), default_config((4, 4, 4))[0], 0, (4, 4, 4))
    with pytest.raises(ModelMismatch):
        level_of_bundle(Bundle(tiny_model), CONFIG, 0, (4, 4, 4))
