"""What the model is bad at, to be looked at: faces, text, a night and a chart in several sizes.

wisp bench limits --picture "kodak/kodim15.png:330,90:a face" --out docs/images/limits.webp

Text and chart are drawn (wisp.bench.limit_drawings). Nothing is measured.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

import wisp
from wisp.bench.command import command, command_parser, whole_number_list
from wisp.bench.limit_drawings import chart, text_page
from wisp.bench.pictures import read_picture
from wisp.bench.provenance import require_place
from wisp.errors import UsageError

TILE = 216  # pixels along each side, none of them scaled
GAP = 4
LINE = 14  # pixels of a label
SIZES = (2000, 5000, 20000)  # bytes
QUALITY = 66
_PICTURE = re.compile(r"(?P<path>.+):(?P<x>\d{1,5}),(?P<y>\d{1,5}):(?P<what>[^:]+)")


@dataclass(frozen=True)
class Subject:
    """A picture, the upper left corner of the square to be shown of it, and what it is."""

    image: Image.Image
    corner: tuple[int, int]
    what: str


def parse_subject(text: str) -> Subject:
    """PATH:X,Y:WHAT.

    Raises:
        UsageError: it is written otherwise, or the square is not inside the picture.
        ImageError: there is no such picture.
    """
    found = _PICTURE.fullmatch(text)
    if found is None:
        raise UsageError(f"--picture: expected PATH:X,Y:WHAT, such as a.png:100,50:a face; found {text!r}")
    image = read_picture(Path(found["path"]))
    corner = int(found["x"]), int(found["y"])
    if corner[0] + TILE > image.width or corner[1] + TILE > image.height:
        raise UsageError(f"--picture: expected {TILE} pixels beside and below {corner} in {found['path']}")
    return Subject(image, corner, found["what"])


def draw_sheet(subjects: Sequence[Subject], sizes: Sequence[int], options: dict[str, Any]) -> Image.Image:
    """A row a subject: the original, then each size of the whole picture's file."""
    width = (len(sizes) + 1) * (TILE + GAP) + GAP
    sheet = Image.new("RGB", (width, len(subjects) * (LINE + TILE + GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, subject in enumerate(subjects):
        top = row * (LINE + TILE + GAP)
        shown = [(f"{subject.what}, original {subject.image.width}x{subject.image.height}", subject.image)]
        for size in sizes:
            data = wisp.compress(subject.image, size=size, **options)
            shown.append((f"{len(data)} bytes", wisp.decompress(data, **options)))
        for column, (label, image) in enumerate(shown):
            left = GAP + column * (TILE + GAP)
            x, y = subject.corner
            sheet.paste(image.crop((x, y, x + TILE, y + TILE)), (left, top + LINE))
            pen.text((left, top + 1), label, fill="black")
    return sheet


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("limits", "what the model is bad at, as a sheet", "model")
    parser.add_argument(
        "--picture",
        action="append",
        default=[],
        metavar="PATH:X,Y:WHAT",
        help=f"a picture, and the corner of the {TILE} pixels to show; may be given several times",
    )
    parser.add_argument("--out", type=Path, required=True, help="the sheet, .webp or .png")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="bytes, with commas between")
    return parser


@command("limits")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when the sheet was drawn."""
    options = _parser().parse_args(arguments)
    if options.out.suffix not in (".webp", ".png"):
        raise UsageError(f"--out: expected a name that ends in .webp or .png, found {options.out}")
    sizes = whole_number_list("--sizes", options.sizes, 1)
    require_place(options.out.parent)
    subjects = [parse_subject(text) for text in options.picture]
    subjects += [Subject(text_page(), (10, 96), "text"), Subject(chart(), (330, 60), "a chart")]
    sheet = draw_sheet(subjects, sizes, {} if options.model is None else {"model": options.model})
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.out, quality=QUALITY, method=6)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
