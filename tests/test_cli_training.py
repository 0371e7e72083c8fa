"""`wisp train`, `wisp export`, `wisp verify` and `wisp bench`: what they hand to the rooms behind them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

from wisp.train.checkpoint import load_checkpoint
from wisp.train.pyramid_trainer import PyramidTrainer

RECIPE = """
name = "tiny"
model_number = 0
description = "For a test"

[model]
latent_channels = [8, 8, 4]
widths = [8, 8, 16, 16]
analysis_blocks = [1, 1, 1, 1]
synthesis_blocks = [1, 1, 1, 1]

[data]
crop_size = 64
batch_size = 2

[[stage]]
name = "distortion"
share = 1.0
"""


@pytest.fixture
def recipe(tmp_path: Path, photo_u8: NDArray[np.uint8]) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    for place in range(3):
        Image.fromarray(np.roll(photo_u8, 40 * place, axis=1)[:96, :128]).save(data / f"{place}.png")
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


def test_a_run_that_is_told_to_end_keeps_a_checkpoint(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = PyramidTrainer.step

    def told(self: PyramidTrainer, *arguments: Any) -> dict[str, float]:
        if self.progress.total_step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *arguments)

    monkeypatch.setattr(PyramidTrainer, "step", told)
    before = signal.getsignal(signal.SIGTERM)
    options = ("--data", tmp_path / "data", "--minutes", "5", "--threads", "1", "--device", "cpu")
    assert run_cli("train", recipe, "--run", tmp_path / "run", *options).code == 130
    assert load_checkpoint(tmp_path / "run")["progress"]["total_step"] in (1, 2)
    assert signal.getsignal(signal.SIGTERM) is before


def test_from_a_recipe_to_a_bundle_that_compresses(recipe: Path, tmp_path: Path) -> None:
    data, run, bundle = tmp_path / "data", tmp_path / "run", tmp_path / "bundle"
    train = (
        "train",
        recipe,
        "--data",
        data,
        "--minutes",
        "5",
        "--run",
        run,
        "--threads",
        "1",
        "--device",
        "cpu",
    )
    assert run_cli(*train, "--max-steps", "2").code == 0
    assert (run / "checkpoint.pt").is_file()
    assert run_cli(*train, "--max-steps", "3", "--resume").code == 0

    export = ("export", run, bundle, "--data", data, "--image-limit", "3", "--name", "mine")
    ran = run_cli(*export)
    assert ran.code == 0
    assert ran.out.startswith(f"{bundle}: ")
    assert "bits a token" in ran.stderr
    assert json.loads((bundle / "config.json").read_text())["name"] == "mine"
    assert_one_line_error(run_cli(*export), 2, "bundle")
    assert run_cli(*export, "-f", "-q").stderr == ""

    ran = run_cli("verify", bundle, "--run", run)
    lines = ran.out.splitlines()
    assert lines[0].startswith("tokens that PyTorch and the bundle agree on, by level: ")
    assert "tokens survive the file: yes" in lines
    assert "written twice alike: yes" in lines
    assert (ran.code, lines[-1]) in ((0, "passed"), (1, "failed"))

    photo = data / "0.png"
    assert run_cli("compress", photo, tmp_path / "a.wisp", "--model", bundle).code == 0


def test_verify_without_a_run(tiny_model: Path) -> None:
    ran = run_cli("verify", tiny_model)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "passed")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "none.toml", "--data", ".", "--minutes", "1"),
        ("train", "tiny.toml", "--data", "nowhere", "--minutes", "1"),
        ("train", "tiny.toml", "--minutes", "1"),
        ("train", "tiny.toml", "--data", ".", "--minutes", "-1"),
        ("export", "nowhere", "bundle", "--data", "data"),
    ],
)
def test_bad_usage(recipe: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(recipe.parent)
    assert_one_line_error(run_cli(*arguments), 2)
    assert not Path("runs").exists()


def test_verify_of_a_folder_without_a_bundle(tmp_path: Path) -> None:
    assert_one_line_error(run_cli("verify", tmp_path), 1, "bundle")


def test_bench_hands_its_options_on(tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "results"
    pictures.mkdir()
    Image.fromarray(photo_u8[:64, :64]).save(pictures / "a.png")
    options = ("--images", pictures, "--out", out, "--sizes", "300", "--model", tiny_model)
    ran = run_cli("bench", "budgets", *options)
    assert "a: ceiling " in ran.stderr
    (row,) = map(json.loads, (out / "rows.jsonl").read_text().splitlines())
    assert ran.code == (0 if row["keeps"] and row["fills"] else 1)


def test_bench_lists_explains_and_refuses() -> None:
    assert all(name in run_cli("bench").out for name in ("run", "budgets", "speed", "lattice", "damage"))
    assert "--sizes" in run_cli("bench", "budgets", "--help").out
    assert_one_line_error(run_cli("bench", "beauty"), 2, "beauty", "run, ")
    assert run_cli("bench", "budgets", "--nonsense").code == 2


@pytest.mark.parametrize("fixture", ["grid_model", "vector_model"])
def test_verify_of_latents(fixture: str, request: pytest.FixtureRequest) -> None:
    result = run_cli("verify", request.getfixturevalue(fixture))
    assert result.code == 0
    assert "passed" in result.out


def test_the_number_of_a_release_is_refused_before_any_training(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("model_number = 0", "model_number = 9"))
    ran = run_cli("train", recipe, "--data", tmp_path / "data", "--minutes", "5", "--run", tmp_path / "run")
    assert_one_line_error(ran, 2, "wisp-1's for good")
    assert not (tmp_path / "run").exists()
