"""Training of a masked prior: maps as an allocation chooses them, and a bundle's prior trained on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wisp.codecs import codec_for_model
from wisp.codecs.pyramid_networks import analyse
from wisp.errors import ModelMismatch, UsageError
from wisp.runtime import Bundle
from wisp.train.prior_batches import BatchMaker, crop_sample
from wisp.train.prior_export import train_prior
from wisp.train.prior_growth import grown_level
from wisp.train.prior_layers import IntegerConv, IntegerEmbedding
from wisp.train.prior_loop import batch_bits
from wisp.train.prior_network import LevelConfig
from wisp.train.prior_start import level_of_bundle
from wisp.train.prior_tokens import Sample, _sample, collect_samples
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
        network = level_of_bundle(bundle, level)
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
    trained = level_of_bundle(Bundle(prior_model), 0)
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
    moved, kept = (level_of_bundle(Bundle(f), 0) for f in (folder, prior_model))
    for ours, theirs in zip(moved.modules(), kept.modules(), strict=True):
        if isinstance(ours, IntegerConv):
            (a, _), (b, _) = ours.integers(), theirs.integers()
            assert (a - b).abs().max() <= 2
        elif isinstance(ours, IntegerEmbedding):
            assert (ours.integers() - theirs.integers()).abs().max() <= 1


def test_mirror_images_count_as_the_same_photograph(prior_model: Path, tmp_path: Path) -> None:
    """Else a picture is measured whose mirror image was trained on; and tokens kept for one use are not another's."""
    data, cache, bundle = tmp_path / "pictures", tmp_path / "tokens", Bundle(prior_model)
    data.mkdir()
    for seed in range(2):
        Image.fromarray(example_picture(96, 128, seed)).save(data / f"{seed}.png")
    plain = collect_samples(bundle, data)
    both = collect_samples(bundle, data, mirrored=True, cache=cache)
    kept = collect_samples(bundle, data, mirrored=True, cache=cache)
    for samples in (both, kept):
        assert [s.photograph for s in samples] == [0, 0, 1, 1]
        for sample, original in zip(samples[::2], plain, strict=True):
            assert np.array_equal(sample.pyramid.planes[2], original.pyramid.planes[2])
        assert not np.array_equal(samples[0].pyramid.planes[2], samples[1].pyramid.planes[2])
    mirror = np.array(Image.open(data / "1.png"))[:, ::-1]
    wanted = _sample(codec_for_model(prior_model), np.ascontiguousarray(mirror), np.random.default_rng(0))
    assert np.array_equal(both[3].pyramid.planes[2], wanted.pyramid.planes[2])
    with pytest.raises(UsageError, match="found others"):
        collect_samples(bundle, data, cache=cache)
    (data / "1.png").rename(data / "other.png")
    with pytest.raises(UsageError, match="found others"):
        collect_samples(bundle, data, mirrored=True, cache=cache)


def test_a_prior_learns_the_tokens_that_are_searched_for(tmp_path: Path) -> None:
    """Those of each crop's own depths, from the networks or from a file."""
    data, cache, codec = tmp_path / "pictures", tmp_path / "tokens", codec_for_model(None, 1)
    data.mkdir()
    Image.fromarray(example_picture(96, 128, 1)).save(data / "1.png")
    pixels = np.array(Image.open(data / "1.png"))
    analysed = analyse(codec.bundle, pixels, search=True)
    for sample in (
        *collect_samples(codec.bundle, data, cache=cache),
        *collect_samples(codec.bundle, data, cache=cache),
    ):
        for grain in sample.maps:
            wanted = analysed.at(grain)
            assert sample.at(grain) == wanted
            crop = crop_sample(sample, 1, 1, 2, grain[1:3, 1:3])
            for level, plane in enumerate(wanted.planes):
                fold = 1 << level
                np.testing.assert_array_equal(crop.planes[level], plane[:, fold : 3 * fold, fold : 3 * fold])


def test_priors_that_cannot_be_read_are_refused(
    prior_model: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelMismatch):
        level_of_bundle(Bundle(tiny_model), 0)
    other = {**Bundle(prior_model).prior_parts, "blocks": np.array([3, 2, 2])}
    monkeypatch.setattr(Bundle, "prior_parts", other)
    with pytest.raises(ModelMismatch, match="3 blocks"):
        level_of_bundle(Bundle(prior_model), 0)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_grown_prior_begins_as_the_small_one(prior_model: Path, level: int) -> None:
    """More channels, hidden units and blocks, and the same logits; yet all of it can learn."""
    groups, strides = (4, 4, 4), (32, 16, 8)
    small = level_of_bundle(Bundle(prior_model), level)
    assert (small.config.width, small.config.hidden, small.config.blocks) == (16, 16, 2)
    large = grown_level(small, replace(small.config, width=24, hidden=32, blocks=3), groups, strides)
    planes = [torch.randint(0, 257, (1, 4, 4 << i, 4 << i)) for i in range(level + 1)]
    depths = torch.randint(0, 13, (1, 4 << level, 4 << level))
    logits = []
    for network in (small, large):
        features = network.step(planes[level], depths, network.context(planes[:level]))
        rows = features.permute(0, 2, 3, 1).reshape(-1, network.config.width)
        logits.append(torch.stack([network.logits(rows, group) for group in range(4)]))
    assert logits[0].std() > 1
    assert torch.equal(logits[0], logits[1])
    logits[1].square().sum().backward()
    for reader in (
        large.heads[0],
        large.blocks[0].expand,
        large.blocks[0].contract,
        large.blocks[2].contract,
    ):
        assert reader.weight.grad[:, 16:].abs().max() > 0


def test_a_prior_does_not_shrink(prior_model: Path) -> None:
    small = level_of_bundle(Bundle(prior_model), 0)
    for fewer in ({"width": 8}, {"hidden": 8}, {"blocks": 1}, {"stages": (2, 2, 2, 2)}):
        with pytest.raises(UsageError, match="at least as large"):
            grown_level(small, replace(small.config, **fewer), (4, 4, 4), (32, 16, 8))


@pytest.mark.parametrize(
    ("groups", "strides"), [((4, 4, 4), (32, 8, 4)), ((2, 4, 4), (32, 16, 8)), ((4, 2, 4), (32, 16, 8))]
)
def test_a_prior_of_another_pyramid_does_not_grow(
    prior_model: Path, groups: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    small = level_of_bundle(Bundle(prior_model), 1)
    config = replace(small.config, stages=small.config.stages)
    with pytest.raises(UsageError, match="start from another bundle"):
        grown_level(small, config, groups, strides)
