"""What stands in for lost regions, compared: the same file's tokens, the same regions missing, several fills.

    wisp bench repair --images DIR --weights DIR --out results/repair

A picture is compressed to a file, regions of it are declared missing at random, and every fill gives the picture anew.
Rows of a picture are written when it is done.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.command import command, command_parser, whole_number_list
from wisp.bench.markdown import number, table
from wisp.bench.metrics.metric import Direction
from wisp.bench.metrics.panel import MetricPanel
from wisp.bench.pictures import picture_hash, picture_paths, read_picture
from wisp.bench.provenance import checkout, meta, note, require_place, row_line, write_summary, write_text
from wisp.bench.repair_fills import FILLS, fills_named
from wisp.codecs import TokenPyramidCodec, codec_for_model
from wisp.codecs.repair import Repair
from wisp.container import unpack_file
from wisp.errors import UsageError
from wisp.imaging import to_picture
from wisp.rate import Target

METRICS = "lpips_squeeze,feature_distance,psnr_db"
WHOLE = "nothing_lost"
BEFORE = "neighbours"  # what the others are compared with, picture by picture


@dataclass(frozen=True)
class RepairRow:
    """One fill of one draw on one picture; columns as in results/FIELDS.md."""

    image: str
    image_hash: str
    num_bytes: int
    num_regions: int
    loss_percent: int
    draw: int
    num_missing: int
    fill: str
    scores: dict[str, float | None]


def draw_regions(rows: int, columns: int, loss_percent: int, draw: int, seed: int) -> NDArray[np.bool_]:
    """(rows, columns), false where lost: loss x regions, to the nearest number; at least one arrives."""
    count = rows * columns
    lost = min(count - 1, (count * loss_percent + 50) // 100)
    received = np.ones(count, np.bool_)
    random = np.random.default_rng([seed, loss_percent, draw, count])
    received[random.permutation(count)[:lost]] = False
    return received.reshape(rows, columns)


def measure(
    image: Image.Image,
    name: str,
    codec: TokenPyramidCodec,
    fills: Mapping[str, Repair],
    panel: MetricPanel,
    options: argparse.Namespace,
) -> list[RepairRow]:
    """A row without loss, then every fill of every draw of every loss."""
    data = codec.compress(to_picture(image), Target(size=options.size))
    file = unpack_file(data)
    whole = codec.decode_tokens(file)
    shape, reference, digest = whole.shape, panel.reference(image), picture_hash(image)

    def row(loss: int, draw: int, missing: int, fill: str, pixels: NDArray[np.uint8]) -> RepairRow:
        scores = reference.compare(Image.fromarray(pixels))
        return RepairRow(name, digest, len(data), shape.num_regions, loss, draw, missing, fill, scores)

    rows = [row(0, 0, 0, WHOLE, codec.synthesise(file, whole))]
    for loss in options.losses:
        for draw in range(options.draws):
            received = draw_regions(shape.rows, shape.columns, loss, draw, options.seed)
            left = replace(whole, grain_map=np.where(received, whole.grain_map, 0).astype(np.uint8))
            left = left.cut_to_map()  # a fill must not see what it is to guess
            for fill, repair in fills.items():
                pixels = codec.synthesise(file, repair.fill(left, received))
                rows.append(row(loss, draw, int((~received).sum()), fill, pixels))
    return rows


def summary(rows: Sequence[dict[str, Any]], metrics: Mapping[str, Direction]) -> str:
    """The page: a table a metric, a line a fill, a column a loss; then each fill against the neighbours' mean."""
    losses = sorted({row["loss_percent"] for row in rows if row["fill"] != WHOLE})
    fills = list(dict.fromkeys(row["fill"] for row in rows if row["fill"] != WHOLE))
    images = {row["image"] for row in rows}
    page = [
        "# Lost regions, filled in several ways",
        "",
        f"Means over {len(images)} pictures and all draws.",
        "",
    ]
    for metric, direction in metrics.items():
        values: dict[tuple[str, int], dict[tuple[str, int], float]] = {}
        for row in rows:
            if row["scores"][metric] is not None:
                of_fill = values.setdefault((row["fill"], row["loss_percent"]), {})
                of_fill[row["image"], row["draw"]] = row["scores"][metric]
        header = [metric, *(f"{loss} % lost" for loss in losses)]
        lines = [
            [fill, *(number(_mean(values.get((fill, loss), {})), 4) for loss in losses)] for fill in fills
        ]
        page += [f"## {metric}", "", f"Nothing lost: {number(_mean(values.get((WHOLE, 0), {})), 4)}.", ""]
        page += [*table(header, lines), ""]
        if BEFORE in fills:
            lines = [
                [f, *(_against(values, f, loss, direction) for loss in losses)] for f in fills if f != BEFORE
            ]
            page += [f"Mean difference to `{BEFORE}`; draws in which it is better:", ""]
            page += [*table(header, lines), ""]
    return "\n".join(page)


def _mean(values: Mapping[tuple[str, int], float]) -> float | None:
    return sum(values.values()) / len(values) if values else None


def _against(
    values: Mapping[tuple[str, int], Mapping[tuple[str, int], float]],
    fill: str,
    loss: int,
    direction: Direction,
) -> str:
    ours, theirs = values.get((fill, loss), {}), values.get((BEFORE, loss), {})
    gains = [ours[draw] - theirs[draw] for draw in ours if draw in theirs]
    if not gains:
        return "-"
    better = sum(gain > 0 if direction is Direction.HIGHER else gain < 0 for gain in gains)
    return f"{sum(gains) / len(gains):+.4f}; {better} of {len(gains)}"


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "repair",
        "fills of lost regions, compared",
        "images weights out metrics pictures model threads",
        metrics=METRICS,
    )
    parser.add_argument("--size", type=int, default=2000, help="bytes of the file whose regions get lost")
    parser.add_argument("--loss", default="10,30,50", help="percentages of regions, with commas between")
    parser.add_argument("--draws", type=int, default=2, help="random losses of each percentage")
    parser.add_argument("--seed", type=int, default=0, help="of the losses")
    parser.add_argument("--fills", default=",".join(FILLS), help="names, with commas between")
    return parser


@command("repair")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    rows: list[dict[str, Any]] = []
    options.losses = whole_number_list("--loss", options.loss, 1, 99)
    if min(options.size, options.draws) < 1:
        raise UsageError("--size, --draws: expected whole numbers from 1 up")
    require_place(options.out)
    codec = codec_for_model(options.model, options.threads)
    fills = fills_named(options.fills, codec)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    for path in picture_paths(options.images)[: options.pictures]:
        image = read_picture(path)
        rows += [asdict(row) for row in measure(image, path.stem, codec, fills, panel, options)]
        write_text(options.out / "rows.jsonl", "".join(row_line(row) + "\n" for row in rows))
        note(f"{path.stem}: done")
    page = summary(rows, {metric.name: metric.direction for metric in panel.metrics})
    record = meta("wisp.bench.repair", arguments, code, **panel.for_meta())
    write_summary(options.out, page, record)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
