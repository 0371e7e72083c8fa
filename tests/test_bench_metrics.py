"""The bench's metrics: what they share, the panel, PSNR by hand, the reference values where they are at hand."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from metric_pictures import KODAK, SHARED, blurred, frozen, noisy, picture, write_weights
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.metrics.darknet_tiny import DARKNET_FILE, DarknetTiny
from wisp.bench.metrics.metric import Direction
from wisp.bench.metrics.panel import METRIC_NAMES, MetricPanel
from wisp.bench.metrics.psnr import Psnr, psnr_db
from wisp.bench.metrics.weight_file import WEIGHTS_VARIABLE
from wisp.errors import ImageError, UsageError

NETWORK_METRICS = ("lpips_squeeze", "feature_distance", "texture_distance", "class_agreement")
EVERYWHERE = ("psnr_db", "ssimulacra2", *NETWORK_METRICS)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> MetricPanel:
    """Real network shapes, made-up weights."""
    folder = tmp_path_factory.mktemp("weights")
    write_weights(folder)
    return MetricPanel(folder, EVERYWHERE)


@pytest.fixture
def without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)


def test_psnr_is_exact() -> None:
    zeros = np.zeros((4, 5, 3), np.uint8)
    ones = np.ones_like(zeros)
    assert psnr_db(zeros, zeros) == math.inf
    assert psnr_db(zeros, ones) == pytest.approx(20 * math.log10(255), abs=1e-12)
    assert psnr_db(zeros, np.full_like(zeros, 255)) == pytest.approx(0.0, abs=1e-12)
    one_channel = zeros.copy()
    one_channel[..., 1] = 3
    assert psnr_db(zeros, one_channel) == pytest.approx(10 * math.log10(255**2 / 3), abs=1e-12)


def test_psnr_does_not_wrap_around() -> None:
    dark, light = np.full((2, 2, 3), 1, np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert psnr_db(dark, light) == psnr_db(light, dark) == pytest.approx(20 * math.log10(255 / 254))


@pytest.mark.parametrize("worsen", [noisy, blurred])
def test_psnr_falls_with_damage(worsen: object) -> None:
    assert callable(worsen)
    original = picture()
    values = [psnr_db(original, worsen(original, amount)) for amount in (1, 3, 9)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)),
        (np.zeros((0, 4, 3), np.uint8), np.zeros((0, 4, 3), np.uint8)),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.float32)),
    ],
)
def test_psnr_refuses(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="psnr: expected"):
        psnr_db(first, second)


def test_a_metric_takes_8_bit_rgb_of_one_size() -> None:
    metric = Psnr()
    for wrong in (np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.float32), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(ImageError, match=r"psnr_db: expected \(H, W, 3\) uint8"):
            metric.reference(wrong)
    compare = metric.reference(np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ImageError, match=r"one size, found \(4, 5, 3\) and \(5, 4, 3\)"):
        compare(np.zeros((5, 4, 3), np.uint8))
    with pytest.raises(ImageError, match=r"found \(4, 5, 3\) int64"):
        compare(np.zeros((4, 5, 3), np.int64))  # type: ignore[arg-type]
    assert compare(np.zeros((4, 5, 3), np.uint8)) is None
    assert compare(np.full((4, 5, 3), 255, np.uint8)) == pytest.approx(0.0, abs=1e-12)


def test_equal_pictures_get_the_best_value(panel: MetricPanel) -> None:
    image = Image.fromarray(picture())
    assert panel.reference(image).compare(image) == {
        "psnr_db": None,
        "ssimulacra2": 100.0,
        "lpips_squeeze": 0.0,
        "feature_distance": 0.0,
        "texture_distance": pytest.approx(0.0, abs=1e-9),
        "class_agreement": 1.0,
    }


def test_distances_grow_with_noise(panel: MetricPanel) -> None:
    original = picture()
    reference = panel.reference(Image.fromarray(original))
    found = [reference.compare(Image.fromarray(noisy(original, amount))) for amount in (2, 8, 32)]
    for name in ("lpips_squeeze", "feature_distance", "texture_distance"):
        values = [scores[name] or 0.0 for scores in found]
        assert 0.0 < values[0] < values[1] < values[2]


def test_the_panel_gives_what_its_metrics_give(panel: MetricPanel) -> None:
    original, decoded = frozen(noisy(picture(), 1)), frozen(noisy(picture(), 20))
    alone = {metric.name: metric.reference(original)(decoded) for metric in panel.metrics}
    assert panel.reference(Image.fromarray(original)).compare(Image.fromarray(decoded)) == alone
    assert all(isinstance(value, float) for value in alone.values())


def test_a_network_runs_once_a_picture(panel: MetricPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    run = DarknetTiny._run
    monkeypatch.setattr(DarknetTiny, "_run", lambda self, pixels: runs.append(1) or run(self, pixels))
    reference = panel.reference(Image.fromarray(picture()))
    assert len(runs) == 1
    for count, seed in enumerate((1, 2), start=2):
        reference.compare(Image.fromarray(picture(seed)))
        assert len(runs) == count


def test_what_a_picture_is_too_small_for_is_undefined(panel: MetricPanel) -> None:
    small = panel.reference(Image.new("RGB", (31, 64))).compare(Image.new("RGB", (31, 64), (9, 9, 9)))
    assert {name for name, value in small.items() if value is not None} == {"psnr_db", "ssimulacra2"}
    tiny = panel.reference(Image.new("RGB", (7, 64))).compare(Image.new("RGB", (7, 64), (9, 9, 9)))
    assert {name for name, value in tiny.items() if value is not None} == {"psnr_db"}


def test_sizes_must_agree(panel: MetricPanel) -> None:
    with pytest.raises(ImageError, match="one size"):
        panel.reference(Image.new("RGB", (32, 64))).compare(Image.new("RGB", (64, 32)))


def test_every_metric_says_what_it_is(panel: MetricPanel) -> None:
    assert tuple(metric.name for metric in panel.metrics) == EVERYWHERE
    higher = {metric.name for metric in panel.metrics if metric.direction is Direction.HIGHER}
    assert higher == {"psnr_db", "ssimulacra2", "class_agreement"}
    assert {metric.name: metric.unit for metric in panel.metrics if metric.unit != "1"} == {"psnr_db": "dB"}
    assert all(metric.version for metric in panel.metrics)


def test_colour_shift_is_measured_on_request() -> None:
    panel = MetricPanel(names=["colour_shift"])
    original = np.full((20, 30, 3), 100, np.uint8)
    moved = original + np.array([3, 0, 6], np.uint8)
    compare = panel.reference(Image.fromarray(original)).compare
    assert compare(Image.fromarray(original)) == {"colour_shift": 0.0}
    assert compare(Image.fromarray(moved)) == {"colour_shift": 3.0}
    flipped = original.copy()
    flipped[::2], flipped[1::2] = 90, 110  # as much up as down
    assert compare(Image.fromarray(flipped)) == {"colour_shift": 0.0}
    assert "colour_shift" not in METRIC_NAMES  # not in runs by default: their rows stay current


@pytest.mark.usefixtures("without_weights")
def test_by_default_every_metric_is_measured_or_says_why_not() -> None:
    panel = MetricPanel()
    available = [metric.name for metric in panel.metrics]
    assert set(available) | set(panel.unavailable) == set(METRIC_NAMES)
    assert not set(available) & set(panel.unavailable)
    assert {"psnr_db", "ssimulacra2"} <= set(available)
    for name in NETWORK_METRICS:
        assert "give --weights DIR or set WISP_METRIC_WEIGHTS" in panel.unavailable[name]


def test_metrics_are_chosen_by_name() -> None:
    panel = MetricPanel(names=["ssimulacra2", "psnr_db", "ssimulacra2"])
    assert [metric.name for metric in panel.metrics] == ["ssimulacra2", "psnr_db"]
    assert panel.unavailable == {}
    with pytest.raises(UsageError, match=r"metrics: expected some of psnr_db, .*; found 'vmaf'"):
        MetricPanel(names=["psnr_db", "vmaf"])


def test_the_version_follows_metrics_and_weights(tmp_path: Path, panel: MetricPanel) -> None:
    write_weights(tmp_path)
    assert MetricPanel(tmp_path, EVERYWHERE).version == panel.version
    assert MetricPanel(tmp_path, EVERYWHERE[::-1]).version == panel.version
    assert MetricPanel(tmp_path, EVERYWHERE[:-1]).version != panel.version
    write_weights(tmp_path, seed=4)
    assert MetricPanel(tmp_path, EVERYWHERE).version != panel.version


def test_weights_are_found_by_argument_then_by_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_weights(tmp_path)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    assert MetricPanel(names=NETWORK_METRICS).unavailable == {}
    empty = tmp_path / "empty"
    empty.mkdir()
    reasons = MetricPanel(empty, NETWORK_METRICS).unavailable
    assert list(reasons) == list(NETWORK_METRICS)
    assert reasons["lpips_squeeze"].startswith(
        "expected lpips_squeeze.safetensors in the folder empty, found no"
    )
    for folder in (tmp_path / "elsewhere", tmp_path / DARKNET_FILE):
        with pytest.raises(UsageError, match="metric weights: expected a folder, found no folder"):
            MetricPanel(folder, NETWORK_METRICS)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match="no folder"):
        MetricPanel()


def degraded(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """The four ways in which the reference values were made."""
    wide = pixels.astype(np.int32)
    box = sum(np.roll(wide, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1))
    return {
        "quantised_to_16_levels": (wide // 16 * 16 + 8).astype(np.uint8),
        "box_blur_3x3": (np.asarray(box) // 9).astype(np.uint8),
        "shifted_1px": np.roll(pixels, 1, axis=1),
        "darker_by_10": (wide - 10).clip(0).astype(np.uint8),
    }


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference values and weights are not at hand")
@pytest.mark.parametrize("stem", ["kodim01", "kodim23"])
def test_reference_values(stem: str) -> None:
    wanted = json.loads((SHARED / "metrics" / "reference_values.json").read_text())
    real = MetricPanel(Path(os.environ.get(WEIGHTS_VARIABLE) or SHARED / "weights"), NETWORK_METRICS)
    original = np.asarray(Image.open(KODAK / f"{stem}.png").convert("RGB"))
    reference = real.reference(Image.fromarray(original))
    for what, pixels in degraded(original).items():
        found = reference.compare(Image.fromarray(pixels))
        feature, texture = wanted["darknet_tiny"][f"{stem}/{what}"]
        (lpips,) = wanted["lpips_squeeze"][f"{stem}/{what}"]
        assert found["lpips_squeeze"] == pytest.approx(lpips, abs=1e-4)
        assert found["feature_distance"] == pytest.approx(feature, abs=1e-4)
        assert found["texture_distance"] == pytest.approx(texture, abs=1e-4)
