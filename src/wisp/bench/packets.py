"""What is left of a picture when packets are lost, beside restart-marker JPEG in as many bytes.

    wisp bench packets --images DIR --weights DIR --out results/packets

Each draw loses the same packets of every codec. Rows of a picture are written when it is done, and a picture whose
rows are there, made with the same options, is not measured again. Twenty draws are some megabytes of rows; means.jsonl
holds their means by picture.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wisp.bench.command import command, command_parser, whole_number_list
from wisp.bench.markdown import number, table
from wisp.bench.metrics.panel import MetricPanel, Reference
from wisp.bench.packet_codecs import CODECS, AbstractPacketCodec, Sent, codecs_named
from wisp.bench.pictures import picture_hash, picture_paths, read_picture
from wisp.bench.provenance import (
    checkout,
    meta,
    note,
    require_place,
    row_line,
    write_json,
    write_summary,
    write_text,
)
from wisp.errors import UsageError

METRICS = "lpips_squeeze,feature_distance,psnr_db"
LOSSES = "0,10,30,50,70"


@dataclass(frozen=True)
class PacketRow:
    """One draw of one codec on one picture; columns as in results/FIELDS.md."""

    image: str
    image_hash: str
    codec: str
    setting: str
    num_bytes: int
    num_packets: int
    loss_percent: int
    draw: int
    received: list[int]
    scores: dict[str, float | None]


def draw_received(count: int, loss_percent: int, draw: int, seed: int) -> list[int]:
    """Indices of the packets that arrive: count x loss are lost, to the nearest number; at least one arrives."""
    lost = min(count - 1, (count * loss_percent + 50) // 100)
    random = np.random.default_rng([seed, loss_percent, draw, count])
    return sorted(int(i) for i in random.permutation(count)[lost:])


def measure(
    image: Image.Image,
    name: str,
    codecs: Sequence[AbstractPacketCodec],
    panel: MetricPanel,
    options: argparse.Namespace,
) -> list[PacketRow]:
    """Every codec at every loss and draw; subsets that come up twice are decoded once."""
    reference, rows, key = panel.reference(image), [], panel.metrics[0].name

    def score(shown: Image.Image) -> float:
        value = reference.compare(shown)[key]
        return float("inf") if value is None else value

    digest = picture_hash(image)
    for codec in codecs:
        sent = codec.send(image, options.size, options.mtu, score)
        known: dict[tuple[int, ...], dict[str, float | None]] = {}
        for loss in options.losses:
            for draw in range(options.draws if loss else 1):
                received = draw_received(sent.count, loss, draw, options.seed)
                scores = _scores(known, tuple(received), sent, reference)
                rows.append(
                    PacketRow(
                        name,
                        digest,
                        codec.name,
                        sent.setting,
                        sent.num_bytes,
                        sent.count,
                        loss,
                        draw,
                        received,
                        scores,
                    )
                )
    return rows


def _scores(
    known: dict[tuple[int, ...], dict[str, float | None]],
    received: tuple[int, ...],
    sent: Sent,
    reference: Reference,
) -> dict[str, float | None]:
    if received not in known:
        known[received] = reference.compare(sent.show(received))
    return known[received]


def summary(rows: Sequence[dict[str, Any]], metrics: Sequence[str]) -> str:
    """The page: a table a metric, a line a codec, a column a loss; means over pictures and draws."""
    losses = sorted({row["loss_percent"] for row in rows})
    names = list(dict.fromkeys(row["codec"] for row in rows))
    images = {row["image"] for row in rows}
    page = [
        "# Lost packets",
        "",
        f"Means over {len(images)} pictures and all draws. Columns: packets lost.",
        "",
    ]
    for metric in metrics:
        lines = []
        for name in names:
            cells = []
            for loss in losses:
                found = [
                    row["scores"][metric]
                    for row in rows
                    if row["codec"] == name
                    and row["loss_percent"] == loss
                    and row["scores"][metric] is not None
                ]
                cells.append(number(sum(found) / len(found) if found else None, 4))
            lines.append([name, *cells])
        page += [f"## {metric}", "", *table(["codec", *(f"{loss} %" for loss in losses)], lines), ""]
    return "\n".join(page)


def picture_means(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each picture, codec and loss: how many draws, and each metric's mean over them, to six places."""
    found: dict[tuple[str, str, int], list[dict[str, float | None]]] = {}
    for row in rows:
        found.setdefault((row["image"], row["codec"], row["loss_percent"]), []).append(row["scores"])
    means = []
    for (image, codec, loss), draws in found.items():
        scores = {}
        for metric in draws[0]:
            known = [draw[metric] for draw in draws if draw[metric] is not None]
            scores[metric] = round(sum(v for v in known if v is not None) / len(known), 6) if known else None
        means.append(
            {"image": image, "codec": codec, "loss_percent": loss, "draws": len(draws), "scores": scores}
        )
    return means


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("packets", "what lost packets cost", "images weights out pictures model")
    parser.add_argument("--size", type=int, default=2000, help="bytes of all packets together")
    parser.add_argument("--mtu", type=int, default=200, help="bytes of one packet")
    parser.add_argument("--loss", default=LOSSES, help="percentages, with commas between")
    parser.add_argument("--draws", type=int, default=20, help="random losses of each percentage")
    parser.add_argument("--seed", type=int, default=0, help="of the losses")
    parser.add_argument("--codecs", default=",".join(CODECS), help="names, with commas between")
    parser.add_argument("--metrics", default=METRICS, help="names; the first chooses the peers' size")
    return parser


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@command("packets")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    options.losses = whole_number_list("--loss", options.loss, 0, 99)
    if min(options.size, options.mtu, options.draws) < 1:
        raise UsageError("--size, --mtu, --draws: expected whole numbers from 1 up")
    require_place(options.out)
    codecs = codecs_named(options.codecs, options.model)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    settings = {
        "version": panel.version,
        "commit": code.commit,
        **{k: getattr(options, k) for k in ("size", "mtu", "loss", "draws", "seed", "codecs", "model")},
    }
    paths = picture_paths(options.images)[: options.pictures]
    kept = _kept(options.out, settings, {path.stem for path in paths})
    rows = _resume(options.out, settings)
    if not kept and not rows:  # or a later run would take them for those of its own settings
        (options.out / "means.jsonl").unlink(missing_ok=True)
    done = {row["image_hash"] for row in rows}
    for path in paths:
        image = read_picture(path)
        if picture_hash(image) in done:
            continue
        rows += [asdict(row) for row in measure(image, path.stem, codecs, panel, options)]
        write_text(options.out / "rows.jsonl", "".join(row_line(row) + "\n" for row in rows))
        write_json(options.out / "settings.json", settings)
        note(f"{path.stem}: done")
    names = [metric.name for metric in panel.metrics]
    means = [*picture_means(rows), *kept]
    page = summary(means, names)
    write_text(options.out / "means.jsonl", "".join(row_line(mean) + "\n" for mean in means))
    record = meta(
        "wisp.bench.packets",
        arguments,
        code,
        **panel.for_meta(),
        kept_codecs=sorted({mean["codec"] for mean in kept}),
    )
    write_summary(options.out, page, record)
    return 0


def _kept(folder: Path, settings: dict[str, Any], images: set[str]) -> list[dict[str, Any]]:
    """Means of peers that --codecs does not name, of an earlier run that sent and lost the same; wisp's never.

    Only of a run on the same pictures, by name.
    """
    path, means = folder / "settings.json", folder / "means.jsonl"
    if not path.is_file() or not means.is_file():
        return []
    free = ("codecs", "commit", "model")
    before = json.loads(path.read_text(encoding="utf-8"))
    if any(before.get(key) != value for key, value in settings.items() if key not in free):
        return []
    named = settings["codecs"].split(",")
    rows = _read_rows(means)
    if {row["image"] for row in rows} != images:
        return []
    return [row for row in rows if row["codec"] not in named and not row["codec"].startswith("wisp")]


def _resume(folder: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of an earlier run with the same options; of any other, none."""
    path = folder / "settings.json"
    if not path.is_file() or json.loads(path.read_text(encoding="utf-8")) != settings:
        return []
    return _read_rows(folder / "rows.jsonl")


if __name__ == "__main__":
    raise SystemExit(main())
