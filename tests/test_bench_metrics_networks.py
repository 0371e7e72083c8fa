"""Metrics over small networks: distances by hand, classes, what is remembered, weights that are no weights."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from metric_pictures import frozen, noisy, picture, write_weights
from safetensors.torch import load_file, save_file
from torch.nn import functional

from wisp.bench.metrics.class_agreement import ClassAgreement
from wisp.bench.metrics.darknet_tiny import DARKNET_FILE, DarknetTiny
from wisp.bench.metrics.feature_distance import mean_square_distance, unit_features
from wisp.bench.metrics.lpips_squeeze import SQUEEZE_FILE, LpipsSqueeze
from wisp.bench.metrics.metric import MetricUnavailable
from wisp.bench.metrics.texture_distance import dissimilarity, map_statistics


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("weights")
    write_weights(made)
    return made


@pytest.fixture
def network(folder: Path) -> DarknetTiny:
    return DarknetTiny(folder)


def test_feature_distance_by_hand() -> None:
    along_x = torch.tensor([[[[2.0, 2.0]], [[0.0, 0.0]]]])
    along_y = torch.tensor([[[[5.0, 0.0]], [[0.0, 5.0]]]])
    # One of two positions turns by a right angle: a squared distance of 2 there, 0 at the other.
    ours, theirs = unit_features([along_x, along_x]), unit_features([along_y, along_x])
    assert mean_square_distance(ours[:1], theirs[:1]) == pytest.approx(1.0, abs=1e-6)
    assert mean_square_distance(ours, theirs) == pytest.approx(0.5, abs=1e-6)
    assert mean_square_distance(ours, ours) == 0.0


def test_texture_distance_by_hand() -> None:
    wave, opposite, offset = (
        map_statistics(torch.tensor([[[values]]])) for values in ([1.0, -1.0], [-1.0, 1.0], [4.0, 2.0])
    )
    # Means agree (similarity 1), structures are opposite (-1): the average is 0, the distance 1.
    assert dissimilarity([wave], [opposite]) == pytest.approx(1.0, abs=1e-5)
    # The same wave about 3 in place of 0: structure 1, means 1e-6 / (9 + 1e-6).
    assert dissimilarity([wave], [offset]) == pytest.approx(0.5, abs=1e-6)
    assert dissimilarity([wave, wave], [wave, opposite]) == pytest.approx(0.5, abs=1e-5)
    assert dissimilarity([wave], [wave]) == 0.0


def test_moments_of_a_map() -> None:
    features = torch.randn(1, 5, 7, 9, generator=torch.Generator().manual_seed(0)) + 3.0
    found = map_statistics(features)
    assert torch.allclose(found.mean, features.double().mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(found.variance, features.double().var((0, 2, 3), correction=0), atol=1e-6)
    assert found.centred.shape == (63, 5)


def test_class_scores_are_the_mean_over_positions(network: DarknetTiny, folder: Path) -> None:
    response = network.response(picture())
    assert [tuple(tap.shape[1:]) for tap in response.taps] == [
        (3, 48, 64),
        (32, 24, 32),
        (128, 12, 16),
        (128, 12, 16),
        (256, 6, 8),
        (256, 6, 8),
        (512, 3, 4),
        (512, 3, 4),
    ]
    weights = load_file(folder / DARKNET_FILE)
    hidden = functional.conv2d(response.taps[-1], weights["conv15.weight"], weights["conv15.bias"])
    logits = functional.conv2d(
        functional.leaky_relu(hidden, 0.1), weights["conv16.weight"], weights["conv16.bias"]
    )
    assert torch.allclose(network.class_scores(response), logits.mean((0, 2, 3)), atol=1e-5)


def test_class_agreement_counts_the_classes_that_stay(
    network: DarknetTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores made up: a picture's first pixel names its best five classes."""

    def scores(picture_u8: np.ndarray) -> torch.Tensor:
        made = torch.zeros(1000)
        first = int(picture_u8[0, 0, 0])
        made[first : first + 5] = torch.arange(1.0, 6.0)
        return made

    monkeypatch.setattr(network, "response", lambda pixels: pixels)
    monkeypatch.setattr(network, "class_scores", scores)
    compare = ClassAgreement(network).reference(np.full((32, 32, 3), 10, np.uint8))
    found = [compare(np.full((32, 32, 3), first, np.uint8)) for first in (10, 11, 13, 15, 200)]
    assert found == [1.0, 0.8, 0.4, 0.0, 0.0]


def test_the_latest_picture_is_remembered(network: DarknetTiny) -> None:
    first, second = frozen(noisy(picture(), 0)), frozen(noisy(picture(), 5))
    response = network.response(first)
    assert network.response(first) is response
    assert network.response(second) is not response
    again = network.response(first)
    assert again is not response
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(again.taps, response.taps, strict=True))


def test_a_picture_that_may_change_is_not_remembered(network: DarknetTiny) -> None:
    pixels = noisy(picture(), 5)
    before = network.response(pixels).taps[0].clone()
    pixels[:] = 0
    assert not torch.equal(network.response(pixels).taps[0], before)


def test_nothing_is_remembered_of_a_picture_that_is_gone(network: DarknetTiny) -> None:
    pixels = frozen(noisy(picture(), 5))
    network.response(pixels)
    assert network._latest is not None
    del pixels
    gc.collect()
    assert network._latest is None


@pytest.mark.parametrize(("make", "name"), [(DarknetTiny, DARKNET_FILE), (LpipsSqueeze, SQUEEZE_FILE)])
def test_weights_that_are_no_weights(
    make: type[DarknetTiny] | type[LpipsSqueeze], name: str, tmp_path: Path
) -> None:
    with pytest.raises(
        MetricUnavailable, match=rf"expected a folder with {name}, found none; give --weights"
    ):
        make(None)
    with pytest.raises(MetricUnavailable, match=rf"expected {name} in the folder .*, found no such file"):
        make(tmp_path)
    (tmp_path / name).write_bytes(b"no tensors")
    with pytest.raises(MetricUnavailable, match=rf"{name}: expected safetensors, found 10 other bytes"):
        make(tmp_path)
    save_file({"conv1.weight": torch.zeros(16), "features.0.weight": torch.zeros(3)}, tmp_path / name)
    with pytest.raises(MetricUnavailable, match=rf"{name}: expected a tensor .*weight, found none"):
        make(tmp_path)


def test_the_version_is_that_of_the_weights(folder: Path, tmp_path: Path) -> None:
    write_weights(tmp_path, seed=4)
    assert LpipsSqueeze(folder).version == LpipsSqueeze(folder).version != LpipsSqueeze(tmp_path).version
    assert DarknetTiny(folder).digest != DarknetTiny(tmp_path).digest
