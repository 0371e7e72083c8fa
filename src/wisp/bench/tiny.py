"""A few hundred bytes: wisp beside the best that anything else does with them, and a sheet to look at.

    wisp bench tiny --images DIR --weights DIR --size 200 --out results/NAME [--sheet FILE]

Each of AVIF, WebP and JPEG XL is tried at the whole size and at 1/2 to 1/32 of it. A picture counts as won where
wisp's value is below *every* try of every peer, placeholders included, in each of the metrics; the peers may use
another scale for another metric.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from wisp.bench.catalogue import DENOMINATORS, PLACEHOLDERS, WISP, codec_named
from wisp.bench.codec import AbstractCodec, CodecUnavailable, Encoded
from wisp.bench.command import command, command_parser
from wisp.bench.markdown import number, table
from wisp.bench.metrics.metric import Direction
from wisp.bench.metrics.panel import MetricPanel
from wisp.bench.pictures import picture_paths, read_picture
from wisp.bench.provenance import checkout, meta, note, require_place, row_line, write_summary, write_text
from wisp.bench.tiny_sheet import Shown, draw_sheet
from wisp.errors import CodecError, UsageError

METRICS = "lpips_squeeze,feature_distance"
FAMILIES = ("avif", "webp", "jxl")
SHEET_QUALITY = 85


@dataclass(frozen=True)
class TinyRow:
    """One try of one codec on one picture; columns as in results/FIELDS.md."""

    image: str
    codec: str
    num_bytes: int
    setting: str
    scores: dict[str, float | None]


def tried_codecs(model: str | None) -> tuple[dict[str, list[AbstractCodec]], dict[str, str]]:
    """Codecs of each family, wisp first, and why others cannot be used."""
    names = {WISP: [WISP], **{f: [f, *(f"{f}@1/{d}" for d in DENOMINATORS)] for f in FAMILIES}}
    names |= {p: [p] for p in PLACEHOLDERS}
    found: dict[str, list[AbstractCodec]] = {}
    missing = {}
    for family, members in names.items():
        try:
            found[family] = [codec_named(name, model) for name in members]
        except CodecUnavailable as reason:
            missing[family] = str(reason)
    return found, missing


def measure(
    image: Image.Image, name: str, codecs: dict[str, list[AbstractCodec]], size: int, panel: MetricPanel
) -> tuple[list[TinyRow], list[Shown]]:
    """Rows of all tries that fit, and for each family its best by the first metric, to be shown."""
    reference, key = panel.reference(image), panel.metrics[0].name
    rows, shown = [], []
    for family, members in codecs.items():
        best: tuple[float, Encoded] | None = None
        for codec in members:
            fitted = codec.fit(image, size)
            if not isinstance(fitted, Encoded):
                continue
            scores = reference.compare(fitted.decoded)
            rows.append(TinyRow(name, codec.name, fitted.data_num_bytes, fitted.setting, scores))
            value = scores[key]
            if value is not None and (best is None or value < best[0]):
                best = value, fitted
        if best is not None:
            shown.append(Shown(family, best[1].data_num_bytes, best[1].decoded))
        else:
            shown.append(Shown(family, None, None))
    return rows, shown


def family_of(codec: str) -> str:
    """avif@1/8 -> avif."""
    return codec.partition("@")[0]


def lowest(rows: Sequence[TinyRow], image: str, family: str, metric: str) -> float | None:
    """The lowest value of a metric that any try of a family reached on a picture."""
    values = [
        value
        for row in rows
        if row.image == image and family_of(row.codec) == family
        if (value := row.scores[metric]) is not None
    ]
    return min(values, default=None)


def summary(rows: Sequence[TinyRow], families: Sequence[str], metrics: Sequence[str], size: int) -> str:
    """Means of each family's best tries, and on how many pictures wisp is below all of them."""
    images = list(dict.fromkeys(row.image for row in rows))
    lines = []
    for family in families:
        cells: list[str] = []
        reached = {row.image for row in rows if family_of(row.codec) == family}
        for metric in metrics:
            best = [v for image in images if (v := lowest(rows, image, family, metric)) is not None]
            cells.append(number(sum(best) / len(best) if best else None, 4))
        won = "" if family == WISP else str(sum(_won(rows, i, [family], metrics) for i in images))
        lines.append([family, f"{len(reached)}/{len(images)}", *cells, won])
    peers = [family for family in families if family != WISP]
    total = sum(_won(rows, image, peers, metrics) for image in images)
    return "\n".join(
        [
            f"# {size} bytes",
            "",
            f"{len(images)} pictures. Each peer at its best scale in each metric; means over the pictures reached.",
            "",
            *table(["codec", "reached", *(f"{m} ↓" for m in metrics), "pictures that wisp wins"], lines),
            "",
            f"wisp is below every peer in all of these metrics on {total} of {len(images)} pictures.",
            "",
        ]
    )


def _won(rows: Sequence[TinyRow], image: str, peers: Sequence[str], metrics: Sequence[str]) -> bool:
    for metric in metrics:
        mine = lowest(rows, image, WISP, metric)
        theirs = [v for peer in peers if (v := lowest(rows, image, peer, metric)) is not None]
        if mine is None or any(value <= mine for value in theirs):
            return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("tiny", "a few hundred bytes, beside peers", "images weights out model")
    parser.add_argument("--size", type=int, default=200, help="bytes of each file, at most")
    parser.add_argument("--sheet", type=Path, help="a picture of everything, as WebP or PNG")
    parser.add_argument("--metrics", default=METRICS, help="names; the first chooses what the sheet shows")
    return parser


@command("tiny")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    if options.size < 1:
        raise UsageError(f"--size: expected a whole number from 1 up, found {options.size}")
    if options.sheet is not None and options.sheet.suffix not in (".webp", ".png"):
        raise UsageError(f"--sheet: expected a name that ends in .webp or .png, found {options.sheet}")
    require_place(options.out)
    if options.sheet is not None:
        require_place(options.sheet.parent)
    paths = picture_paths(options.images)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    if any(metric.direction is not Direction.LOWER for metric in panel.metrics):
        raise UsageError(f"--metrics: expected some of which lower is better, found {options.metrics}")
    codecs, missing = tried_codecs(options.model)
    rows: list[TinyRow] = []
    shelves = []
    for path in paths:
        image = read_picture(path)
        found, shown = measure(image, path.stem, codecs, options.size, panel)
        rows += found
        shelves.append((path.stem, image, shown))
        write_text(options.out / "rows.jsonl", "".join(row_line(asdict(row)) + "\n" for row in rows))
        note(f"{path.stem}: done")
    page = summary(rows, list(codecs), [metric.name for metric in panel.metrics], options.size)
    record = meta(
        "wisp.bench.tiny",
        arguments,
        code,
        metrics={metric.name: metric.version for metric in panel.metrics},
        codecs={codec.name: codec.version for members in codecs.values() for codec in members},
        unavailable=panel.unavailable | missing,
    )
    write_summary(options.out, page, record)
    if options.sheet is not None:
        _save(draw_sheet(shelves), options.sheet)
    return 0


def _save(sheet: Image.Image, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, quality=SHEET_QUALITY, method=6)
    except (OSError, ValueError) as fault:  # WebP ends at 16,383 pixels, which is 90 pictures
        raise CodecError(f"{path}: expected a sheet that can be written, found: {fault}; try PNG") from fault


if __name__ == "__main__":
    raise SystemExit(main())
