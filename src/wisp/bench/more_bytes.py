"""Do more bytes look better? Scores of one picture at rising sizes, and how large the noise in them is.

A score is compared with that of 1 % fewer bytes: what lies between the two is mostly chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from wisp.bench.markdown import number, table

QUANTILE = 0.95  # of the noise: the size of what chance does
NEARLY = 0.99  # of the bytes


def more_bytes(rows: Sequence[Mapping[str, Any]], column: str, metric: str) -> list[str]:
    """The lines of a page.

    Args:
        rows: by picture, and in each by rising `column`; with `image`, `score` (null: not scored; lower is better) and
            `nearly_score` (of 1 % fewer bytes; null: not measured).
        column: what rises.
        metric: what the score is.
    """
    scored = [row for row in rows if row["score"] is not None]
    if not scored:
        return []
    noise = sorted(abs(r["score"] - r["nearly_score"]) for r in scored if r["nearly_score"] is not None)
    rises, steps = [], 0
    for image in dict.fromkeys(row["image"] for row in scored):
        mine = [row for row in scored if row["image"] == image]
        for before, after in itertools.pairwise(mine):
            steps += 1
            if after["score"] > before["score"]:
                rises.append((after["score"] - before["score"], image, before, after))
    chance = noise[min(len(noise) - 1, int(QUANTILE * len(noise)))] if noise else None
    above = [rise for rise in rises if chance is not None and rise[0] > chance]
    most = f", at most by {number(max(rise[0] for rise in rises), 4)}." if rises else "."
    page = [
        f"## More bytes, better {metric}",
        "",
        f"With 1 % fewer bytes the score differs by {number(mean(noise), 4)} on average; {QUANTILE:.0%} of",
        f"{len(noise)} such differences are at most {number(chance, 4)}, which is taken as the noise. Of {steps} steps",
        f"from one size to the next of the same picture, {len(rises)} make it worse, {len(above)} by more than the",
        f"noise{most}",
        "",
    ]
    for _, image, before, after in sorted(above, key=lambda rise: -rise[0]):
        way = f"{before[column]:.4g} -> {after[column]:.4g}"
        page.append(f"* {image}: {way}, {before['score']:.4f} -> {after['score']:.4f}")
    lines = []
    for size in sorted({row[column] for row in scored}):
        values = [row["score"] for row in scored if row[column] == size]
        lines.append([f"{size:.4g}", number(mean(values), 4), str(len(values))])
    return [*page, "", *table([column, f"mean {metric}", "pictures"], lines), ""]


def mean(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return sum(values) / len(values) if values else None
