"""Metrics of other packages: how they are called, and what is said where they are missing."""

from __future__ import annotations

import sys
from importlib import metadata
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from wisp.bench.metrics.dists import Dists
from wisp.bench.metrics.lpips_torch import LpipsTorch
from wisp.bench.metrics.metric import AbstractMetric, MetricUnavailable
from wisp.bench.metrics.ms_ssim import MsSsim
from wisp.bench.metrics.panel import MetricPanel


class Net(torch.nn.Module):
    """Stands in for either network: the mean absolute difference of what it is given."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, x: torch.Tensor, y: torch.Tensor, **options: bool) -> torch.Tensor:
        assert x.shape == y.shape == (1, 3, 40, 33)
        assert 0.0 <= float(torch.minimum(x, y).min()) <= float(torch.maximum(x, y).max()) <= 1.0
        assert not self.training
        assert options == ({"normalize": True} if self.options else {})  # LPIPS is to scale 0..1 to -1..1
        return (x - y).abs().mean().reshape(1, 1, 1, 1)


def module(name: str, **members: object) -> ModuleType:
    made = ModuleType(name)
    for key, member in members.items():
        setattr(made, key, member)
    return made


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Packages that are not really there; the options LPIPS was made with."""
    made: list[dict[str, object]] = []

    def lpips(**options: object) -> torch.nn.Module:
        made.append(options)
        return Net(**options).eval()

    monkeypatch.setitem(sys.modules, "torchvision", module("torchvision"))
    monkeypatch.setitem(sys.modules, "lpips", module("lpips", LPIPS=lpips))
    monkeypatch.setitem(sys.modules, "DISTS_pytorch", module("DISTS_pytorch", DISTS=Net))
    monkeypatch.setattr(metadata, "version", lambda name: f"{len(name)}.0")
    return made


def check_values(metric: AbstractMetric) -> None:
    black, white = np.zeros((40, 33, 3), np.uint8), np.full((40, 33, 3), 255, np.uint8)
    compare = metric.reference(black)
    assert (compare(black), compare(white)) == (0.0, 1.0)
    small = black[:31, :31]
    assert metric.reference(small)(small) is None


def test_lpips_keeps_its_trunks_apart(installed: list[dict[str, object]]) -> None:
    for trunk in ("alex", "vgg"):
        metric = LpipsTorch(trunk)  # type: ignore[arg-type]
        assert metric.name == f"lpips_{trunk}"
        assert metric.version == f"0.1 {trunk} lpips 5.0 torchvision 11.0"
        check_values(metric)
    assert installed == [{"net": "alex", "verbose": False}, {"net": "vgg", "verbose": False}]


@pytest.mark.usefixtures("installed")
def test_dists_at_full_size() -> None:
    metric = Dists()
    assert metric.version == "full size DISTS-pytorch 13.0 torchvision 11.0"
    check_values(metric)


@pytest.mark.parametrize(
    ("absent", "name", "reason"),
    [
        ("torchvision", "lpips_alex", "torchvision with AlexNet, found none; pip install torchvision"),
        ("torchvision", "lpips_vgg", "torchvision with VGG-16, found none; pip install torchvision"),
        ("torchvision", "dists", "torchvision with VGG-16, found none; pip install torchvision"),
        ("lpips", "lpips_alex", "lpips, found none; pip install lpips"),
        ("DISTS_pytorch", "dists", "DISTS-pytorch, found none; pip install DISTS-pytorch"),
        ("pytorch_msssim", "ms_ssim", "pytorch-msssim, found none; pip install pytorch-msssim"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_a_missing_package_is_named(
    absent: str, name: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    panel = MetricPanel(names=["psnr_db", name])
    assert [metric.name for metric in panel.metrics] == ["psnr_db"]
    assert panel.unavailable == {name: f"expected the package {reason}"}


@pytest.mark.usefixtures("installed")
def test_a_package_that_misses_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def needs(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("importlib.import_module", lambda name: needs("tqdm"))
    with pytest.raises(MetricUnavailable, match="found one without tqdm; pip install pytorch-msssim tqdm"):
        MsSsim()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError("<urlopen error no route>"), "<urlopen error no route>"),
        (FileNotFoundError(2, "No such file", "/home/someone/weights.pt"), "No such file: 'weights.pt'"),
        (TypeError("unexpected\nargument"), "unexpected argument"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_a_trunk_that_cannot_be_had_is_named(
    fault: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**options: object) -> None:
        raise fault

    monkeypatch.setattr(sys.modules["lpips"], "LPIPS", fail)
    with pytest.raises(MetricUnavailable) as caught:
        LpipsTorch("vgg")
    text = str(caught.value)
    assert text.startswith("expected the weights of VGG-16 (torchvision), found no download of them (")
    assert words in text
    assert "/home" not in text
    assert "\n" not in text
