"""Ways to choose where bits go, each to a file of at most so many bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

import wisp

HALVINGS = 9  # of p: shares to a few regions
Way = Callable[[Image.Image, int], bytes | None]


def ways(strengths: tuple[float, ...], model: str | None) -> dict[str, Way]:
    """By name: (image, num_bytes) -> a file, or None if there is none so small."""
    options: dict[str, Any] = {} if model is None else {"model": model}

    def auto(strength: float) -> Way:
        return lambda image, size: wisp.compress(
            image, size=size, roi="auto", roi_strength=strength, **options
        )

    found: dict[str, Way] = {"benefit": lambda image, size: wisp.compress(image, size=size, **options)}
    found |= {f"auto_{strength:g}": auto(strength) for strength in strengths}
    found["entropy"] = lambda image, size: by_entropy(
        lambda ratios: wisp.compress(image, ratios=ratios, **options), size
    )
    return found


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
