"""The bench's metrics: exact values, known orders, the reference values where they are at hand."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from wisp.bench.metrics import feature_nets
from wisp.bench.metrics.panel import MetricPanel
from wisp.bench.metrics.psnr import psnr_db
from wisp.errors import ImageError, ModelMismatch, UsageError

SHARED = Path(__file__).resolve().parents[2] / "shared"
KODAK = SHARED / "eval" / "kodak"


def picture(seed: int = 0, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A smooth random picture, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    small = random.integers(20, 236, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def noisy(pixels: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(0.0, 1.0, pixels.shape) * deviation
    return (pixels + noise).round().clip(0, 255).astype(np.uint8)


def blurred(pixels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Averaged with its four neighbours, so many times over."""
    plane = pixels.astype(float)
    for _ in range(times):
        plane = (plane + sum(np.roll(plane, step, axis) for axis in (0, 1) for step in (-1, 1))) / 5
    return plane.round().astype(np.uint8)


def write_weights(folder: Path) -> None:
    """Both weight files with the right shapes and random content."""
    random = torch.Generator().manual_seed(3)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random) / math.sqrt(math.prod(shape[1:]))

    squeeze = {"features.0.weight": tensor(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}
    inputs = 64
    for number, narrow in ((3, 16), (4, 16), (6, 32), (7, 32), (9, 48), (10, 48), (11, 64), (12, 64)):
        wide = 4 * narrow
        for part, shape in (
            ("squeeze", (narrow, inputs, 1, 1)),
            ("expand1x1", (wide, narrow, 1, 1)),
            ("expand3x3", (wide, narrow, 3, 3)),
        ):
            squeeze[f"features.{number}.{part}.weight"] = tensor(*shape)
            squeeze[f"features.{number}.{part}.bias"] = torch.zeros(shape[0])
        inputs = 2 * wide
    for index, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        squeeze[f"lin{index}.weight"] = tensor(1, channels, 1, 1).abs()
    channels = (3, 16, 32, 16, 128, 16, 128, 32, 256, 32, 256, 64, 512, 64, 512)
    darknet = {}
    for number in range(1, 15):
        side = 1 if number in (3, 5, 7, 9, 11, 13) else 3
        darknet[f"conv{number}.weight"] = tensor(channels[number], channels[number - 1], side, side)
        darknet[f"conv{number}.bias"] = torch.zeros(channels[number])
    save_file(squeeze, folder / feature_nets.SQUEEZE_FILE)
    save_file(darknet, folder / feature_nets.DARKNET_FILE)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> MetricPanel:
    """Real network shapes, made-up weights."""
    folder = tmp_path_factory.mktemp("weights")
    write_weights(folder)
    return MetricPanel(folder)


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


def test_distances_of_taps_by_hand() -> None:
    ignored = torch.zeros(1, 1, 1, 2)
    along_x, along_y = (
        torch.tensor([[[[2.0, 2.0]], [[0.0, 0.0]]]]),
        torch.tensor([[[[5.0, 0.0]], [[0.0, 5.0]]]]),
    )
    # One of two positions turns by a right angle: a squared distance of 2 there, 0 at the other.
    assert feature_nets.feature_distance([ignored, along_x], [ignored, along_y]) == pytest.approx(
        1.0, abs=1e-6
    )
    wave, opposite = torch.tensor([[[[1.0, -1.0]]]]), torch.tensor([[[[-1.0, 1.0]]]])
    # Means agree (similarity 1), structures are opposite (-1): the average is 0, the distance 1.
    assert feature_nets.texture_distance([wave], [opposite]) == pytest.approx(1.0, abs=1e-5)
    assert feature_nets.texture_distance([wave], [wave]) == 0.0


def test_equal_pictures_are_at_distance_0(panel: MetricPanel) -> None:
    image = Image.fromarray(picture())
    found = panel.reference(image).compare(image)
    assert found.psnr_db is None
    assert found.lpips_squeeze == 0.0
    assert found.feature_distance == 0.0
    assert found.texture_distance == pytest.approx(0.0, abs=1e-9)


def test_distances_grow_with_noise(panel: MetricPanel) -> None:
    original = picture()
    reference = panel.reference(Image.fromarray(original))
    found = [reference.compare(Image.fromarray(noisy(original, amount))) for amount in (2, 8, 32)]
    for name in ("lpips_squeeze", "feature_distance", "texture_distance"):
        values = [getattr(distances, name) for distances in found]
        assert 0.0 < values[0] < values[1] < values[2]


def test_a_picture_must_have_32_pixels_a_side_and_the_originals_size(panel: MetricPanel) -> None:
    with pytest.raises(ImageError, match="sides of at least 32"):
        panel.reference(Image.new("RGB", (31, 64)))
    with pytest.raises(ImageError, match="one size"):
        panel.reference(Image.new("RGB", (32, 64))).compare(Image.new("RGB", (64, 32)))


def test_weights_are_found_by_argument_then_by_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(feature_nets.WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=r"give --weights DIR or set WISP_METRIC_WEIGHTS"):
        feature_nets.find_weights()
    with pytest.raises(UsageError, match=r"expected lpips_squeeze.safetensors in"):
        feature_nets.find_weights(tmp_path)
    for name in (feature_nets.SQUEEZE_FILE, feature_nets.DARKNET_FILE):
        (tmp_path / name).touch()
    monkeypatch.setenv(feature_nets.WEIGHTS_VARIABLE, str(tmp_path))
    assert feature_nets.find_weights() == tmp_path
    with pytest.raises(UsageError, match="no such file"):
        feature_nets.find_weights(tmp_path / "elsewhere")


def test_weights_without_a_layer_are_a_mismatch(tmp_path: Path) -> None:
    save_file({"conv1.bias": torch.zeros(16)}, tmp_path / feature_nets.DARKNET_FILE)
    net = feature_nets.DarknetTiny(tmp_path)
    with pytest.raises(ModelMismatch, match=r"expected a tensor conv1.weight"):
        net.taps(torch.zeros(1, 3, 32, 32))


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
    real = MetricPanel(Path(os.environ.get(feature_nets.WEIGHTS_VARIABLE) or SHARED / "weights"))
    original = np.asarray(Image.open(KODAK / f"{stem}.png").convert("RGB"))
    reference = real.reference(Image.fromarray(original))
    for what, pixels in degraded(original).items():
        found = reference.compare(Image.fromarray(pixels))
        feature, texture = wanted["darknet_tiny"][f"{stem}/{what}"]
        (lpips,) = wanted["lpips_squeeze"][f"{stem}/{what}"]
        assert found.lpips_squeeze == pytest.approx(lpips, abs=1e-4)
        assert found.feature_distance == pytest.approx(feature, abs=1e-4)
        assert found.texture_distance == pytest.approx(texture, abs=1e-4)
