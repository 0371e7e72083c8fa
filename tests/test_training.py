"""The training room: quantizer, depths, losses, resuming, export."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wisp.errors import ModelMismatch, UsageError
from wisp.runtime import Bundle
from wisp.train.checkpoint import load_checkpoint
from wisp.train.dataset import CropSampler, load_photographs
from wisp.train.depths import busyness, sample_depths
from wisp.train.export import export_bundle
from wisp.train.export_options import ExportOptions
from wisp.train.feature_loss import FeatureLoss, random_window
from wisp.train.latent_norm import LIMIT, LatentNorm
from wisp.train.lattice_loss import lattice_power
from wisp.train.layers import CEILING, ResidualBlock
from wisp.train.moving_average import update_average
from wisp.train.networks import TokenPyramid
from wisp.train.preview import nominal_bpp
from wisp.train.pyramid_trainer import PyramidTrainer
from wisp.train.quantizer import OrderedQuantizer
from wisp.train.recipe import DataConfig, StageConfig, load_recipe
from wisp.train.replace_synthesis import replace_synthesis
from wisp.train.run_options import RunOptions
from wisp.train.schedule import learning_rate
from wisp.train.verify import example_picture as make_picture
from wisp.train.verify import verify_bundle


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(make_picture(80, 100, seed)).save(folder / f"{seed}.png")
    return folder


def test_product_groups_own_their_channels() -> None:
    quantizer = OrderedQuantizer(8, 4, 16, "product")
    level = quantizer(torch.randn(2, 8, 3, 3))
    for g in range(4):
        outside = torch.ones(8, dtype=torch.bool)
        outside[2 * g : 2 * g + 2] = False
        assert (quantizer.codebooks[g][:, outside] == 0).all()
    assert level.tokens.shape == (2, 3, 3, 4)


@pytest.mark.parametrize("kind", ["residual", "product"])
def test_each_group_lowers_the_error(kind: str) -> None:
    torch.manual_seed(0)
    quantizer = OrderedQuantizer(8, 4, 32, kind)
    for _ in range(60):
        level = quantizer(torch.randn(4, 8, 8, 8))
    errors = [(level.latent - prefix).square().mean().item() for prefix in level.prefixes]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.6


@pytest.mark.parametrize("kind", ["residual", "product"])
def test_straight_through_value_and_gradient(kind: str) -> None:
    quantizer = OrderedQuantizer(8, 4, 16, kind).eval()
    latent = torch.randn(1, 8, 1, 5, requires_grad=True)
    level = quantizer(latent)
    depth = torch.arange(5).view(1, 1, 1, 5)
    out = level.straight_through(depth)
    out.sum().backward()
    assert latent.grad is not None
    for d in range(5):
        wanted = torch.zeros(8) if d == 0 else level.prefixes[d - 1, 0, :, 0, d]
        assert torch.allclose(out[0, :, 0, d], wanted, atol=1e-5)
        reached = 0 if d == 0 else (8 if kind == "residual" else 2 * d)
        assert latent.grad[0, :, 0, d].sum() == reached


def test_depths_are_in_range_and_vary() -> None:
    busy = torch.zeros(64, 3, 4)
    busy[:, 0, 0] = 2.0
    base, depth = sample_depths(busy, (4, 4, 4), torch.Generator().manual_seed(0))
    assert depth[:, 0, 0].float().mean() > depth[:, 1:].float().mean() + 0.5
    assert depth.shape == (64, 3, 4)
    assert depth.min() >= 1
    assert depth.max() <= 12
    assert len(base.unique()) > 8


def test_busyness_finds_the_busy_region() -> None:
    x = torch.zeros(1, 3, 64, 96)
    x[:, :, :32, :32] = torch.rand(3, 32, 32) * 2 - 1
    busy = busyness(x)
    assert busy.shape == (1, 2, 3)
    assert busy.argmax() == 0
    assert busy[0, 0, 0] > 1


def test_tokens_do_not_depend_on_depth_and_synthesis_does() -> None:
    from tiny_bundle import tiny_recipe

    torch.manual_seed(0)
    network = TokenPyramid(tiny_recipe().model).eval()
    x = torch.rand(1, 3, 64, 96) * 2 - 1
    levels = network.encode(x)
    shallow = network.decode(levels, torch.full((1, 2, 3), 2))
    deep = network.decode(levels, torch.full((1, 2, 3), 12))
    assert shallow.shape == deep.shape == x.shape
    assert not torch.allclose(shallow, deep)


def test_settling_rounds_what_makes_tokens_and_changes_little_else() -> None:
    from tiny_bundle import tiny_recipe

    torch.manual_seed(4)
    network = TokenPyramid(tiny_recipe().model)
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    network.encode(x)  # in training mode: codebooks start, latents are pinned
    network.eval()
    before = network.encode(x)
    network.settle()
    after = network.encode(x)
    for ours, theirs in zip(after, before, strict=True):
        torch.testing.assert_close(ours.latent, theirs.latent, atol=0.05, rtol=0.05)
    for name, value in network.state_dict().items():
        if not name.startswith("synthesis") and not name.split(".")[-1].startswith("ema"):
            assert torch.equal(value.half().to(value.dtype), value), name


def test_nominal_bpp() -> None:
    assert nominal_bpp(4, (32, 16, 8), (4, 4, 4)) == 4 * 8 / 1024
    assert nominal_bpp(9, (32, 16, 8), (4, 4, 4)) == pytest.approx(0.28125)


def test_learning_rate_warms_up_and_falls() -> None:
    stage = StageConfig("s", 1.0, learning_rate=1.0, final_lr_ratio=0.1)
    assert learning_rate(stage, 0.0) < 0.01
    assert learning_rate(stage, 0.02) > 0.95
    assert learning_rate(stage, 1.0) == pytest.approx(0.1)


def test_a_price_makes_common_codewords_more_common() -> None:
    torch.manual_seed(0)
    scale = torch.where(torch.rand(4096, 1) < 0.7, 0.2, 2.0)  # calm and busy places
    rows = (scale * torch.randn(4096, 8)).view(1, 64, 64, 8).permute(0, 3, 1, 2)

    def trained(price: float) -> tuple[float, float]:
        torch.manual_seed(1)
        quantizer = OrderedQuantizer(8, 1, 32)
        quantizer.price = price
        for _ in range(300):
            level = quantizer(rows)
        level = quantizer.eval()(rows)
        share = torch.bincount(level.tokens.flatten(), minlength=32) / 4096
        return float(-(share * (share + 1e-9).log2()).sum()), float(level.commitment)

    (free_bits, free_error), (bits, error) = trained(0.0), trained(0.1)
    assert bits < 0.8 * free_bits
    assert error < 1.5 * free_error
    assert bool((OrderedQuantizer(8, 1).handicaps == 0).all())


def test_recipes_load() -> None:
    folder = Path(__file__).parent.parent / "recipes"
    names = [load_recipe(path).name for path in sorted(folder.glob("*.toml"))]
    assert "wisp_small" in names


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("nonsense = [", "TOML"),
        ("name='a'\nmodel_number=0\n", "shares"),
        ("name='a'\nmodel_number=0\ncolour=1\n[[stage]]\nname='x'\nshare=1.0\n", "colour"),
    ],
)
def test_bad_recipes_are_named(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=word):
        load_recipe(path)
    with pytest.raises(UsageError, match="nothing"):
        load_recipe(tmp_path / "absent.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_recipe(tmp_path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(UsageError, match="TOML"):
        load_recipe(path)


def test_measuring_networks_may_not_train(tmp_path: Path) -> None:
    for name in ("lpips_squeeze", "darknet_tiny"):
        with pytest.raises(UsageError, match="training network"):
            FeatureLoss(tmp_path, name)
    with pytest.raises(UsageError, match="--weights"):
        FeatureLoss(tmp_path)


def test_a_window_shows_the_same_place_of_both() -> None:
    x = torch.rand(2, 3, 192, 128)
    ours, theirs = random_window(x, x + 1)
    assert ours.shape == theirs.shape == (2, 3, 96, 96)
    assert torch.equal(ours + 1, theirs)
    small = torch.rand(1, 3, 64, 80)
    assert torch.equal(random_window(small, small)[0], small)


def test_latents_are_pinned_and_export_folds_the_pin_away() -> None:
    torch.manual_seed(3)
    layer, norm = torch.nn.Conv2d(2, 4, 3).requires_grad_(False), LatentNorm(4)
    x = 5 + 7 * torch.randn(4, 2, 40, 40)
    for _ in range(3):
        y = norm(layer(x))
    assert abs(float(y.mean())) < 0.05
    assert float(y.std()) == pytest.approx(1, abs=0.05)
    norm.eval()
    weight, bias = norm.folded(layer)
    torch.testing.assert_close(
        torch.nn.functional.conv2d(x, weight, bias), norm(layer(x)), atol=1e-4, rtol=1e-4
    )
    settled = norm.deviation.clone()
    assert norm(layer(1e6 * x)).abs().max() == LIMIT
    assert torch.equal(norm.deviation, settled)


def test_what_a_residual_block_adds_has_a_bound() -> None:
    block = ResidualBlock(4)
    x = torch.full((1, 4, 8, 8), 50.0)
    far = (block(1000 * x) - 1000 * x).abs().max()
    bound = CEILING * block.project.weight.abs().sum((1, 2, 3)).max()
    assert 0 < far <= bound * 1.01 + 0.05


def test_crops(pictures: Path) -> None:
    photographs = load_photographs(pictures, 64)
    batch = CropSampler(photographs, DataConfig(64, 5, reduced_share=1.0), 0).batch()
    assert batch.shape == (5, 3, 64, 64)
    assert batch.min() >= -1
    assert batch.max() <= 1
    with pytest.raises(UsageError, match="pictures"):
        load_photographs(pictures, 500)


def test_a_resumed_run_goes_on_exactly(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_bundle import tiny_recipe

    ticks = itertools.count()
    monkeypatch.setattr(
        "wisp.train.loop.time.monotonic", lambda: 0.5 * next(ticks)
    )  # every step takes as long

    def run(folder: Path, *steps: int) -> PyramidTrainer:
        for i, limit in enumerate(steps):
            options = RunOptions(
                pictures, folder, 1000, resume=i > 0, max_steps=limit, device="cpu", threads=1
            )
            trainer = PyramidTrainer(tiny_recipe(), options)
            trainer.train()
        return trainer

    straight, resumed = run(tmp_path / "a", 6), run(tmp_path / "b", 3, 6)
    assert resumed.progress.total_step == 6
    pairs = zip(straight.model.state_dict().values(), resumed.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_frozen_stage_leaves_the_tokens_alone(pictures: Path, tmp_path: Path) -> None:
    from tiny_bundle import tiny_recipe

    stages = (StageConfig("first", 0.5, learning_rate=3e-3), StageConfig("second", 0.5, frozen_tokens=True))
    recipe = replace(tiny_recipe(), stages=stages)
    trainer = PyramidTrainer(
        recipe, RunOptions(pictures, tmp_path / "run", minutes=0.04, device="cpu", threads=1)
    )
    trainer.train()
    first = load_checkpoint(tmp_path / "run" / "first.pt")["average"]
    second = load_checkpoint(tmp_path / "run" / "second.pt")["average"]
    changed = {name.split(".")[0] for name in first if not torch.equal(first[name], second[name])}
    assert changed == {"synthesis"}


def test_a_run_that_was_done_goes_on_in_its_last_stage(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more minutes; its learning rate goes on from where the longer stage would be."""
    from tiny_bundle import tiny_recipe

    seconds = itertools.count()
    monkeypatch.setattr("wisp.train.loop.time.monotonic", lambda: float(next(seconds)))
    stages = (StageConfig("first", 0.5), StageConfig("second", 0.5, frozen_tokens=True))
    recipe = replace(tiny_recipe(), stages=stages)
    seen: list[tuple[str, float]] = []

    def run(minutes: float, resume: bool = True) -> PyramidTrainer:
        options = RunOptions(pictures, tmp_path / "run", minutes, resume=resume, device="cpu", threads=1)
        trainer = PyramidTrainer(recipe, options)
        step = trainer.step

        def noting(stage: StageConfig, stage_progress: float) -> dict[str, float]:
            seen.append((stage.name, stage_progress))
            return step(stage, stage_progress)

        monkeypatch.setattr(trainer, "step", noting)
        trainer.train()
        return trainer

    first = run(0.2, resume=False).progress
    assert (first.stage, first.total_seconds, first.total_step) == (2, 12, 12)
    assert run(0.2).progress == first
    seen.clear()
    longer = run(0.4).progress
    assert (longer.stage, longer.total_seconds, longer.total_step) == (2, 24, 24)
    assert {name for name, _ in seen} == {"second"}
    assert [progress for _, progress in seen] == pytest.approx([(6 + i) / 18 for i in range(12)])


