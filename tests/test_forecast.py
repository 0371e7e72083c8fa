"""The forecast: a perceptron in numpy, its mean with squared error, its training, and what the writer does with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray

import wisp
from wisp.allocation import forecast
from wisp.allocation.forecast import SHARE, Forecast, blend
from wisp.codecs import codec_for_model
from wisp.codecs.frame_choice import _Anew
from wisp.codecs.proposal import propose
from wisp.errors import ModelMismatch, UsageError
from wisp.imaging import to_picture
from wisp.runtime import CONFIG_NAME, FORECAST_NAME, Bundle
from wisp.train.depth_samples import DepthSamples
from wisp.train.export import write_config
from wisp.train.forecast_export import train_forecast
from wisp.train.forecast_loop import train_perceptron
from wisp.train.verify import example_picture

GROUPS = (2, 1)
ERRORS, DEPTHS = 5, 3


def parts(seed: int = 0, hidden: int = 4) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    sizes = [ERRORS, hidden, hidden, DEPTHS]
    found = {"centre": random.normal(size=ERRORS), "spread": random.uniform(0.5, 2, ERRORS)}
    for i in range(3):
        found[f"weight_{i}"] = random.normal(size=(sizes[i + 1], sizes[i]))
        found[f"bias_{i}"] = random.normal(size=sizes[i + 1])
    return {name: value.astype(np.float32) for name, value in found.items()}


def errors(rows: int, columns: int, seed: int = 0) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return [random.uniform(0, 50, (groups + 1, rows, columns)).astype(np.float32) for groups in GROUPS]


def test_distances_are_those_of_a_perceptron_for_each_region() -> None:
    table, given = parts(), errors(3, 4)
    found = Forecast(table, ERRORS, DEPTHS).distances(given)
    assert found.shape == (DEPTHS + 1, 3, 4)
    for row, column in np.ndindex(3, 4):
        x = np.array([e for level in given for e in level[:, row, column]], np.float64)
        x = (np.log(x + 1) - table["centre"]) / table["spread"]
        for i in range(3):
            x = table[f"weight_{i}"] @ x + table[f"bias_{i}"]
            x = x / (1 + np.exp(-x)) if i < 2 else x
        wanted = [x[0], x[0], x[0] - x[1], x[0] - x[1] - x[2]]
        np.testing.assert_allclose(found[:, row, column], np.minimum.accumulate(wanted), rtol=1e-4, atol=1e-4)


def test_many_regions_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Forecast(parts(), ERRORS, DEPTHS).distances(errors(5, 7))
    monkeypatch.setattr(forecast, "CHUNK", 4)
    np.testing.assert_allclose(
        Forecast(parts(), ERRORS, DEPTHS).distances(errors(5, 7)), whole, rtol=1e-5, atol=1e-6
    )


def test_a_mean_falls_as_much_as_what_was_measured() -> None:
    random = np.random.default_rng(1)
    measured = np.sort(random.uniform(1, 9, (4, 2, 3)), 0)[::-1]
    foreseen = np.sort(random.uniform(0, 0.1, (4, 2, 3)), 0)[::-1]
    mean = blend(measured, foreseen, np.zeros(measured.shape, bool))
    assert (mean[1] - mean[-1]).sum() == pytest.approx((measured[1] - measured[-1]).sum())
    taken = (foreseen[1] - foreseen[2]) / (foreseen[1] - foreseen[-1]).sum()
    wanted = (1 - SHARE) * (measured[1] - measured[2]) + SHARE * taken * (measured[1] - measured[-1]).sum()
    np.testing.assert_allclose(mean[1] - mean[2], wanted)


def test_nothing_is_spent_where_nobody_sees_it() -> None:
    measured = np.array([8.0, 4, 1, 1])[:, None, None] * np.ones((1, 1, 2))
    foreseen = np.array([8.0, 8, 7, 1])[:, None, None] * np.ones((1, 1, 2))
    is_clear = np.zeros(measured.shape, bool)
    is_clear[2:, 0, 0] = True
    mean = blend(measured, foreseen, is_clear)[:, 0]
    assert mean[2, 0] == mean[3, 0]
    assert mean[2, 1] > mean[3, 1]


@pytest.mark.parametrize("foreseen", [[1, 1, 1], [np.inf, 1, 0], [np.nan, np.nan, np.nan]])
def test_a_forecast_of_nothing_changes_nothing(foreseen: list[float]) -> None:
    measured = np.array([8.0, 4, 1])[:, None, None]
    with np.errstate(invalid="ignore"):
        table = np.array([foreseen[0], *foreseen[:-1]])[:, None, None]
        assert blend(measured, table, np.zeros((3, 1, 1), bool)) is measured


def test_large_numbers_raise_no_warning() -> None:
    """As after training on an input that hardly varies."""
    table = parts()
    table["spread"][:] = 1e-3
    curve = Forecast(table, ERRORS, DEPTHS).distances(errors(2, 2))
    assert np.isfinite(curve).all()


@pytest.mark.parametrize("fault", ["missing", "shape", "dtype", "scalar", "infinite", "spread"])
def test_wrong_arrays(fault: str) -> None:
    table = dict(parts())
    if fault == "missing":
        del table["bias_1"]
    elif fault == "shape":
        table["weight_2"] = table["weight_2"][:-1]
    elif fault == "dtype":
        table["centre"] = table["centre"].astype(np.float64)
    elif fault == "scalar":
        table["bias_0"] = np.float32(1)
    elif fault == "infinite":
        table["weight_0"][0, 0] = np.inf
    else:
        table["spread"][0] = 0
    with pytest.raises((ValueError, KeyError, TypeError)):
        Forecast(table, ERRORS, DEPTHS)


def test_training_finds_what_errors_say() -> None:
    random = np.random.default_rng(0)
    given = random.uniform(0, 60, (24, ERRORS, 8, 8)).astype(np.float32)
    falls = 0.1 * np.log(given[:, 1:DEPTHS] + 1)
    first = falls.sum(1, keepdims=True) + 0.2
    distances = np.concatenate([first, first - np.cumsum(falls, 1)], 1)
    found = train_perceptron(DepthSamples(np.zeros((24, 1, 1, 3), np.uint8), given, distances), max_steps=600)
    assert len(found.explained) == DEPTHS - 1
    assert min(found.explained) > 0.8
    levels = [given[0, :3], given[0, 3:]]
    curve = Forecast(found.parts, ERRORS, DEPTHS).distances(levels)
    assert np.abs(curve[1:] - distances[0]).mean() < 0.1


# ---- the writer ----


def test_the_default_model_foresees(photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    codec = codec_for_model(None, 1)
    picture = to_picture(photo_u8)
    found = propose(codec.bundle, codec.entropy_model, codec.settings, picture, 0, 1000, None)
    assert not np.allclose(found.demand.distortions, found.measured)
    monkeypatch.setattr(forecast, "SHARE", 0.0)
    alone = propose(codec.bundle, codec.entropy_model, codec.settings, picture, 0, 1000, None)
    np.testing.assert_allclose(alone.demand.distortions, found.measured)


def test_frames_compare_ways_by_squared_error(
    photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, picture = codec_for_model(None, 1), to_picture(photo_u8)
    costs = []
    for share in (SHARE, 0.0):
        monkeypatch.setattr(forecast, "SHARE", share)
        costs.append(_Anew(codec, picture, 60.0).cost)
    assert np.array_equal(*costs)


def test_nothing_is_spent_on_a_white_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where squared error says that it is right already, whatever the forecast hopes for."""
    wall = np.full((256, 256, 3), 255, np.uint8)
    found = len(wisp.compress(wall, size=20_000))
    monkeypatch.setattr(Bundle, "has_forecast", False)
    assert found <= 1.1 * len(wisp.compress(wall, size=20_000))


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_a_quality_has_the_size_it_had(
    quality: float, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many bits is a matter of squared error alone; the forecast says where they go."""
    found = wisp.compress(photo_u8, quality=quality)
    monkeypatch.setattr(Bundle, "has_forecast", False)
    alone = wisp.compress(photo_u8, quality=quality)
    assert len(found) == pytest.approx(len(alone), rel=0.06)
    assert found != alone


def test_a_damaged_forecast_is_named(photo_u8: NDArray[np.uint8], tmp_path: Path) -> None:
    whole = codec_for_model(None, 1).bundle.folder
    data = wisp.compress(photo_u8, size=500)
    for number, change in enumerate((lambda table: table.pop("spread"), lambda table: table.clear())):
        folder = tmp_path / f"wisp_small{number}"
        shutil.copytree(whole, folder)
        with np.load(folder / FORECAST_NAME) as archive:
            table = dict(archive)
        change(table)
        np.savez(folder / FORECAST_NAME, **table)
        write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
        with pytest.raises(ModelMismatch, match=FORECAST_NAME):
            wisp.compress(photo_u8, size=500, model=folder)
        assert wisp.decompress(data, model=folder).size == photo_u8.shape[1::-1]


# ---- training on a bundle ----


def test_a_bundle_gains_a_forecast(
    tiny_model: Path, both_networks: Path, photographs: Path, tmp_path: Path
) -> None:
    folder, cache = tmp_path / "bundle", tmp_path / "distances"
    shutil.copytree(tiny_model, folder)
    old = wisp.compress(example_picture(256, 288, 3), size=800, model=tiny_model)
    options = ["--data", photographs, "--weights", both_networks, "--crops", 2, "--distances", cache]
    ran = run_cli("train-forecast", folder, *options, "--max-steps", 5)
    assert ran.code == 0
    assert "forecast.npz" in ran.out
    bundle = Bundle(folder)
    assert bundle.has_forecast
    assert not Bundle(tiny_model).has_forecast
    new = wisp.compress(example_picture(256, 288, 3), size=800, model=folder)
    again = run_cli("train-forecast", folder, *options, "--max-steps", 5)
    assert again.code == 0
    assert "distances of 0" not in again.stderr  # found where they were kept
    for model in (folder, tiny_model):  # readers need no forecast
        for data in (old, new):
            assert wisp.decompress(data, model=model).size == (288, 256)
    with np.load(cache) as archive:
        assert archive["distances"].shape == (2, 12, 8, 8)
        assert archive["errors"].shape == (2, 15, 8, 8)
        assert (archive["distances"] > 0).all()
        assert archive["crops"].shape == (2, 256, 256, 3)
    with pytest.raises(UsageError, match="found others"):
        train_forecast(_another(folder, tmp_path), photographs, both_networks, 2, cache=cache)
    with pytest.raises(UsageError, match="found others"):
        train_forecast(folder, photographs, both_networks, 3, cache=cache)
    cache.write_bytes(b"PK")
    with pytest.raises(UsageError, match="name another file"):
        train_forecast(folder, photographs, both_networks, 2, cache=cache)


def _another(folder: Path, tmp_path: Path) -> Path:
    """A bundle whose configuration names another synthesis."""
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    table = json.loads((other / CONFIG_NAME).read_text(encoding="utf-8"))
    table["files"]["synthesis.onnx"] = "0" * 64
    (other / CONFIG_NAME).write_text(json.dumps(table), encoding="utf-8")
    return other


def test_models_without_a_use_for_it(uniform_model: Path, photographs: Path, both_networks: Path) -> None:
    ran = run_cli("train-forecast", uniform_model, "--data", photographs, "--weights", both_networks)
    assert_one_line_error(ran, 2, "depth for each region")


def test_missing_networks_are_named(tiny_model: Path, photographs: Path, tmp_path: Path) -> None:
    ran = run_cli("train-forecast", tiny_model, "--data", photographs, "--weights", tmp_path)
    assert_one_line_error(ran, 2, "--weights")
