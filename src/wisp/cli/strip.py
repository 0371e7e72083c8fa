"""A strip of pictures side by side, each with a title and a line of detail under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_MARGIN = 12  # pixels between panels, and around the strip
_SMALLEST_SIDE = 240  # pixels; smaller pictures are enlarged by whole steps, pixels showing
_SMALLEST_WIDTH = 200  # pixels of a panel, for its label's sake
_LARGEST_FONT, _SMALLEST_FONT = 28, 9  # pixels
_FONT_SHARE = 22  # a label's font has 1/22 of the panel's width
_PAPER, _INK, _FAINT_INK = "white", "black", "#555555"

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Panel:
    """One picture of a strip.

    Attributes:
        image: any mode that converts to RGB; all of a strip have one size. None leaves the place grey.
        title: what it is, such as "AVIF".
        detail: what it cost, such as "1,993 bytes".
    """

    image: Image.Image | None
    title: str
    detail: str


def columns_for(width: int, height: int, count: int) -> int:
    """Panels side by side: a tall picture's strip is one row, a wide one's has three columns."""
    return count if height > width else min(count, 3)


def draw_strip(panels: Sequence[Panel], columns: int) -> Image.Image:
    """Draw panels in reading order, `columns` of them in a row.

    Returns:
        mode RGB, large enough for all panels at full size.
    """
    size = next(panel.image.size for panel in panels if panel.image is not None)
    enlarged = max(1, -(-_SMALLEST_SIDE // max(size)))
    shown = (size[0] * enlarged, size[1] * enlarged)
    width = max(shown[0], _SMALLEST_WIDTH)
    font = _font_for(panels, width)
    line = _line_height(font)
    height = shown[1] + 2 * line + _MARGIN
    rows = -(-len(panels) // columns)
    sheet = Image.new(
        "RGB",
        (columns * (width + _MARGIN) + _MARGIN, rows * (height + _MARGIN) + _MARGIN),
        _PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        left = _MARGIN + column * (width + _MARGIN)
        top = _MARGIN + row * (height + _MARGIN)
        if panel.image is None:
            draw.rectangle((left, top, left + shown[0] - 1, top + shown[1] - 1), fill="#dddddd")
        else:
            sheet.paste(panel.image.convert("RGB").resize(shown, Image.Resampling.NEAREST), (left, top))
        below = top + shown[1] + _MARGIN // 2
        draw.text((left, below), panel.title, fill=_INK, font=font)
        draw.text((left, below + line), panel.detail, fill=_FAINT_INK, font=font)
    return sheet


def _font_for(panels: Sequence[Panel], width: int) -> _Font:
    """The largest font in which every label fits a panel of `width` pixels."""
    labels = [text for panel in panels for text in (panel.title, panel.detail)]
    size = min(max(width // _FONT_SHARE, 14), _LARGEST_FONT)
    while size > _SMALLEST_FONT:
        font = ImageFont.load_default(size)
        if max(font.getbbox(label)[2] for label in labels) <= width:
            return font
        size -= 1
    return ImageFont.load_default(_SMALLEST_FONT)


def _line_height(font: _Font) -> int:
    _, top, _, bottom = font.getbbox("Ag|")
    return int(bottom - min(top, 0)) + 4
