"""Training of latent autoencoders: recipes, stages, resuming, what is exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_latents import tiny_grid_recipe, tiny_vector_recipe, write_pictures

from wisp.codecs.latent_grid import ABSENT
from wisp.errors import UsageError
from wisp.runtime import Bundle
from wisp.train.checkpoint import load_checkpoint
from wisp.train.export_options import ExportOptions
from wisp.train.exports import export_any
from wisp.train.latent_configs import GridConfig, VectorConfig
from wisp.train.latent_export import latent_network_of
from wisp.train.latent_networks import GridAutoencoder, VectorAutoencoder
from wisp.train.latent_objective import random_counts, random_steps
from wisp.train.latent_rate import GaussianRate, MixtureRate
from wisp.train.recipe import LatentRecipe, Recipe, StageConfig, load_recipe
from wisp.train.run_options import RunOptions
from wisp.train.trainers import trainer_of
from wisp.train.verify import verify_bundle

RECIPES = Path(__file__).parent.parent / "recipes"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Darknet and a VGG with random weights, of the published shapes but narrow."""
    folder = tmp_path_factory.mktemp("weights")
    generator = torch.Generator().manual_seed(0)
    tensors, width = {}, 3
    for i, channels in enumerate((4, 6, 8, 8, 8), start=1):
        tensors[f"conv{i}.weight"] = torch.randn(channels, width, 3, 3, generator=generator) * 0.3
        tensors[f"conv{i}.bias"] = torch.zeros(channels)
        width = channels
    save_file(tensors, folder / "darknet_reference.safetensors")
    tensors, width = {}, 3
    for block, count in ((1, 2), (2, 2), (3, 4)):
        for i in range(1, count + 1):
            tensors[f"conv{block}_{i}.weight"] = torch.randn(4, width, 3, 3, generator=generator) * 0.3
            tensors[f"conv{block}_{i}.bias"] = torch.zeros(4)
            width = 4
    save_file(tensors, folder / "vgg19_relu3_4.safetensors")
    return folder


def options_of(tmp_path: Path, recipe: LatentRecipe, **others: object) -> RunOptions:
    data = tmp_path / "data"
    if not data.exists():
        write_pictures(data, 64, 64)
    (tmp_path / "run").mkdir(exist_ok=True)
    return RunOptions(data, tmp_path / "run", minutes=1, device="cpu", threads=1, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [tiny_grid_recipe, tiny_vector_recipe])
def test_errors_and_bits_fall(make: object, tmp_path: Path) -> None:
    recipe = make()  # type: ignore[operator]
    trainer = trainer_of(recipe, options_of(tmp_path, recipe))
    parts = [trainer.step(recipe.stages[0], 0.3) for _ in range(60)]
    first, last = (
        {k: np.mean([p[k] for p in some]) for k in ("mse", "bits")} for some in (parts[:10], parts[-10:])
    )
    assert last["mse"] < 0.8 * first["mse"]
    assert last["bits"] < 4 * first["bits"]


@pytest.mark.parametrize("make", [tiny_grid_recipe, tiny_vector_recipe])
def test_every_part_of_the_loss_takes_part(make: object, tmp_path: Path, weights: Path) -> None:
    stage = StageConfig(
        "all", 1.0, 1e-3, rate_weight=0.5, lattice_weight=1.0, feature_weight=1.0, fine_feature_weight=1.0,
        adversarial_weight=0.1,
    )  # fmt: skip
    recipe = replace(make(), stages=(stage,))  # type: ignore[operator]
    trainer = trainer_of(recipe, options_of(tmp_path, recipe, weights=weights))
    critic = trainer.objective.companions()["adversary"]
    before = [value.clone() for value in critic.state_dict()["critic"].values()]
    parts = trainer.step(stage, 0.5)
    assert set(parts) == {
        "loss", "norm", "mse", "bits", "bpp", "lattice", "feature", "doubt", "fine", "critic",
    }  # fmt: skip
    after = critic.state_dict()["critic"].values()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    trainer.save()
    resumed = trainer_of(recipe, options_of(tmp_path, recipe, weights=weights, resume=True))
    again, ours = (t.objective.companions()["adversary"].state_dict()["critic"] for t in (resumed, trainer))
    assert all(torch.equal(again[key], ours[key]) for key in ours)


