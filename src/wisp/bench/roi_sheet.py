"""The sheet of `wisp bench roi`: what is marked, as it was, without a mask and with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from wisp.bench.roi_masks import Marked

TILE = 176  # pixels along each side
GAP = 4
LINE = 14  # pixels of a label
LABELS = ("original", "without a mask", "with it, same bytes")


@dataclass(frozen=True)
class Shown:
    """One marked picture three times."""

    marked: Marked
    original: Image.Image
    plain: Image.Image
    roi: Image.Image


def draw_sheet(shelves: Sequence[Shown]) -> Image.Image:
    """A column a picture: a square around what is marked, of the three in turn."""
    width = GAP + len(shelves) * (TILE + GAP)
    sheet = Image.new("RGB", (width, 3 * (LINE + TILE + GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, label in enumerate(LABELS):
        top = row * (LINE + TILE + GAP)
        pen.text((GAP, top + 1), label, fill="black")
        for column, shown in enumerate(shelves):
            picture = (shown.original, shown.plain, shown.roi)[row]
            tile = picture.crop(square_around(shown.marked.box, picture.size))
            tile = tile.resize((TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (GAP + column * (TILE + GAP), top + LINE))
    return sheet


def square_around(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square a tenth larger than the box, inside the picture."""
    left, upper, right, lower = box
    side = min(*size, int(1.1 * max(right - left, lower - upper)))
    x = min(max(0, (left + right - side) // 2), size[0] - side)
    y = min(max(0, (upper + lower - side) // 2), size[1] - side)
    return x, y, x + side, y + side
