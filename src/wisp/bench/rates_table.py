"""The page of `wisp bench rates`: how targets were met, where the model ends, and whether more bytes look better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wisp.bench.markdown import number, table
from wisp.bench.more_bytes import mean, more_bytes

Rows = Sequence[dict[str, Any]]


def summary(rows: Rows, metric: str) -> str:
    """The page."""
    rates = sorted({row["target_bpp"] for row in rows})
    inside = [row for row in rows if row["num_bytes"] is not None and row["in_span"]]
    page = [
        "# One model at many rates",
        "",
        f"{len({row['image'] for row in rows})} pictures, {len(rates)} targets from {rates[0]} to {rates[-1]} bpp.",
        "Kept: the file is at most the target. Met: it leaves at most 0.5 % of it, or 2 bytes, unused. A target above",
        "the model's largest file of a picture is out of its span, and is met by that largest file.",
        "",
        f"Kept: {sum(row['kept'] for row in rows)} of {len(rows)}. "
        f"In the span: {len(inside)}, of which met: {sum(row['met'] for row in inside)}. "
        f"Mean share used there: {number(mean([r['num_bytes'] / r['budget_num_bytes'] for r in inside]), 5)}, "
        f"least: {number(min((r['num_bytes'] / r['budget_num_bytes'] for r in inside), default=None), 5)}.",
        "",
        *table(
            ["target, bpp", "kept", "in the span", "met of these", "least share", "out of the span"],
            [_line(rate, [row for row in rows if row["target_bpp"] == rate]) for rate in rates],
        ),
        "",
        *_faults(rows),
        *_spans(rows),
        *more_bytes(rows, "target_bpp", metric),
    ]
    return "\n".join(page) + "\n"


def _line(rate: float, rows: Rows) -> list[str]:
    inside = [row for row in rows if row["num_bytes"] is not None and row["in_span"]]
    shares = [row["num_bytes"] / row["budget_num_bytes"] for row in inside]
    return [
        f"{rate:.4g}",
        f"{sum(row['kept'] for row in rows)}/{len(rows)}",
        str(len(inside)),
        f"{sum(row['met'] for row in inside)}/{len(inside)}",
        number(min(shares, default=None), 4),
        str(len(rows) - len(inside)),
    ]


def _faults(rows: Rows) -> list[str]:
    faults = [row for row in rows if not (row["kept"] and row["met"])]
    if not faults:
        return []
    lines = [f"* {r['image']} at {r['budget_num_bytes']}: {r['num_bytes']} bytes" for r in faults]
    return ["## Not kept or not met", "", *lines, ""]


def _spans(rows: Rows) -> list[str]:
    """A line a picture: where the model ends."""
    lines = []
    for image in dict.fromkeys(row["image"] for row in rows):
        mine = [row for row in rows if row["image"] == image]
        ceiling = mine[0]["ceiling_num_bytes"]
        bits = mine[-1]["target_bpp"] / mine[-1]["budget_num_bytes"]  # bpp of a byte
        beyond = [row["target_bpp"] for row in mine if row["num_bytes"] is not None and not row["in_span"]]
        refused = [row["target_bpp"] for row in mine if row["num_bytes"] is None]
        lines.append(
            [
                image,
                str(ceiling),
                f"{ceiling * bits:.3f}",
                ", ".join(f"{rate:.4g}" for rate in beyond) or "none",
                ", ".join(f"{rate:.4g}" for rate in refused) or "none",
            ]
        )
    header = ["picture", "largest file, bytes", "bpp", "targets above it", "targets below the smallest"]
    return ["## Where the model ends", "", *table(header, lines), ""]
