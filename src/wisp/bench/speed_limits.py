"""What the project's design allows wisp in time and memory, and whether it keeps to it."""

from __future__ import annotations

from collections.abc import Sequence

from wisp.bench.catalogue import WISP
from wisp.bench.speed_cells import RATE_TARGET, SMALL_TARGET, SpeedCells
from wisp.bench.speed_children import Children
from wisp.bench.speed_rows import Figure, Growth, SpeedRow, figure

# At 768x512 unless said.
TIMES_S = {
    ("compress", SMALL_TARGET): 0.5,
    ("decompress", SMALL_TARGET): 0.25,
    ("compress", RATE_TARGET): 0.8,
    ("decompress", RATE_TARGET): 0.35,
}
IMPORT_S, FIRST_OUTPUT_S = 0.2, 0.5
SMALL_MB, LARGE_MB = 400.0, 2**30 / 1e6
LARGE_OVER_SMALL = 1.3


def figures(cells: SpeedCells) -> list[Figure]:
    """wisp's rows and its start beside their limits, at the plan's largest number of threads."""
    threads = max(cells.plan.threads)
    mine = [row for row in cells.rows if row.codec == WISP and row.threads == threads]
    growths = [g for g in cells.growths() if g.codec == WISP and g.threads == threads]
    small_pixels = cells.plan.sizes[0][0] * cells.plan.sizes[0][1]
    found = _times(mine, small_pixels) + _memory(mine, small_pixels) + _growth(growths)
    return found + _start(cells.children, threads, cells.plan.repeats)


def _times(rows: Sequence[SpeedRow], small_pixels: int) -> list[Figure]:
    found = []
    for row in rows:
        limit = TIMES_S.get((row.action, row.target))
        if row.num_pixels == small_pixels and limit is not None:
            wall = row.wall_s
            found.append(
                Figure(f"{_named(row)}, wall", "s", wall.median, wall.least, wall.most, row.runs, limit)
            )
    return found


def _memory(rows: Sequence[SpeedRow], small_pixels: int) -> list[Figure]:
    found = []
    for row in rows:
        limit = SMALL_MB if row.num_pixels == small_pixels else LARGE_MB
        found.append(figure(f"{_named(row)}, peak memory", "MB", [row.peak_memory_bytes / 1e6], limit))
    return found


def _growth(growths: Sequence[Growth]) -> list[Figure]:
    found = []
    for g in growths:
        what = f"{g.action}, time a pixel at {g.num_pixels[-1] / 1e6:.1f} Mpx over the smallest picture's"
        found.append(figure(what, "1", [g.ratio_per_pixel[-1]], LARGE_OVER_SMALL))
    return found


def _start(children: Children, threads: int, repeats: int) -> list[Figure]:
    imports = [children.import_s(threads) for _ in range(repeats)]
    outputs = [children.first_output_s(threads) for _ in range(repeats)]
    return [
        figure("import wisp", "s", imports, IMPORT_S),
        figure("wisp --help, first output", "s", outputs, FIRST_OUTPUT_S),
    ]


def _named(row: SpeedRow) -> str:
    return f"{row.action}, {row.width}x{row.height}, {row.target}"
