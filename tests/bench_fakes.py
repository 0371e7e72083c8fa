"""Codecs and metrics for tests of the bench: quick, exact, and as faulty as a test wants them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wisp.bench import workshop
from wisp.bench.codec import AbstractCodec, CodecUnavailable, Encoded, Unreachable
from wisp.bench.workshop import Tools
from wisp.errors import ImageError, UsageError


class FakeCodec(AbstractCodec):
    """Files one byte below the budget, from 50 bytes up; decodes to the original, darker by one."""

    def __init__(self, name: str = "fake", version: str = "1") -> None:
        self._name, self._version = name, version
        self.num_fits = 0
        self.breaks_at: int | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return self._version

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        self.num_fits += 1
        if budget_num_bytes == self.breaks_at:
            raise RuntimeError("the coder fell over\nbadly")
        if budget_num_bytes < 50:
            return Unreachable(smallest_num_bytes=50)
        darker = Image.fromarray(np.maximum(np.asarray(image), 1) - np.uint8(1))
        return Encoded(data_num_bytes=budget_num_bytes - 1, decoded=darker, setting="all")


class FakeDirection(Enum):
    """As the metrics' own."""

    HIGHER = 1
    LOWER = 2


@dataclass(frozen=True)
class FakeMetric:
    """The name of a metric that measures nothing."""

    name: str
    direction: FakeDirection
    unit: str = ""
    version: str = "m1"


@dataclass
class FakePanel:
    """Two metrics of constant values; pictures need 32 pixels a side."""

    metrics: tuple[FakeMetric, ...] = (
        FakeMetric("psnr_db", FakeDirection.HIGHER, "dB"),
        FakeMetric("lpips_squeeze", FakeDirection.LOWER),
    )
    unavailable: dict[str, str] = field(default_factory=dict)
    version: str = "w"
    num_compared: int = 0

    def reference(self, original: Image.Image) -> FakePanel:
        if min(original.size) < 32:
            raise ImageError("metrics: expected sides of at least 32 pixels")
        return self

    def compare(self, decoded: Image.Image) -> dict[str, float | None]:
        self.num_compared += 1
        return {"psnr_db": None, "lpips_squeeze": 1 / 3}


@dataclass
class FakeWorkshop:
    """What `open_workshop` finds: codecs by name, those that are not available, and the metrics."""

    codecs: dict[str, FakeCodec] = field(default_factory=lambda: {"fake": FakeCodec()})
    unavailable: dict[str, str] = field(default_factory=dict)
    panel: FakePanel = field(default_factory=FakePanel)

    def codec_named(self, name: str, model: str | None = None) -> FakeCodec:
        if name in self.unavailable:
            raise CodecUnavailable(self.unavailable[name])
        if name not in self.codecs:
            raise UsageError(f"--codecs: expected a fake, found {name!r}")
        return self.codecs[name]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeWorkshop:
        """Let the bench find these."""

        def panel(tools: Tools) -> Any:
            return self.panel

        monkeypatch.setattr(workshop, "codec_named", self.codec_named)
        monkeypatch.setattr(workshop, "_open_panel", panel)
        return self


def save_pictures(folder: Path, **colours: tuple[int, int, int]) -> Path:
    """Pictures of 64x32 pixels in one colour each, by name."""
    folder.mkdir(exist_ok=True)
    for name, colour in colours.items():
        Image.new("RGB", (64, 32), colour).save(folder / f"{name}.png")
    return folder
