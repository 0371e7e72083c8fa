"""Ways to choose where bits go, each to a file of at most so many bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

import wisp
from wisp.codecs import codec_for_model
from wisp.runtime import CONFIG_NAME, FORECAST_NAME, Bundle

HALVINGS = 9  # of p: shares to a few regions
Way = Callable[[Image.Image, int], bytes | None]


def ways(strengths: tuple[float, ...], model: str | None, place: Path) -> dict[str, Way]:
    """By name: (image, num_bytes) -> a file, or None if there is none so small.

    A model that forecasts is copied into `place`, an empty folder, without its forecast, and compared with itself.
    """
    options: dict[str, Any] = {} if model is None else {"model": model}

    def auto(strength: float) -> Way:
        return lambda image, size: wisp.compress(
            image, size=size, roi="auto", roi_strength=strength, **options
        )

    found: dict[str, Way] = {"benefit": lambda image, size: wisp.compress(image, size=size, **options)}
    bundle = codec_for_model(model).bundle
    if bundle.has_forecast:
        plain = without_forecast(bundle, place)
        found["squared_error"] = lambda image, size: wisp.compress(image, size=size, model=plain)
    found |= {f"auto_{strength:g}": auto(strength) for strength in strengths}
    found["entropy"] = lambda image, size: by_entropy(
        lambda ratios: wisp.compress(image, ratios=ratios, **options), size
    )
    return found


def without_forecast(bundle: Bundle, place: Path) -> Path:
    """A copy of a bundle in `place`, with all of its files, that allocates by squared error alone."""
    folder = place / bundle.folder.name
    folder.mkdir()
    table = json.loads((bundle.folder / CONFIG_NAME).read_text(encoding="utf-8"))
    del table["files"][FORECAST_NAME]
    table.pop("shared_with", None)
    for name in table["files"]:
        (folder / name).write_bytes(bundle.content(name))
    (folder / CONFIG_NAME).write_text(json.dumps(table), encoding="utf-8")
    return folder


def by_entropy(compress: Callable[[tuple[float, float, float]], bytes], num_bytes: int) -> bytes | None:
    """Fine, medium and coarse granularity at shares p², 2p(1 - p), (1 - p)², with the largest p that fits."""
    best: bytes | None = None
    low, high = 0.0, 1.0
    for trial in range(HALVINGS):
        p = 0.0 if trial == 0 else (low + high) / 2
        data = compress((p * p, 2 * p * (1 - p), (1 - p) ** 2))
        if len(data) <= num_bytes:
            best, low = data, p
        elif trial == 0:
            return None
        else:
            high = p
    return best