def test_averaging_leaves_frozen_weights_as_they_are() -> None:
    model, average = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    for network in (model, average):
        torch.nn.init.constant_(network.weight, -0.0).requires_grad_(False)
    before = average.bias.clone()
    update_average(average, model, 0.9)
    assert torch.signbit(average.weight).all()
    torch.testing.assert_close(average.bias, 0.9 * before + 0.1 * model.bias)


def test_a_better_synthesis_keeps_the_tokens(pictures: Path, tmp_path: Path) -> None:
    from tiny_bundle import tiny_recipe

    import wisp

    stages = (StageConfig("first", 0.5, learning_rate=3e-3), StageConfig("second", 0.5, frozen_tokens=True))
    recipe = replace(tiny_recipe(), stages=stages)
    run, folder = tmp_path / "run", tmp_path / "bundle"
    PyramidTrainer(recipe, RunOptions(pictures, run, minutes=0.04, device="cpu", threads=1)).train()
    export_bundle(run / "first.pt", folder, pictures, ExportOptions(card_notes="## Notes"))
    before = {
        name: (folder / name).read_bytes() for name in ("analysis.onnx", "tables.npz", "synthesis.onnx")
    }
    data = wisp.compress(make_picture(96, 96), quality=50, model=folder)
    replace_synthesis(run / "second.pt", folder)
    assert all((folder / name).read_bytes() == before[name] for name in ("analysis.onnx", "tables.npz"))
    assert (folder / "synthesis.onnx").read_bytes() != before["synthesis.onnx"]
    report = verify_bundle(folder, run / "second.pt")
    assert report.mean_difference_u8 is not None
    assert report.mean_difference_u8 < 0.5
    assert report.tokens_survive
    assert wisp.decompress(data, model=Path(shutil.copytree(folder, tmp_path / "copy"))).size == (96, 96)
    assert (folder / "card.md").read_text().rstrip().endswith("## Notes")
    PyramidTrainer(
        recipe, RunOptions(pictures, tmp_path / "other", minutes=1, device="cpu", max_steps=3)
    ).train()
    with pytest.raises(ModelMismatch, match="analysis"):
        replace_synthesis(tmp_path / "other", folder)
    state = load_checkpoint(run / "second.pt")
    state["recipe"]["model_number"] = 129
    torch.save(state, run / "renumbered.pt")
    replace_synthesis(run / "renumbered.pt", folder)
    assert Bundle(folder).config.model_number == 129
    assert "Model number 129." in (folder / "card.md").read_text()


