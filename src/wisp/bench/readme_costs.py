"""What the README says of sizes kept, time and memory, from `wisp bench budgets` and `wisp bench speed`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wisp.bench.catalogue import WISP
from wisp.bench.report.wording import count_text
from wisp.errors import UsageError


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def summary_link(folder: Path) -> str:
    """A Markdown link from the README to a folder of results."""
    name = f"{folder.parent.name}/{folder.name}"
    return f"[{name}]({name}/summary.md)"


def read_text(path: Path) -> str:
    """The whole file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"{path}: expected a file that can be read, found: {fault}; name another") from fault


def size_budget_lines(folder: Path) -> list[str]:
    """How well ``size=N`` is kept, from the rows of `wisp bench budgets`.

    Raises:
        UsageError: there are no such rows.
    """
    path = folder / "rows.jsonl"
    try:
        rows: list[dict[str, Any]] = [json.loads(line) for line in read_text(path).split("\n")[:-1]]
        sizes = [row["budget_num_bytes"] for row in rows]
        kept = sum(row["keeps"] for row in rows)
        least = min(row["share_used"] for row in rows if row["share_used"] is not None)
    except (ValueError, KeyError, TypeError) as fault:
        raise UsageError(
            f"{path}: expected rows of `wisp bench budgets`, found: {fault!r}; run it again"
        ) from fault
    return [
        f"Budgets of {count_text(min(sizes))} to {count_text(max(sizes))} bytes: kept on {kept} of {len(rows)} files, "
        f"at least {math.floor(1000 * least) / 10:.1f} % used ({summary_link(folder)})."
    ]


def speed_lines(folder: Path) -> list[str]:
    """Times and memory of wisp at the most threads measured, from `wisp bench speed`.

    Raises:
        UsageError: there are no such figures.
    """
    path = folder / "speed.json"
    try:
        rows: list[dict[str, Any]] = [
            row for row in json.loads(read_text(path))["rows"] if row["codec"] == WISP
        ]
        threads = max(row["threads"] for row in rows)
        mine = {
            (row["width"] * row["height"], row["action"], row["target"]): row
            for row in rows
            if row["threads"] == threads
        }
        sizes = sorted({(row["width"] * row["height"], row["width"], row["height"]) for row in rows})
        told = [_speed_of(mine, pixels, f"{width}x{height}", sizes[0][0]) for pixels, width, height in sizes]
    except (ValueError, KeyError, TypeError, IndexError) as fault:
        raise UsageError(
            f"{path}: expected figures of `wisp bench speed`, found: {fault!r}; run it again"
        ) from fault
    return [f"On {threads} {'thread' if threads == 1 else 'threads'} ({summary_link(folder)}):", *told]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def _speed_of(
    rows: dict[tuple[int, str, str], dict[str, Any]], pixels: int, name: str, small_pixels: int
) -> str:
    """One line about one size of picture."""
    here = {(action, target): row for (count, action, target), row in rows.items() if count == pixels}
    parts = [
        f"{action} to {target} {_seconds(row['wall_s']['median'])}" for (action, target), row in here.items()
    ]
    parts = [part.replace("decompress to", "decompress from") for part in parts]
    memory = max(row["peak_memory_bytes"] for row in here.values()) / 1e6
    growth = ""
    if pixels != small_pixels:
        ratios = [
            row["wall_s"]["median"]
            / pixels
            * small_pixels
            / rows[small_pixels, action, target]["wall_s"]["median"]
            for (action, target), row in here.items()
        ]
        growth = f"; {listed([f'{ratio:.1f}' for ratio in ratios])} times the small picture's time a pixel"
    return f"* {name}: {', '.join(parts)}, {math.ceil(memory)} MB at most{growth}."
