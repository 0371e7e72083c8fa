"""Bits as a part of the training loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_bundle import tiny_recipe

from wisp.train.networks import TokenPyramid
from wisp.train.prior_network import LevelPrior
from wisp.train.pyramid_trainer import PyramidTrainer
from wisp.train.rate_term import RateTerm
from wisp.train.recipe import Recipe
from wisp.train.run_options import RunOptions
from wisp.train.verify import example_picture as make_picture

CONFIG = tiny_recipe().model


def _network() -> TokenPyramid:
    torch.manual_seed(0)
    network = TokenPyramid(CONFIG).eval()
    for quantizer in network.quantizers:
        quantizer.initialised.fill_(True)  # type: ignore[union-attr, operator]
    return network


def test_an_untrained_prior_says_eight_bits_a_token() -> None:
    network, term = _network(), RateTerm(CONFIG)
    levels = network.encode(torch.rand(2, 3, 64, 64) * 2 - 1)
    depth = torch.tensor([[[12, 12], [12, 12]], [[4, 4], [0, 4]]])
    with torch.no_grad():  # 12 and 4 groups; stages are drawn, so a mean
        found = torch.stack([term(levels, network.quantizers, depth)[0] for _ in range(80)]).mean(0)
    assert float(found[0]) == pytest.approx(8 * 4 * 4 * (1 + 4 + 16), rel=0.15)
    assert float(found[1]) == pytest.approx(8 * 4 * 3, rel=0.5)


def test_bits_move_the_latents_and_the_loss_moves_the_prior() -> None:
    network, term = _network(), RateTerm(CONFIG)
    levels = network.encode(torch.rand(1, 3, 64, 64) * 2 - 1)
    bits, loss = term(levels, network.quantizers, torch.full((1, 2, 2), 12))
    latents = [level.latent for level in levels]
    priors = list(term.parameters())
    moved = torch.autograd.grad(bits.sum(), latents, allow_unused=True, retain_graph=True)
    assert all(g is not None and bool(g.abs().sum() > 0) for g in moved)
    assert all(
        g is None for g in torch.autograd.grad(bits.sum(), priors, allow_unused=True, retain_graph=True)
    )
    assert all(g is None for g in torch.autograd.grad(loss, latents, allow_unused=True, retain_graph=True))
    assert any(g is not None for g in torch.autograd.grad(loss, priors, allow_unused=True))


def test_latents_are_drawn_to_expected_codewords() -> None:
    network, term = _network(), RateTerm(CONFIG)
    with torch.no_grad():
        for prior in term.priors:
            assert isinstance(prior, LevelPrior)
            for head in prior.heads:
                head.bias[7] = 20.0  # type: ignore[index, operator]
    term.distances.fill_(1e6)  # so soft that every codeword counts
    levels = network.encode(torch.rand(1, 3, 64, 64) * 2 - 1)
    bits = torch.zeros(1)
    while float(bits.detach()) == 0:  # the group and the stage are drawn, and may have no token here
        bits, _ = term(levels, network.quantizers, torch.full((1, 2, 2), 1))
    (gradient,) = torch.autograd.grad(bits.sum(), [levels[0].latent])
    codeword = network.quantizers[0].codebooks[0, 7].view(1, -1, 1, 1)  # type: ignore[union-attr, index]
    towards = ((codeword - levels[0].latent.detach()) * gradient).sum()
    assert float(towards) < 0  # a step against the gradient comes nearer to codeword 7


def _run(recipe: Recipe, pictures: Path, folder: Path, *limits: int) -> PyramidTrainer:
    for i, limit in enumerate(limits):
        options = RunOptions(pictures, folder, 1e15, resume=i > 0, max_steps=limit, device="cpu", threads=1)
        trainer = PyramidTrainer(recipe, options)
        trainer.train()
    return trainer


def test_a_resumed_run_keeps_its_prior(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(make_picture(80, 100)).save(pictures / "0.png")
    recipe = tiny_recipe()
    recipe = replace(recipe, stages=(replace(recipe.stages[0], rate_weight=1.0),))
    straight = _run(recipe, pictures, tmp_path / "a", 4)
    resumed = _run(recipe, pictures, tmp_path / "b", 2, 4)
    assert straight.objective.rate is not None
    assert resumed.objective.rate is not None
    for ours, theirs in (
        (straight.objective.rate.term, resumed.objective.rate.term),
        (straight.model, resumed.model),
    ):
        pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
