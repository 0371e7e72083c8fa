"""The critic of the adversarial stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_bundle import tiny_recipe
from torch import Tensor

from wisp.errors import UsageError
from wisp.train.adversary import Adversary
from wisp.train.critic import Critic, condition_of
from wisp.train.feature_loss import FeatureLoss
from wisp.train.pyramid_trainer import PyramidTrainer
from wisp.train.recipe import StageConfig
from wisp.train.run_options import RunOptions
from wisp.train.verify import example_picture as make_picture

CONFIG = tiny_recipe().model


def _sent(batch: int = 4) -> list[Tensor]:
    return [torch.randn(batch, 8, size, size) for size in (2, 4, 8)]


def test_the_condition_is_cut_like_the_features() -> None:
    sent = _sent()
    assert torch.equal(condition_of(sent, 8, (0, 0))[:, 16:], sent[2])
    cut = condition_of(sent, 8, (9, 0))
    assert cut.shape == (4, 24, 7, 8)
    assert torch.equal(cut[:, 16:], sent[2][..., 1:, :])
    assert torch.equal(cut[:, :8, 0, 0], sent[0][:, :, 0, 0])


def test_the_verdict_depends_on_what_was_sent(weights: Path) -> None:
    features = FeatureLoss(weights)
    critic = Critic(features.channels, 24).eval()
    x = torch.rand(4, 3, 64, 64)
    compared = features.compare(x, x)
    verdicts = [critic(compared.wanted, condition_of(_sent(), 8, compared.shift)) for _ in range(2)]
    assert [v.shape[0] for v in verdicts[0]] == [4, 4, 4]
    assert not torch.allclose(verdicts[0][0], verdicts[1][0])


def test_pixels_have_half_of_the_verdict(weights: Path) -> None:
    features = FeatureLoss(weights)
    critic = Critic(features.channels, 24, pixels=True).eval()
    x = torch.rand(4, 3, 64, 64)
    compared = features.compare(x, x)
    condition = condition_of(_sent(), 8, compared.shift)
    verdicts = critic(compared.wanted, condition, compared.pictures[0])
    assert len(verdicts) == 8
    assert torch.equal(verdicts[4], verdicts[7])
    noisy = critic(compared.wanted, condition, torch.rand_like(compared.pictures[0]))
    assert torch.equal(verdicts[3], noisy[3])
    assert not torch.allclose(verdicts[4], noisy[4])


def test_a_critic_of_pixels_without_a_critic_is_refused() -> None:
    with pytest.raises(UsageError, match="adversarial_weight"):
        StageConfig("sharp", 1.0, feature_weight=1.0, pixel_critic=True)


@pytest.mark.parametrize("pixels", [False, True])
def test_a_critic_learns_to_tell_and_a_synthesis_to_please(weights: Path, pixels: bool) -> None:
    torch.manual_seed(0)
    features = FeatureLoss(weights)
    channels = sum(CONFIG.latent_channels)
    adversary = Adversary(CONFIG.strides[-1], channels, features, torch.device("cpu"), pixels)
    sent = _sent()
    x = torch.rand(4, 3, 64, 64) * 2 - 1
    smooth = torch.nn.functional.avg_pool2d(x, 5, 1, 2)
    losses, doubts = [], []
    for _ in range(60):
        doubts.append(float(adversary.doubt(features.compare(x, smooth), sent).detach()))
        losses.append(adversary.step()["critic"])
    assert losses[-1] < 0.9 * losses[0]
    assert doubts[-1] > doubts[0]
    shown = smooth.clone().requires_grad_(True)
    for _ in range(20):
        adversary.critic.requires_grad_(False)
        (gradient,) = torch.autograd.grad(adversary.doubt(features.compare(x, shown), sent), [shown])
        shown = (shown - 2e-2 * gradient.sign()).detach().requires_grad_(True)
    assert float(adversary.doubt(features.compare(x, shown), sent).detach()) < doubts[-1]


def test_nothing_seen_means_no_step(weights: Path) -> None:
    assert (
        Adversary(
            CONFIG.strides[-1], sum(CONFIG.latent_channels), FeatureLoss(weights), torch.device("cpu")
        ).step()
        == {}
    )


def test_a_critic_without_features_is_refused() -> None:
    with pytest.raises(UsageError, match="feature_weight"):
        StageConfig("sharp", 1.0, adversarial_weight=0.3)


def test_a_run_is_not_resumed_with_another_recipe(weights: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(make_picture(80, 100)).save(pictures / "0.png")
    first = replace(tiny_recipe().stages[0], feature_weight=1.0)
    options = RunOptions(pictures, tmp_path / "run", 1e15, weights, max_steps=1, device="cpu", threads=1)
    PyramidTrainer(replace(tiny_recipe(), stages=(first,)), options).train()
    for changes in ({"adversarial_weight": 0.3}, {"adversarial_weight": 0.3, "pixel_critic": True}):
        recipe = replace(tiny_recipe(), stages=(replace(first, **changes),))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="recipe that it began with"):
            PyramidTrainer(recipe, replace(options, resume=True))


def test_a_resumed_run_keeps_its_critic(weights: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(make_picture(80, 100)).save(pictures / "0.png")
    recipe = tiny_recipe()
    recipe = replace(recipe, stages=(replace(recipe.stages[0], feature_weight=1.0, adversarial_weight=0.3),))
    runs = []
    for name, limits in (("a", (4,)), ("b", (2, 4))):
        for i, limit in enumerate(limits):
            options = RunOptions(
                pictures,
                tmp_path / name,
                1e15,
                weights,
                resume=i > 0,
                max_steps=limit,
                device="cpu",
                threads=1,
            )
            trainer = PyramidTrainer(recipe, options)
            trainer.train()
        runs.append(trainer)
    states = [
        run.objective.adversary.critic.state_dict() for run in runs if run.objective.adversary is not None
    ]
    assert len(states) == 2
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
