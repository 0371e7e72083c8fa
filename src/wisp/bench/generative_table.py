"""The page of the generative bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wisp.bench.generative_published import published_faces, published_photographs
from wisp.bench.markdown import number, table
from wisp.bench.tiny import family_of

PLACES = {"psnr_db": 2, "ssim": 3}
HIGHER = frozenset({"psnr_db", "ssim"})
OURS = ("inversion", "encoder", "vae_gan")
FIRST = "lpips_squeeze"

Row = Mapping[str, Any]


def summary(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """Both tables, who wins where, and the published figures."""
    faces = [row for row in rows if row["table"] == "faces"]
    drawn = [row for row in rows if row["table"] == "drawn"]
    photographs = [row for row in rows if row["table"] == "photographs"]
    page = ["# Generative Compression, on real files", ""]
    if faces:
        page += ["## Faces that no training saw", "", *_block(faces, metrics)]
        page += _winners(faces) if FIRST in metrics else []
    if drawn:
        page += ["## The generator's own drawings, inverted", "", *_block(drawn, metrics)]
    if faces:
        page += ["### As published", "", *published_faces(), ""]
    if photographs:
        page += ["## Photographs", "", *_block(photographs, metrics), "### As published", ""]
        page += [*published_photographs(), ""]
    return "\n".join(page)


def _block(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    """Means of every way at every target; a peer at its best scale in each metric of each picture."""
    images = len({row["image"] for row in rows})
    lines = []
    for target in dict.fromkeys(row["target"] for row in rows):
        here = [row for row in rows if row["target"] == target]
        for codec in dict.fromkeys(family_of(row["codec"]) for row in here):
            mine = [row for row in here if family_of(row["codec"]) == codec]
            reached = list(dict.fromkeys(row["image"] for row in mine))
            of = [[row for row in mine if row["image"] == image] for image in reached]
            sizes = float(np.mean([np.mean([row["num_bytes"] for row in some]) for some in of]))
            ratio = float(
                np.mean([np.mean([row["raw_num_bytes"] / row["num_bytes"] for row in some]) for some in of])
            )
            cells = [target, codec, f"{len(reached)}/{images}", number(sizes, 0), number(ratio, 1)]
            for metric in metrics:
                best = [value for image in reached if (value := _best(mine, image, metric)) is not None]
                cells.append(number(float(np.mean(best)) if best else None, PLACES.get(metric, 4)))
            lines.append(cells)
    header = ["target", "codec", "reached", "bytes", "raw / bytes", *metrics]
    note = (
        f"{images} pictures; means over those reached. A peer at its best scale in each metric, bytes and ratio over "
        "those scales."
    )
    return [note, "", *table(header, lines), ""]


def _best(rows: Sequence[Row], image: str, metric: str) -> float | None:
    values = [
        value for row in rows if row["image"] == image and (value := row["scores"].get(metric)) is not None
    ]
    return (max if metric in HIGHER else min)(values, default=None)


def is_best(row: Any, rows: Sequence[Any], metric: str) -> bool:
    """Whether no other of the rows, typed ones, has a better value."""
    values = [value for other in rows if (value := other.scores[metric]) is not None]
    best = (max if metric in HIGHER else min)(values, default=None)
    return row.scores[metric] is not None and row.scores[metric] == best


def _winners(rows: Sequence[Row]) -> list[str]:
    """On how many faces each way has the lowest LPIPS, and the better of our two approaches is below the rest."""
    lines = []
    for target in dict.fromkeys(row["target"] for row in rows if row["target"].isdecimal()):
        here = [row for row in rows if row["target"] == target]
        images = list(dict.fromkeys(row["image"] for row in here))
        codecs = list(dict.fromkeys(family_of(row["codec"]) for row in here))
        lowest: dict[str, int] = dict.fromkeys(codecs, 0)
        below = alone = 0
        for image in images:
            found = {
                codec: value
                for codec in codecs
                if (value := _best([r for r in here if family_of(r["codec"]) == codec], image, FIRST))
                is not None
            }
            ours = min((found[codec] for codec in OURS if codec in found), default=None)
            if ours is None:
                continue
            lowest[min(found, key=lambda codec: found[codec])] += 1
            others = [value for codec, value in found.items() if codec not in (*OURS, "wisp")]
            alone += not others
            below += bool(others) and all(ours < value for value in others)
        wins = ", ".join(f"{codec} {count}" for codec, count in lowest.items() if count)
        lines.append([target, wins, f"{below}/{len(images) - alone}", str(alone)])
    header = [
        "bytes",
        "lowest LPIPS on so many faces",
        "better of both approaches below WebP, AVIF, JXL and PCA",
        "nobody else there",
    ]
    return [*table(header, lines), ""]
