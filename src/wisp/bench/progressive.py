"""Files cut at several lengths: does a picture get better with every byte that arrives?

    wisp bench progressive --images DIR --weights DIR --out results/progressive

Each picture is compressed once, and its file is cut to ten lengths, evenly from a tenth to the whole. Each length is
scored, and some together with one of 1 % fewer bytes: how far their scores lie apart is the noise.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image

import wisp
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.command import command, command_parser
from wisp.bench.markdown import number
from wisp.bench.metrics.panel import MetricPanel, Reference
from wisp.bench.more_bytes import NEARLY, mean, more_bytes
from wisp.bench.picture_rows import PictureRows, identity_of
from wisp.bench.pictures import picture_paths
from wisp.bench.provenance import checkout, meta, require_place, write_summary
from wisp.errors import Truncated, UsageError

METRICS = ("lpips_squeeze", "psnr_db")
NOISE_AT = (3, 6, 9)  # lengths, counted from 1, where the noise is measured


@dataclass(frozen=True)
class ProgressiveRow:
    """One picture's file cut to one length; columns as in results/FIELDS.md."""

    file_num_bytes: int
    tenths: int
    num_bytes: int
    version: int
    shown: bool
    confidence: float | None
    num_generated: int | None
    score: float | None
    nearly_score: float | None
    psnr_db: float | None


def measure(
    image: Image.Image, bpp: float, lengths: int, model: str | None, reference: Reference
) -> list[ProgressiveRow]:
    """A row for every length."""
    options: dict[str, Any] = {} if model is None else {"model": model}
    data = wisp.compress(image, bpp=bpp, **options)
    version = wisp.read_info(data).format_version
    rows = []
    for step in range(1, lengths + 1):
        kept = len(data) * step // lengths
        try:
            full = wisp.reconstruct(data[:kept], allow_partial=True, **options)
        except Truncated:
            rows.append(ProgressiveRow(len(data), step, kept, version, False, None, None, None, None, None))
            continue
        scores = reference.compare(full.image.convert("RGB"))
        nearly = None
        if step in NOISE_AT:
            less = wisp.reconstruct(data[: int(NEARLY * kept)], allow_partial=True, **options)
            nearly = reference.compare(less.image.convert("RGB"))[METRICS[0]]
        rows.append(
            ProgressiveRow(
                file_num_bytes=len(data),
                tenths=step,
                num_bytes=kept,
                version=version,
                shown=True,
                confidence=round(float(full.confidence.mean()), 6),
                num_generated=full.num_generated,
                score=_rounded(scores[METRICS[0]]),
                nearly_score=_rounded(nearly),
                psnr_db=_rounded(scores[METRICS[1]]),
            )
        )
    return rows


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)


def summary(rows: Sequence[dict[str, Any]], bpp: float) -> str:
    """The page."""
    falls = 0
    for image in dict.fromkeys(row["image"] for row in rows):
        values = [row["psnr_db"] for row in rows if row["image"] == image and row["psnr_db"] is not None]
        falls += sum(b < a for a, b in itertools.pairwise(values))
    shown = [row for row in rows if row["shown"]]
    page = [
        "# Files that were cut",
        "",
        f"{len({row['image'] for row in rows})} pictures at {bpp:g} bpp, cut to tenths of their files. "
        f"{len(shown)} of {len(rows)} lengths give a picture; at the others the grain map had not arrived.",
        f"PSNR falls at {falls} of the steps. Mean PSNR by tenths: "
        + ", ".join(
            number(mean([r["psnr_db"] for r in shown if r["tenths"] == t]), 2)
            for t in sorted({row["tenths"] for row in rows})
        )
        + ".",
        "",
        *more_bytes(rows, "tenths", METRICS[0]),
    ]
    return "\n".join(page) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("progressive", "files cut at several lengths", "images out pictures model")
    parser.add_argument("--weights", type=Path, help="folder of the metric's weights")
    parser.add_argument("--bpp", type=float, default=0.1, help="of the whole files")
    parser.add_argument("--lengths", type=int, default=10, help="how many")
    return parser


@command("progressive")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    if options.bpp <= 0 or options.lengths < 2:
        raise UsageError("--bpp, --lengths: expected a rate above 0 and at least 2 lengths")
    require_place(options.out)
    panel = MetricPanel(options.weights, METRICS)
    if len(panel.metrics) < len(METRICS):
        raise UsageError(f"--weights: expected those of {METRICS[0]}, found {panel.unavailable}")
    codec = WispCodec(options.model)
    made_of = (codec.version, panel.version, options.bpp, options.lengths)
    store = PictureRows(options.out / "rows.jsonl", identity_of(*made_of))
    names = store.fill(
        picture_paths(options.images)[: options.pictures],
        lambda image: map(
            asdict, measure(image, options.bpp, options.lengths, options.model, panel.reference(image))
        ),
    )
    page = summary(store.of(names, [f.name for f in fields(ProgressiveRow)]), options.bpp)
    record = meta(
        "wisp.bench.progressive",
        arguments,
        code,
        codecs={"wisp": codec.version},
        metrics_version=panel.version,
    )
    write_summary(options.out, page, record)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