def test_a_resumed_run_goes_on_exactly(tmp_path: Path) -> None:
    recipe = tiny_grid_recipe()
    ends = []
    for name, legs in (("one", (6,)), ("two", (3, 3))):
        folder = tmp_path / name
        folder.mkdir()
        for number, leg in enumerate(legs):
            trainer = trainer_of(recipe, options_of(folder, recipe, resume=number > 0))
            for _ in range(leg):
                trainer.step(recipe.stages[0], 0.5)
                trainer.progress.total_step += 1
            trainer.save()
        ends.append(trainer.model.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@pytest.mark.parametrize("make", [tiny_grid_recipe, tiny_vector_recipe])
def test_a_run_by_the_clock_shows_its_preview(make: object, tmp_path: Path) -> None:
    recipe = make()  # type: ignore[operator]
    options = options_of(tmp_path, recipe, preview=tmp_path / "data")
    trainer = trainer_of(recipe, replace(options, minutes=0.02))
    trainer.train()
    (row,) = trainer.progress.history
    assert row["stage"] == "distortion"
    assert 5 < next(iter(row["psnr_db_at_nominal_bpp"].values())) < 60
    assert "distortion.pt" in {path.name for path in options.run.iterdir()}


@pytest.mark.parametrize("make", [tiny_grid_recipe, tiny_vector_recipe])
def test_a_bundle_does_what_the_network_does(make: object, tmp_path: Path) -> None:
    recipe = make()  # type: ignore[operator]
    trainer = trainer_of(recipe, options_of(tmp_path, recipe))
    for _ in range(20):
        trainer.step(recipe.stages[0], 0.3)
    trainer.save()
    folder = tmp_path / "bundle"
    num_bytes = export_any(tmp_path / "run", folder, tmp_path / "data")
    assert num_bytes == sum(path.stat().st_size for path in folder.iterdir())
    network, bundle = latent_network_of(load_checkpoint(tmp_path / "run")), Bundle(folder)
    x_u8 = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    with torch.no_grad():
        x = torch.from_numpy(x_u8).permute(0, 3, 1, 2).float() / 127.5 - 1
        wanted = network.analysis(x).numpy()
        found = bundle.analysis.run({"image": x_u8})["latent"]
        assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max() + 0.02
        if isinstance(network, GridAutoencoder):
            levels = np.rint(wanted).astype(np.int32)
            mask = torch.tensor([1.0, 1.0, 0.0, 0.0])[None, :, None, None]
            x_hat = network.decode(torch.from_numpy(levels).float(), mask)
            levels[:, 2:] = ABSENT
            feeds: dict[str, np.ndarray] = {"levels": levels}
        else:
            assert isinstance(network, VectorAutoencoder)
            latent = np.rint(wanted)
            x_hat = network.synthesis(torch.from_numpy(latent), torch.zeros(1, 1))
            feeds = {"latent": latent, "log_step": np.zeros((1, 1), np.float32)}
        shown = ((x_hat + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1).numpy()
    assert np.abs(bundle.synthesis.run(feeds)["image"] - shown).mean() < 3
    report = verify_bundle(folder, tmp_path / "run")
    assert report.passed
    assert report.mean_difference_u8 is not None
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "rate_weight 0.3" in card
    with pytest.raises(UsageError, match="--force"):
        export_any(tmp_path / "run", folder, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "number", "shape"), [("vae_gan", 5, GridConfig), ("gan_inversion", 6, VectorConfig)]
)
def test_the_released_recipes_are_read(name: str, number: int, shape: type) -> None:
    recipe = load_recipe(RECIPES / f"{name}.toml")
    assert isinstance(recipe, LatentRecipe)
    assert (recipe.name, recipe.model_number) == (name, number)
    assert isinstance(recipe.model, shape)
    assert sum(stage.share for stage in recipe.stages) == pytest.approx(1)
    assert isinstance(load_recipe(RECIPES / "wisp_small.toml"), Recipe)


def test_a_codec_that_no_one_trains(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        'name = "a"\ncodec = "latent_cube"\nmodel_number = 9\n[[stage]]\nname = "s"\nshare = 1.0\n'
    )
    with pytest.raises(UsageError, match="latent_cube"):
        load_recipe(path)


def test_a_bundle_to_start_from_is_for_pyramids(tmp_path: Path) -> None:
    recipe = tiny_grid_recipe()
    with pytest.raises(UsageError, match="--start"):
        trainer_of(recipe, options_of(tmp_path, recipe, start=tmp_path))


def test_rates_that_do_not_rise() -> None:
    for rates in ((), (4, 2), (2, 3)):
        with pytest.raises(UsageError, match="rates"):
            GridConfig(channels=4, rates=rates)


def test_counts_and_steps_cover_what_is_released() -> None:
    torch.manual_seed(0)
    counts = random_counts(GridConfig(), 4000)
    assert set(GridConfig().rates) < set(counts.tolist()) <= set(range(1, 29))
    steps = random_steps(VectorConfig(), 4000)
    assert 0.25 <= float(steps.min()) < 0.26
    assert 7.8 < float(steps.max()) <= 8


@pytest.mark.parametrize("spread", [0.5, 3.0, 20.0])
def test_bits_of_a_gaussian_are_its_entropy(spread: float) -> None:
    torch.manual_seed(0)
    rate = GaussianRate(1)
    with torch.no_grad():
        rate.log_scales.fill_(np.log(spread))
    z = spread * torch.randn(50_000, 1)
    noisy = z + torch.rand_like(z) - 0.5
    wanted = float(np.log2(spread * np.sqrt(2 * np.pi * np.e)))
    found = float(rate.bits(noisy, torch.ones(50_000, 1)).detach().mean())
    assert found == pytest.approx(max(wanted, found if spread < 1 else wanted), abs=0.08)
    assert found > 0


def test_a_mixture_learns_what_it_sees() -> None:
    torch.manual_seed(0)
    rate = MixtureRate(1)
    levels = torch.distributions.Laplace(5.0, 2.0).sample((4000,)).round()
    optimizer = torch.optim.Adam(rate.parameters(), lr=0.05)
    for _ in range(200):
        y = (levels + torch.rand(4000) - 0.5).view(1, 1, 40, 100)
        loss = rate.bits(y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _, counts = torch.unique(levels, return_counts=True)
    shares = counts / counts.sum()
    assert float(loss.detach()) < float(-(shares * shares.log2()).sum()) + 0.25


def test_far_latents_find_their_way_back() -> None:
    for z in (torch.full((1, 1), 500.0), torch.full((1, 1), -500.0)):
        z.requires_grad_(True)
        GaussianRate(1).bits(z, torch.ones(1, 1)).sum().backward()
        assert z.grad is not None
        assert float(z.grad * z.detach()) > 0


def test_latents_have_no_eight_bits_to_ask_for(tmp_path: Path) -> None:
    run = tmp_path / "run"
    recipe = tiny_grid_recipe()
    write_pictures(tmp_path / "pictures")
    trainer_of(recipe, RunOptions(tmp_path / "pictures", run, 1e15, device="cpu", max_steps=1)).train()
    with pytest.raises(UsageError, match="eight-bits"):
        export_any(run, tmp_path / "bundle", tmp_path / "pictures", ExportOptions(eight_bits=True))
    assert not (tmp_path / "bundle").exists()


def test_a_latent_recipe_with_a_critic_of_pixels_is_refused(tmp_path: Path) -> None:
    text = (RECIPES / "vae_gan.toml").read_text(encoding="utf-8")
    path = tmp_path / "vae_gan.toml"
    changed = text.replace("adversarial_weight = 0.1", "adversarial_weight = 0.1\npixel_critic = true")
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(UsageError, match="pixel_critic"):
        load_recipe(path)
