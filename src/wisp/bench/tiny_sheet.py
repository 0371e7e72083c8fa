"""A sheet of small pictures: a row for each photograph, a column for each codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

WIDTH = 240  # pixels of a cell; tall pictures are fitted into the same cell
HEIGHT = 160
MARGIN = 6
LINE = 16
_PAPER, _INK, _EMPTY = "white", "black", "#dddddd"


@dataclass(frozen=True)
class Shown:
    """One cell: a codec, its bytes and its picture; None where it has no file that small."""

    codec: str
    num_bytes: int | None
    image: Image.Image | None


def draw_sheet(shelves: Sequence[tuple[str, Image.Image, Sequence[Shown]]]) -> Image.Image:
    """Rows of (name, original, cells) -> one RGB picture. All rows have the same codecs."""
    columns = 1 + max(len(cells) for _, _, cells in shelves)
    step = (WIDTH + MARGIN, HEIGHT + LINE + MARGIN)
    sheet = Image.new("RGB", (columns * step[0] + MARGIN, len(shelves) * step[1] + MARGIN), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for row, (name, original, cells) in enumerate(shelves):
        for column, cell in enumerate([Shown(name, None, original), *cells]):
            left, top = MARGIN + column * step[0], MARGIN + row * step[1]
            if cell.image is None:
                draw.rectangle((left, top, left + WIDTH - 1, top + HEIGHT - 1), fill=_EMPTY)
            else:
                fitted = cell.image.convert("RGB")
                fitted.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
                sheet.paste(fitted, (left + (WIDTH - fitted.width) // 2, top + (HEIGHT - fitted.height) // 2))
            size = "" if cell.num_bytes is None else f", {cell.num_bytes} bytes"
            label = cell.codec + (size if column and cell.image is not None else ", none" if column else "")
            draw.text((left, top + HEIGHT + 1), label, fill=_INK, font=font)
    return sheet
