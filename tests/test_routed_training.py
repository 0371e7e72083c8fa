"""What training does for routed models: maps, the shared codebook, the conditional synthesis, and its recipes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_bundle import tiny_routed_recipe

from wisp.allocation.information import patch_entropies
from wisp.errors import UsageError
from wisp.runtime import Bundle
from wisp.tokens.pyramid import PyramidShape
from wisp.train.depths import depths_for
from wisp.train.from_bundle import network_of_bundle
from wisp.train.pyramids import new_network
from wisp.train.recipe import ModelConfig, load_recipe
from wisp.train.routed_networks import ModulatedBlock, RoutedPyramid
from wisp.train.routing import random_ratios, routed_map
from wisp.train.verify import example_picture, verify_bundle

RECIPES = Path(__file__).parent.parent / "recipes"
SHAPE = PyramidShape(12, 12, (16, 8, 4), (1, 1, 1), routed=True)


def network() -> RoutedPyramid:
    torch.manual_seed(0)
    made = new_network(tiny_routed_recipe().model)
    assert isinstance(made, RoutedPyramid)
    return made


def crops(count: int = 3) -> torch.Tensor:
    pictures = [example_picture(64, 64, seed) for seed in range(count)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_ratios_are_shares_and_of_every_kind() -> None:
    random = np.random.default_rng(0)
    drawn = np.stack([random_ratios(3, random) for _ in range(400)])
    assert np.allclose(drawn.sum(1), 1)
    assert drawn.min() >= 0
    pure = (drawn == 1).any(1).mean()
    assert 0.1 < pure < 0.3
    assert ((drawn == 0).sum(1) == 1).mean() > 0.1
    assert ((drawn > 0).all(1)).mean() > 0.4


def test_maps_send_the_busiest_regions_at_the_finest_level() -> None:
    entropies = np.arange(144.0).reshape(12, 12)
    random = np.random.default_rng(3)
    maps = [routed_map(entropies, SHAPE, random) for _ in range(60)]
    assert {int(level) for m in maps for level in np.unique(m)} == {1, 2, 3}
    ordered = [m for m in maps if (np.diff(m.ravel().astype(int)) >= 0).all()]
    assert 0.3 < len(ordered) / len(maps) < 1  # the others were disturbed


def test_depths_of_crops_follow_their_entropy() -> None:
    torch.manual_seed(1)
    x = crops()
    kinds, levels = depths_for(x, tiny_routed_recipe().model)
    assert levels.shape == (3, 4, 4)
    assert kinds.min() >= 0
    assert kinds.max() <= 8
    pixels = example_picture(64, 64, 0)
    assert patch_entropies(pixels, 16).shape == (4, 4)


def test_only_the_level_of_a_region_is_received() -> None:
    model, x = network().train(), crops()
    levels = model.encode(x)
    depth = torch.tensor([1, 2, 3, 1] * 12).view(3, 4, 4)
    latents, masks = model.received(levels, depth)
    for number, (y, mask) in enumerate(zip(latents, masks, strict=True)):
        fold = 2**number
        wanted = (depth == number + 1).repeat_interleave(fold, 1).repeat_interleave(fold, 2)
        assert torch.equal(mask[:, 0].bool(), wanted)
        assert (y * (1 - mask)).abs().max() == 0
        assert y.abs().sum() > 0
    assert model.decode(levels, depth).shape == x.shape


def test_the_codebook_follows_all_levels_alike() -> None:
    model = network().train()
    latents = [torch.randn(2, 4, 4 << level, 4 << level) + level for level in range(3)]
    sample = model._even_sample(latents)
    assert sample.shape == (1, 4, 1, 32 * (1 + 2 + 4))
    before = model.codebook.codebooks.clone()
    model.encode(crops())
    assert not torch.equal(before, model.codebook.codebooks)
    model.eval()
    before = model.codebook.codebooks.clone()
    model.encode(crops())
    assert torch.equal(before, model.codebook.codebooks)


def test_settling_keeps_tokens_meaning_the_same_words() -> None:
    model = network().train()
    model.encode(crops())
    model.eval()
    with torch.no_grad():
        levels = model.encode(crops())
        depth = torch.full((3, 4, 4), 2)
        before = model.decode(levels, depth)
        model.settle()
        after = model.decode(model.encode(crops()), depth)
    book = model.codebook.codebooks[0]
    assert (after - before).abs().mean() < 0.02
    assert torch.equal(book, book.half().float())
    shelves = book.view(4, 256, 4)
    within = (shelves - shelves.mean(1, keepdim=True)).square().mean()
    assert within < 0.9 * (book - book.mean(0)).square().mean()


def test_without_injection_finer_grains_only_modulate() -> None:
    table = tiny_routed_recipe().model
    config = ModelConfig(**{**table.__dict__, "injection": False})
    with_layers = {name for name, _ in network().synthesis.named_modules()}
    without = {name for name, _ in new_network(config).synthesis.named_modules()}
    assert with_layers - without == {"in8", "in4"}
    model = new_network(config).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ModulatedBlock):
                module.modulate.weight.normal_(std=0.1)
        levels = model.encode(crops())
        shown = [model.decode(levels, torch.full((3, 4, 4), level)) for level in (2, 3)]
    assert (shown[0] - shown[1]).abs().max() > 0


def test_a_bundle_does_what_the_network_does(routed_model: Path, tmp_path: Path) -> None:
    assert verify_bundle(routed_model).passed


def test_a_routed_bundle_cannot_be_read_back(routed_model: Path) -> None:
    with pytest.raises(UsageError, match="routed"):
        network_of_bundle(Bundle(routed_model), tiny_routed_recipe().model)


@pytest.mark.parametrize(
    "wrong",
    [{"codebook_size": 256}, {"groups": (1, 2, 1)}, {"latent_channels": (4, 4, 8)}, {"strides": (32, 16, 8)}],
)
def test_shapes_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    table = {**tiny_routed_recipe().model.__dict__, **wrong}
    if "strides" in wrong:
        table |= {"widths": (8,) * 4, "analysis_blocks": (1,) * 4, "synthesis_blocks": (1,) * 4}
    with pytest.raises(UsageError):
        ModelConfig(**table)


def test_the_full_width_recipe_builds() -> None:
    recipe = load_recipe(RECIPES / "control_gic_full.toml")
    with torch.device("meta"):
        model = new_network(recipe.model)
    assert 50e6 < sum(p.numel() for p in model.parameters()) < 140e6
    assert load_recipe(RECIPES / "control_gic.toml").model_number == 3
