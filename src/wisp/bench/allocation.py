"""Ways to choose where bits go, at equal bytes: benefit per bit, with and without a forecast, saliency, entropy.

wisp bench allocation --images DIR --weights DIR --out results/allocation
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

import wisp
from wisp.bench.allocation_ways import Way, ways
from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.command import command, command_parser, rate_list
from wisp.bench.markdown import number, table
from wisp.bench.metrics.metric import Direction
from wisp.bench.metrics.panel import MetricPanel, Reference
from wisp.bench.more_bytes import mean
from wisp.bench.picture_rows import PictureRows, identity_of
from wisp.bench.pictures import picture_paths
from wisp.bench.provenance import checkout, meta, require_place, write_summary

METRICS = "lpips_squeeze,feature_distance,psnr_db"
STRENGTHS = (2.0, 8.0)  # of the saliency
BEFORE = "benefit"  # what the others are compared with, picture by picture


def measure(
    image: Image.Image,
    rates: Sequence[float],
    ways: Mapping[str, Way],
    reference: Reference,
    model: str | None,
) -> list[dict[str, Any]]:
    """A row for every rate and way that has a file."""
    options: dict[str, Any] = {} if model is None else {"model": model}
    rows = []
    for bpp in rates:
        budget = budget_num_bytes(bpp, image.width, image.height)
        for name, way in ways.items():
            data = way(image, budget)
            if data is not None:
                scores = reference.compare(wisp.decompress(data, **options).convert("RGB"))
                shown = {metric: None if v is None else round(v, 6) for metric, v in scores.items()}
                rows.append({"bpp": bpp, "way": name, "num_bytes": len(data), "scores": shown})
    return rows


def summary(rows: Sequence[Mapping[str, Any]], metrics: Mapping[str, Direction]) -> str:
    """The page: for each metric, means by way and rate, and pictures on which a way beats the default."""
    rates = sorted({row["bpp"] for row in rows})
    names = list(dict.fromkeys(row["way"] for row in rows))
    count = len({row["image"] for row in rows})
    page = [
        "# Where bits go",
        "",
        f"{count} pictures, equal budgets; entropy leaves a little of them unused.",
        "",
    ]
    for metric, direction in metrics.items():
        lines = []
        for name in names:
            cells = [name]
            for bpp in rates:
                mine = _values(rows, metric, bpp, name)
                ours = _values(rows, metric, bpp, BEFORE)
                sign = 1 if direction is Direction.HIGHER else -1
                won = sum(sign * (mine[image] - ours[image]) > 0 for image in mine if image in ours)
                wins = "" if name == BEFORE else f"; better on {won} of {len(mine)}"
                cells.append(number(mean(list(mine.values())), 4) + wins)
            lines.append(cells)
        page += [f"## {metric}", "", *table([direction.value, *(f"{bpp:g} bpp" for bpp in rates)], lines), ""]
    return "\n".join(page)


def _values(rows: Sequence[Mapping[str, Any]], metric: str, bpp: float, way: str) -> dict[str, float]:
    chosen = [row for row in rows if row["bpp"] == bpp and row["way"] == way]
    return {row["image"]: row["scores"][metric] for row in chosen if row["scores"][metric] is not None}


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "allocation", "where bits go, compared", "images weights out metrics pictures model", metrics=METRICS
    )
    parser.add_argument("--bpp", default="0.05,0.1,0.2", help="rates, with commas between")
    return parser


@command("allocation")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    rates = rate_list("--bpp", options.bpp)
    require_place(options.out)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    codec = WispCodec(options.model)
    with TemporaryDirectory() as place:
        tried = ways(STRENGTHS, options.model, Path(place))
        store = PictureRows(
            options.out / "rows.jsonl", identity_of(codec.version, panel.version, rates, list(tried))
        )
        names = store.fill(
            picture_paths(options.images)[: options.pictures],
            lambda image: measure(image, rates, tried, panel.reference(image), options.model),
        )
    page = summary(
        store.of(names, ("bpp", "way", "num_bytes", "scores")),
        {metric.name: metric.direction for metric in panel.metrics},
    )
    record = meta(
        "wisp.bench.allocation",
        arguments,
        code,
        codecs={"wisp": codec.version},
        metrics_version=panel.version,
        unavailable=panel.unavailable,
    )
    write_summary(options.out, page, record)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
