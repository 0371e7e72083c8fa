"""The summary of the speed bench, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from wisp.bench.markdown import number, table
from wisp.bench.speed_rows import Figure, Growth, SpeedRow

MEGABYTE = 1e6  # bytes


def _seconds(value: float) -> str:
    return number(value, 3 if value < 10 else 1)


def _row_lines(rows: Sequence[SpeedRow]) -> list[str]:
    header = [
        "codec",
        "target",
        "bytes",
        "threads",
        "wall, s",
        "quartiles",
        "least..most",
        "CPU, s",
        "first run, s",
    ]
    lines = [
        [
            row.codec,
            row.target,
            str(row.num_bytes),
            str(row.threads),
            _seconds(row.wall_s.median),
            f"{_seconds(row.wall_s.lower_quartile)}..{_seconds(row.wall_s.upper_quartile)}",
            f"{_seconds(row.wall_s.least)}..{_seconds(row.wall_s.most)}",
            _seconds(row.cpu_s.median),
            _seconds(row.first_wall_s),
            number(row.peak_memory_bytes / MEGABYTE, 0),
            str(row.runs),
        ]
        for row in rows
    ]
    return table([*header, "peak memory, MB", "runs"], lines)


def _growth_lines(found: Sequence[Growth]) -> list[str]:
    lines = []
    for g in found:
        cells = [f"{ns:.1f}" for ns in g.ns_per_pixel]
        ratios = [f"{ratio:.2f}" for ratio in g.ratio_per_pixel[1:]]
        lines.append(
            [g.codec, g.action, str(g.threads), ", ".join(cells), ", ".join(ratios), f"{g.exponent:.3f}"]
        )
    header = ["codec", "action", "threads", "ns a pixel, by size", "over the smallest picture's", "exponent"]
    return table(header, lines)


def _figure_lines(figures: Sequence[Figure]) -> list[str]:
    lines = []
    for f in figures:
        places = 1 if f.unit == "MB" else 3
        kept = {None: "", True: "kept", False: "**missed**"}[f.is_kept]
        values = [number(value, places) for value in (f.median, f.least, f.most)]
        limit = "" if f.limit is None else f"{f.limit:g}"
        lines.append([f.what, f.unit, *values, str(f.runs), limit, kept])
    return table(["what", "unit", "median", "least", "most", "runs", "limit", ""], lines)


def summary(
    rows: Sequence[SpeedRow], growths: Sequence[Growth], figures: Sequence[Figure], about: str
) -> str:
    """The page: a table for each size and action, growth with pixels, and the limits."""
    page = ["# Speed and memory", "", about]
    if figures:
        page += ["", "## Limits of the design", "", *_figure_lines(figures)]
    for size in sorted({(row.num_pixels, row.width, row.height) for row in rows}):
        for action in ("compress", "decompress"):
            mine = [row for row in rows if (row.width, row.height) == size[1:] and row.action == action]
            if mine:
                page += ["", f"## {action}, {size[1]}x{size[2]}", "", *_row_lines(mine)]
    if growths:
        page += [
            "",
            "## Growth with pixels",
            "",
            "Wall time a pixel at each size, over that of the smallest picture, and b of the fit "
            "log(seconds) = a + b log(pixels); 1 is linear growth.",
            "",
            *_growth_lines(growths),
        ]
    return "\n".join(page) + "\n"
