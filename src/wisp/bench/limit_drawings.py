"""Two pictures that are no photographs, drawn here so that no file is needed: a page of text and a chart."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

SIZE = (768, 512)
INK = (20, 20, 24)
LINES = (
    "Gauge 4, upper river.  Level 2.31 m, rising.",
    "Bridge closed to lorries from 06:00 on 14 May.",
    "Bring rope, 40 m; two lamps; the blue radio.",
    "Reply on channel 7. Coordinates: 46.8182 N, 8.2275 E",
)
POINT_SIZES = (44, 30, 22, 16, 12)
BARS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189))
HEIGHTS = (0.82, 0.35, 0.6, 0.47, 0.71)


def text_page() -> Image.Image:
    """Two lines of 44 and of 30 points, four of 22, 16 and 12, black on white, 768x512."""
    page = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(page)
    top = 12
    for points in POINT_SIZES:
        font = ImageFont.load_default(points)
        for line in LINES[: 2 if points > POINT_SIZES[2] else 4]:
            pen.text((14, top), line, fill=INK, font=font)
            top += round(1.3 * points)
        top += 10
    return page


def chart() -> Image.Image:
    """Bars, thin lines, pure colours and small labels, 768x512."""
    sheet = Image.new("RGB", SIZE, (250, 250, 250))
    pen = ImageDraw.Draw(sheet)
    label = ImageFont.load_default(14)
    floor, left = 460, 70
    for step in range(9):
        y = floor - 50 * step
        pen.line((left, y, 750, y), fill=(205, 205, 205))
        pen.text((24, y - 8), f"{step * 12.5:g}", fill=INK, font=label)
    for number, (colour, height) in enumerate(zip(BARS, HEIGHTS, strict=True)):
        x = left + 24 + 130 * number
        pen.rectangle((x, floor - int(400 * height), x + 84, floor), fill=colour)
        pen.text((x + 12, floor + 8), f"series {number + 1}", fill=INK, font=label)
    points = [(left + 66 + 130 * n, floor - int(400 * h) - 30 + 25 * (n % 2)) for n, h in enumerate(HEIGHTS)]
    pen.line(points, fill=INK, width=2)
    for x, y in points:
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill="white", outline=INK, width=2)
    return sheet
