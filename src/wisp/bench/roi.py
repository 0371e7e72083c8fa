"""A region of interest over a face or a sign: what it gains there, and costs elsewhere, at the same file size.

wisp bench roi --images DIR --out results/roi --sheet docs/images/roi.webp
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.command import command, command_parser, rate_list
from wisp.bench.markdown import number, table
from wisp.bench.more_bytes import mean
from wisp.bench.pictures import picture_paths, read_picture
from wisp.bench.provenance import checkout, meta, note, require_place, row_line, write_summary, write_text
from wisp.bench.roi_masks import Marked, marked_pictures
from wisp.bench.roi_sheet import Shown, draw_sheet
from wisp.errors import UsageError

SHEET_QUALITY = 70
SHEET_BPP = 0.1


@dataclass(frozen=True)
class RoiRow:
    """One marked picture at one rate; columns as in results/FIELDS.md."""

    image: str
    what: str
    bpp: float
    strength: float
    share: float
    plain_num_bytes: int
    roi_num_bytes: int
    plain_inside_db: float
    roi_inside_db: float
    plain_outside_db: float
    roi_outside_db: float


def psnr_db(original: NDArray[np.uint8], decoded: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Of the pixels `where` (H, W) of two pictures (H, W, 3); 99 where they are equal."""
    error = float(((original[where].astype(np.float64) - decoded[where]) ** 2).mean())
    return round(10 * math.log10(255**2 / error), 4) if error else 99.0


def measure(
    image: Image.Image, marked: Marked, bpp: float, strength: float, model: str | None
) -> tuple[RoiRow, Shown]:
    """Both files of one picture at one rate."""
    options: dict[str, Any] = {} if model is None else {"model": model}
    mask = marked.mask(*image.size)
    files = [
        wisp.compress(image, bpp=bpp, **options),
        wisp.compress(image, bpp=bpp, roi=mask, roi_strength=strength, **options),
    ]
    shown = [wisp.decompress(data, **options).convert("RGB") for data in files]
    inside = np.asarray(mask) > 0
    original = np.asarray(image)
    values = [psnr_db(original, np.asarray(s), where) for where in (inside, ~inside) for s in shown]
    share = round(float(inside.mean()), 6)
    row = RoiRow(marked.image, marked.what, bpp, strength, share, len(files[0]), len(files[1]), *values)
    return row, Shown(marked, image, *shown)


def summary(rows: Sequence[RoiRow]) -> str:
    """The page: means by rate, then every picture."""
    lines = []
    for bpp in sorted({row.bpp for row in rows}):
        mine = [row for row in rows if row.bpp == bpp]
        gains = [row.roi_inside_db - row.plain_inside_db for row in mine]
        costs = [row.roi_outside_db - row.plain_outside_db for row in mine]
        lines.append(
            [
                f"{bpp:g}",
                str(len(mine)),
                f"{mean(gains):+.2f}",
                f"{min(gains):+.2f}",
                f"{mean(costs):+.2f}",
                f"{min(costs):+.2f}",
            ]
        )
    header = ["bpp", "pictures", "inside, dB", "least", "outside, dB", "most lost"]
    page = ["# Regions of interest", ""]
    page += [f"Both files have the same budget; errors weigh {rows[0].strength:g} times inside the mask.", ""]
    page += [*table(header, lines), ""]
    header = [
        "picture",
        "what",
        "share of the area",
        "bpp",
        "inside without, dB",
        "with",
        "outside without",
        "with",
    ]
    lines = [
        [
            row.image,
            row.what,
            f"{row.share:.1%}",
            f"{row.bpp:g}",
            number(row.plain_inside_db, 2),
            number(row.roi_inside_db, 2),
            number(row.plain_outside_db, 2),
            number(row.roi_outside_db, 2),
        ]
        for row in rows
    ]
    return "\n".join([*page, *table(header, lines)]) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("roi", "what a region of interest gains", "out model")
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures, some of them marked")
    parser.add_argument("--sheet", type=Path, help="a picture of everything marked, as WebP or PNG")
    parser.add_argument("--bpp", default="0.05,0.1,0.2", help="rates, with commas between")
    parser.add_argument("--strength", type=float, default=8.0, help="how many times an error weighs inside")
    return parser


@command("roi")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    rows: list[RoiRow] = []
    shelves: list[Shown] = []
    rates = rate_list("--bpp", options.bpp)
    require_place(options.out)
    if options.sheet is not None and options.sheet.suffix not in (".webp", ".png"):
        raise UsageError(f"--sheet: expected a name that ends in .webp or .png, found {options.sheet}")
    marked = marked_pictures()
    paths = [path for path in picture_paths(options.images) if path.stem in marked]
    if not paths:
        raise UsageError(f"--images: expected some of {', '.join(marked)}, found none")
    for path in paths:
        image = read_picture(path)
        for bpp in rates:
            row, shown = measure(image, marked[path.stem], bpp, options.strength, options.model)
            rows.append(row)
            if bpp == (SHEET_BPP if SHEET_BPP in rates else rates[0]):
                shelves.append(shown)
        note(f"{path.stem}: done")
    page = summary(rows)
    write_text(options.out / "rows.jsonl", "".join(row_line(asdict(row)) + "\n" for row in rows))
    version = WispCodec(options.model).version
    write_summary(options.out, page, meta("wisp.bench.roi", arguments, code, codecs={"wisp": version}))
    if options.sheet is not None:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        draw_sheet(shelves).save(options.sheet, quality=SHEET_QUALITY, method=6)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
