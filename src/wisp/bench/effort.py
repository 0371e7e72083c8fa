"""What more effort gains at equal bytes, and what it costs in time.

    wisp bench effort --images DIR --weights DIR --out results/effort

Every picture is compressed to each rate at each effort, decompressed, and compared. Rows are kept a picture at a time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

import wisp
from wisp.bench.command import command, command_parser, rate_list, whole_number_list
from wisp.bench.markdown import number, table
from wisp.bench.metrics.panel import MetricPanel
from wisp.bench.picture_rows import PictureRows, identity_of
from wisp.bench.pictures import picture_paths
from wisp.bench.pq_mim_rows import model_version
from wisp.bench.provenance import checkout, meta, require_place, write_summary
from wisp.codecs import codec_for_model

METRICS = "lpips_squeeze,feature_distance,psnr_db"
RATES, EFFORTS = "0.05,0.1,0.2", "5,6,7,8,9"
PLACES = {"psnr_db": 2}


@dataclass(frozen=True)
class EffortRow:
    """One picture at one rate and effort; columns as in results/FIELDS.md."""

    target_bpp: float
    effort: int
    num_bytes: int
    compress_s: float
    scores: dict[str, float | None]


COLUMNS = tuple(EffortRow.__dataclass_fields__)


def measure(
    image: Image.Image,
    panel: MetricPanel,
    rates: Sequence[float],
    efforts: Sequence[int],
    model: str,
    threads: int | None,
) -> Iterator[EffortRow]:
    """Rows of one picture."""
    reference = panel.reference(image)
    for rate in rates:
        for effort in efforts:
            started = time.perf_counter()
            data = wisp.compress(image, bpp=rate, effort=effort, model=model, threads=threads)
            seconds = time.perf_counter() - started
            scores = reference.compare(wisp.decompress(data, model=model, threads=threads))
            yield EffortRow(rate, effort, len(data), round(seconds, 4), scores)


def summary(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> str:
    """Means by rate and effort."""
    count = len({row["image"] for row in rows})
    lines = []
    for rate in sorted({row["target_bpp"] for row in rows}):
        for effort in sorted({row["effort"] for row in rows}):
            here = [row for row in rows if (row["target_bpp"], row["effort"]) == (rate, effort)]
            cells = [f"{rate:g}", str(effort), number(_mean([row["num_bytes"] for row in here]), 0)]
            cells.append(number(_mean([row["compress_s"] for row in here]), 2))
            scores = [_mean([row["scores"][name] for row in here]) for name in metrics]
            lines.append(
                [*cells, *(number(v, PLACES.get(m, 4)) for m, v in zip(metrics, scores, strict=True))]
            )
    page = ["# Effort", "", f"Means over {count} pictures; whole files at the same budget.", ""]
    page += [*table(["bpp", "effort", "bytes", "compress, s", *metrics], lines), ""]
    return "\n".join(page)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "effort",
        "effort against quality and time",
        "images weights out model metrics pictures threads",
        metrics=METRICS,
    )
    parser.add_argument("--bpp", default=RATES, help="rates, with commas between")
    parser.add_argument("--efforts", default=EFFORTS, help="0 to 9, with commas between")
    return parser


@command("effort")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    rates = sorted(set(rate_list("--bpp", options.bpp)))
    efforts = sorted(set(whole_number_list("--efforts", options.efforts, 0, 9)))
    codec = codec_for_model(options.model, options.threads)
    require_place(options.out)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    version = model_version(codec)
    store = PictureRows(options.out / "rows.jsonl", identity_of(version, rates, efforts, panel.version))
    paths = picture_paths(options.images)[: options.pictures]
    model = str(codec.bundle.folder)
    store.fill(
        paths,
        lambda image: map(asdict, measure(image, panel, rates, efforts, model, options.threads)),
    )
    page = summary(store.of([path.stem for path in paths], COLUMNS), [m.name for m in panel.metrics])
    record = meta("wisp.bench.effort", arguments, code, **panel.for_meta())
    write_summary(options.out, page, {**record, "models": {codec.bundle.config.name: version}})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
