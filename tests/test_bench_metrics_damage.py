"""Every metric that can be had here gets worse as damage gets stronger."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from metric_pictures import KODAK, SHARED, Pixels, blurred, noisy, through_jpeg
from PIL import Image

from wisp.bench.metrics.metric import Direction
from wisp.bench.metrics.panel import METRIC_NAMES, MetricPanel
from wisp.bench.metrics.weight_file import WEIGHTS_VARIABLE

DAMAGES: dict[str, tuple[Callable[[Pixels, float], Pixels], tuple[float, ...]]] = {
    "blur": (blurred, (1, 3, 9, 27)),
    "noise": (noisy, (2, 6, 18, 54)),
    "jpeg": (through_jpeg, (10, 50, 80, 95)),
}
# Has six values only, and steps up and down on a single picture: its mean over several is looked at.
STEPPED = "class_agreement"
KODAK_STEMS = ("kodim01", "kodim05", "kodim07", "kodim14", "kodim20", "kodim23")


@pytest.fixture(scope="module")
def panel() -> MetricPanel:
    """With the real networks where they are at hand."""
    named = os.environ.get(WEIGHTS_VARIABLE)
    shared = SHARED / "weights"
    return MetricPanel(Path(named) if named else shared if shared.is_dir() else None)


@pytest.fixture(scope="module")
def scores(panel: MetricPanel, photo_u8: Pixels) -> dict[str, list[dict[str, float | None]]]:
    """By damage, from weak to strong, all values."""
    reference = panel.reference(Image.fromarray(photo_u8))
    return {
        name: [reference.compare(Image.fromarray(worsen(photo_u8, amount))) for amount in amounts]
        for name, (worsen, amounts) in DAMAGES.items()
    }


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [name for name in METRIC_NAMES if name != STEPPED])
def test_worsens_with_damage(
    name: str, damage: str, panel: MetricPanel, scores: dict[str, list[dict[str, float | None]]]
) -> None:
    if name in panel.unavailable:
        pytest.skip(panel.unavailable[name])
    (direction,) = (metric.direction for metric in panel.metrics if metric.name == name)
    values = np.array([at_strength[name] for at_strength in scores[damage]], float)
    losses = -np.diff(values) if direction is Direction.HIGHER else np.diff(values)
    assert (losses > 0.0).all(), values


@pytest.mark.skipif(not KODAK.is_dir(), reason="the pictures are not at hand")
@pytest.mark.parametrize("damage", DAMAGES)
def test_class_agreement_falls_on_average(damage: str, panel: MetricPanel) -> None:
    if STEPPED in panel.unavailable:
        pytest.skip(panel.unavailable[STEPPED])
    (metric,) = (metric for metric in panel.metrics if metric.name == STEPPED)
    worsen, amounts = DAMAGES[damage]
    values = []
    for stem in KODAK_STEMS:
        original = np.asarray(Image.open(KODAK / f"{stem}.png").convert("RGB"))[:256, :384]
        compare = metric.reference(original)
        values.append([compare(worsen(original, amount)) for amount in amounts])
    means = np.mean(np.array(values, float), axis=0)
    assert (np.diff(means) < 0.0).all(), means
