"""What training does for models of one product level and uniform grain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_bundle import tiny_recipe, tiny_uniform_recipe

from wisp.allocation.benefit import region_distortions, region_weights
from wisp.codecs import codec_for_model
from wisp.errors import UsageError
from wisp.imaging import plan_tiles
from wisp.tokens.pyramid import NOT_SENT
from wisp.tokens.uniform_grain import grain_of_map
from wisp.train.card import training_section
from wisp.train.dataset import CropSampler
from wisp.train.fit_tables import candidate_contexts
from wisp.train.latent_norm import LatentNorm
from wisp.train.networks import LatentHead, TokenPyramid
from wisp.train.principal_start import start_at_principal_components
from wisp.train.prior_batches import BatchMaker
from wisp.train.prior_network import default_config
from wisp.train.prior_tokens import Sample
from wisp.train.recipe import DataConfig, ModelConfig, StageConfig
from wisp.train.schedule import parameter_groups
from wisp.train.verify import example_picture

PICTURES = [example_picture(160, 160, seed) for seed in range(3)]


def test_slices_have_a_size_of_their_own() -> None:
    torch.manual_seed(0)
    norm = LatentNorm(8, 2).train()
    scale = torch.tensor([3.0] * 4 + [0.3] * 4).view(1, -1, 1, 1)
    y = norm(torch.randn(4, 8, 6, 6) * scale + 0.2)
    assert y[:, :4].std() == pytest.approx(1, abs=0.05)
    assert y[:, 4:].std() == pytest.approx(1, abs=0.05)
    layer = torch.nn.Conv2d(3, 8, 1)
    x = torch.randn(2, 3, 5, 5)
    norm.eval()
    wanted = norm(layer(x))
    weight, bias = norm.folded(layer)
    assert torch.allclose(torch.nn.functional.conv2d(x, weight, bias), wanted, atol=1e-3, rtol=1e-4)
    norm.fold_into(layer)
    assert torch.allclose(norm(layer(x)), wanted, atol=1e-3, rtol=1e-4)


def test_scaling_a_slice_has_no_gradient() -> None:
    torch.manual_seed(0)
    norm = LatentNorm(8, 2).train()
    norm(torch.randn(4, 8, 6, 6))
    gains = torch.ones(2, requires_grad=True)
    x = torch.randn(4, 8, 6, 6) * gains.repeat_interleave(4).view(1, -1, 1, 1)
    (3 * norm(x)).tanh().square().mean().backward()
    assert gains.grad is not None
    assert gains.grad.abs().max() < 0.1


def test_channels_are_shared_equally() -> None:
    with pytest.raises(UsageError, match="share equally"):
        replace(tiny_uniform_recipe().model, latent_channels=(10,))


def test_heads_start_at_principal_components() -> None:
    torch.manual_seed(0)
    network = TokenPyramid(tiny_uniform_recipe().model)
    sampler = CropSampler(PICTURES, DataConfig(64, 4), 0)
    start_at_principal_components(network, sampler)
    with torch.no_grad():
        head = network.heads[0]
        assert isinstance(head, LatentHead)
        x = torch.cat([sampler.batch() for _ in range(8)])
        features = network.analysis(x)[0]
        latent = head.out(head.mix(features) + 0.3 * torch.nn.functional.silu(head.mix(features)))
    rows = latent.permute(1, 0, 2, 3).flatten(1)
    spread = rows.var(1)
    assert (spread[:-1] >= 0.5 * spread[1:]).all()
    correlation = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlation.abs().max() < 0.5


def test_other_heads_start_as_before() -> None:
    torch.manual_seed(0)
    network = TokenPyramid(tiny_recipe().model)
    before = network.state_dict()["heads.0.out.weight"].clone()
    start_at_principal_components(network, CropSampler(PICTURES, DataConfig(64, 4), 0))
    assert torch.equal(network.heads[0].get_submodule("out").weight, before)


def test_the_analysis_may_learn_slowly() -> None:
    network = TokenPyramid(tiny_uniform_recipe().model)
    (whole,) = parameter_groups(network, StageConfig("s", 1.0))
    fast, slow = parameter_groups(network, StageConfig("s", 1.0, analysis_rate=0.1))
    assert (fast["share"], slow["share"]) == (1.0, 0.1)
    assert len(fast["params"]) == len(list(network.synthesis.parameters()))
    assert len(fast["params"]) + len(slow["params"]) == len(whole["params"])


def test_contexts_can_be_limited_to_the_nearest() -> None:
    assert [c.group for c in candidate_contexts(0, 5, (8,), 2)] == [3, 4]
    assert [c.group for c in candidate_contexts(0, 5, (8,))] == [0, 1, 2, 3, 4]
    assert candidate_contexts(0, 0, (8,), 1) == ()


def test_a_single_level_takes_stages_for_every_group() -> None:
    (level,) = default_config((8,))
    assert len(level.stages) == 8
    assert min(level.stages) > 1
    assert [len(c.stages) for c in default_config((4, 4, 4))] == [4, 4, 4]


def test_the_priors_crops_are_masked_as_files_are(uniform_model: Path) -> None:
    codec = codec_for_model(uniform_model, 1)
    random = np.random.default_rng(0)
    from wisp.codecs.pyramid_networks import analyse

    tokens = analyse(codec.bundle, random.integers(0, 256, (208, 240, 3)).astype(np.uint8)).tokens
    samples = [Sample(tokens, tokens.grain_map[None])]
    maker = BatchMaker(samples, codec.entropy_model, 0, (4, 2, 2, 2), seed=1)
    sparse = 0
    for _ in range(6):
        crops = [maker._crop(1) for _ in range(8)]
        for crop in crops:
            grain = grain_of_map(crop.grain_map)
            assert grain is not None
            assert grain.depth >= 2
            sparse += grain.kept < 16
        batch = maker.make(crops, 1, stage=2)
        absent = torch.from_numpy(np.stack([c.grain_map for c in crops])) == 0
        assert (batch.plane[:, 0][absent] == NOT_SENT).all()
        assert not (batch.chosen & absent).any()
    assert 5 <= sparse <= 25


def test_cards_without_a_preview_have_no_empty_table() -> None:
    recipe = {"name": "n", "seed": 0, "data": {"batch_size": 1, "crop_size": 64}, "stages": []}
    progress = {"total_step": 1, "total_seconds": 60, "history": []}
    assert not any("PSNR" in line for line in training_section({"recipe": recipe, "progress": progress}))


def test_regions_of_other_sides() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    other = np.zeros_like(pixels)
    small = region_distortions(pixels, other, 16)
    assert small.shape == (3, 4)
    assert small.sum() == pytest.approx(region_distortions(pixels[:32], other[:32]).sum() + small[2].sum())
    assert region_weights(pixels, 0.5, 16).shape == (3, 4)
    assert [t.core_rows.stop for t in plan_tiles(48, 64, core=32, halo=16, region=16)] == [16, 16, 48, 48]


def test_a_uniform_model_of_two_levels_is_a_shape_too() -> None:
    config = ModelConfig(
        strides=(32, 16), groups=(2, 2), latent_channels=(8, 8), kinds=("product",) * 2, grain="uniform"
    )
    assert config.slices == (2, 2)
    assert config.sizes == (4, 8, 16, 32)