def test_a_lattice_is_priced_and_noise_is_not() -> None:
    x = torch.zeros(2, 3, 128, 128)
    noise = 0.1 * torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    grid = torch.zeros_like(x)
    grid[..., ::4] = 0.1
    assert torch.allclose(lattice_power(x, noise), torch.full((2,), 0.01 / 64), rtol=0.2)
    assert (lattice_power(x, grid) > 10 * lattice_power(x, noise)).all()
    assert (lattice_power(x, torch.full_like(x, 0.3)) < 1e-12).all()


def test_a_bundle_says_what_it_is(tiny_model: Path) -> None:
    bundle = Bundle(tiny_model)
    assert bundle.config.groups == (4, 4, 4)
    assert set(bundle.config.files) == {"analysis.onnx", "synthesis.onnx", "tables.npz", "card.md"}
    assert verify_bundle(tiny_model).passed


@pytest.mark.parametrize("name", ["synthesis.onnx", "tables.npz", "analysis.onnx"])
def test_an_altered_bundle_is_refused(tiny_model: Path, tmp_path: Path, name: str) -> None:
    import wisp

    folder = tmp_path / "altered"
    shutil.copytree(tiny_model, folder)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(bytes(data))
    pixels = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(wisp.ModelMismatch, match="SHA-256"):
        wisp.compress(pixels, quality=50, model=folder)
    (folder / name).unlink()
    shutil.rmtree(folder / "x", ignore_errors=True)
    other = tmp_path / "missing"
    shutil.copytree(folder, other)
    with pytest.raises(wisp.ModelMismatch, match="found none"):
        wisp.compress(pixels, quality=50, model=other)


def test_a_broken_configuration_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from wisp.errors import ModelMismatch, ModelNotFound

    with pytest.raises(ModelNotFound):
        Bundle(tmp_path)
    for text in ("{", "[]", json.dumps({"format": 99}), json.dumps({"format": 1})):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelMismatch):
            Bundle(tmp_path)
