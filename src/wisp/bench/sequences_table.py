"""The page of the sequences bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wisp.bench.markdown import number, table

LPIPS = "lpips_squeeze"
PLACES = {"psnr_db": 2}

Row = Mapping[str, Any]


def summary(rows: Sequence[Row], metrics: Sequence[str], frames: int) -> str:
    """Means of all settings, and for each clip what a sequence costs beside its frames and peers at equal LPIPS."""
    clips = list(dict.fromkeys(row["image"] for row in rows))
    page = [
        "# Sequences",
        "",
        f"{len(clips)} clips of {frames} frames; bytes of whole clips, means over clips.",
        "",
    ]
    lines = []
    for codec in dict.fromkeys(row["codec"] for row in rows):
        for setting in sorted({row["setting"] for row in rows if row["codec"] == codec}):
            here = [row for row in rows if (row["codec"], row["setting"]) == (codec, setting)]
            keys = [row["num_keys"] for row in here if row["num_keys"] is not None]
            cells = [codec, f"{setting:g}", number(float(np.mean([row["num_bytes"] for row in here])), 0)]
            cells.append(number(float(np.mean(keys)), 1) if keys else "-")
            means = [float(np.mean([row["scores"][m] for row in here])) for m in metrics]
            lines.append(
                [*cells, *(number(v, PLACES.get(m, 4)) for m, v in zip(metrics, means, strict=True))]
            )
    page += [*table(["codec", "quality or CRF", "bytes", "key frames", *metrics], lines), ""]
    if LPIPS not in metrics:
        return "\n".join(page)
    page += ["## A sequence's bytes, as a share of others at equal LPIPS", ""]
    others = [codec for codec in dict.fromkeys(row["codec"] for row in rows) if codec != "sequence"]
    shares: dict[str, list[float]] = {codec: [] for codec in others}
    lines = []
    for clip in clips:
        ours = _curve([row for row in rows if (row["image"], row["codec"]) == (clip, "sequence")])
        cells = [clip]
        for codec in others:
            theirs = _curve([row for row in rows if (row["image"], row["codec"]) == (clip, codec)])
            share = _share(ours, theirs)
            cells.append("-" if share is None else f"{share:.2f}")
            if share is not None:
                shares[codec].append(share)
        lines.append(cells)
    common = [f"{np.exp(np.mean(np.log(s))):.2f}" if s else "-" for s in shares.values()]
    most = [f"{max(s):.2f}" if s else "-" for s in shares.values()]
    lines += [["geometric mean", *common], ["largest", *most]]
    page += [*table(["clip", *others], lines), ""]
    page += [
        "Mean over the LPIPS that both reach of the logarithm of bytes; - where they have none in common.",
        "",
    ]
    return "\n".join(page)


def _curve(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """(LPIPS, log bytes), rising in LPIPS."""
    return sorted((float(row["scores"][LPIPS]), float(np.log(row["num_bytes"]))) for row in rows)


def _share(ours: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]) -> float | None:
    """Our bytes over theirs at equal LPIPS, the geometric mean over what both reach."""
    low = max(ours[0][0], theirs[0][0]) if ours and theirs else 1.0
    high = min(ours[-1][0], theirs[-1][0]) if ours and theirs else 0.0
    if low >= high:
        return None
    at = np.linspace(low, high, 50)
    curves = [np.interp(at, *np.array(curve).T) for curve in (ours, theirs)]
    return float(np.exp(np.mean(curves[0] - curves[1])))
