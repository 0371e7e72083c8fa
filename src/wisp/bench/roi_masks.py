"""Masks over faces and signs, from polygons in roi_masks.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

PATH = Path(__file__).with_name("roi_masks.toml")


@dataclass(frozen=True)
class Marked:
    """One marked picture.

    Attributes:
        image: its name without suffix.
        what: what the polygons surround.
        polygons: corners (x, y) in pixels.
    """

    image: str
    what: str
    polygons: tuple[tuple[tuple[int, int], ...], ...]

    def mask(self, width: int, height: int) -> Image.Image:
        """Mode L: 255 inside, 0 outside."""
        drawn = Image.new("L", (width, height), 0)
        for polygon in self.polygons:
            ImageDraw.Draw(drawn).polygon(list(polygon), fill=255)
        return drawn

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, upper, right, lower of all polygons together."""
        xs, ys = zip(*(corner for polygon in self.polygons for corner in polygon), strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def marked_pictures(path: Path = PATH) -> dict[str, Marked]:
    """All marked pictures by name."""
    found = {}
    for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
        polygons = tuple(tuple((int(x), int(y)) for x, y in polygon) for polygon in entry["polygons"])
        found[name] = Marked(name, str(entry["what"]), polygons)
    return found
