"""What the speed bench finds: rows with their spread, growth with pixels, and figures held against limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from wisp.bench.fresh_process import Answer, Task


@dataclass(frozen=True)
class Spread:
    """Five numbers of repeated runs, in one unit; quartiles by linear interpolation."""

    least: float
    lower_quartile: float
    median: float
    upper_quartile: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """The five numbers of at least one value."""
    if len(values) == 1:
        return Spread(*[values[0]] * 5)
    lower, middle, upper = quantiles(values, n=4, method="inclusive")
    return Spread(min(values), lower, middle, upper, max(values))


@dataclass(frozen=True)
class SpeedRow:
    """One codec doing one thing to one size of picture with so many threads; columns as in results/FIELDS.md."""

    codec: str
    action: str
    width: int
    height: int
    threads: int
    target: str
    quality: float | None
    num_bytes: int
    runs: int
    wall_s: Spread
    cpu_s: Spread
    first_wall_s: float
    peak_memory_bytes: int

    @property
    def num_pixels(self) -> int:
        return self.width * self.height


def speed_row(task: Task, size: tuple[int, int], target: str, answer: Answer) -> SpeedRow:
    """A process's answer, of at least one run after the first, as a row; `size` is width and height."""
    return SpeedRow(
        codec=task.codec,
        action=task.action,
        width=size[0],
        height=size[1],
        threads=task.threads or 0,
        target=target,
        quality=task.quality,
        num_bytes=answer.num_bytes,
        runs=len(answer.wall_s),
        wall_s=spread(answer.wall_s),
        cpu_s=spread(answer.cpu_s),
        first_wall_s=answer.first_wall_s,
        peak_memory_bytes=answer.peak_memory_bytes,
    )


@dataclass(frozen=True)
class Growth:
    """How the wall time of one codec's action grows with pixels.

    Attributes:
        codec, action, threads: whose.
        num_pixels: of each picture, rising.
        ns_per_pixel: median wall time in nanoseconds over pixels, for each picture.
        ratio_per_pixel: the same over that of the smallest picture; 1 is linear growth.
        exponent: b of the least-squares fit log(seconds) = a + b log(pixels); 1 is linear growth.
    """

    codec: str
    action: str
    threads: int
    num_pixels: tuple[int, ...]
    ns_per_pixel: tuple[float, ...]
    ratio_per_pixel: tuple[float, ...]
    exponent: float


def growth(rows: Sequence[SpeedRow]) -> Growth | None:
    """Growth over rows that differ in their size alone; None for less than two sizes."""
    ordered = sorted(rows, key=lambda row: row.num_pixels)
    if len({row.num_pixels for row in ordered}) < 2:
        return None
    ns = [1e9 * row.wall_s.median / row.num_pixels for row in ordered]
    x = [math.log(row.num_pixels) for row in ordered]
    y = [math.log(row.wall_s.median) for row in ordered]
    mean_x, mean_y = fmean(x), fmean(y)
    together = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope = together / sum((a - mean_x) ** 2 for a in x)
    return Growth(
        codec=ordered[0].codec,
        action=ordered[0].action,
        threads=ordered[0].threads,
        num_pixels=tuple(row.num_pixels for row in ordered),
        ns_per_pixel=tuple(round(value, 3) for value in ns),
        ratio_per_pixel=tuple(round(value / ns[0], 4) for value in ns),
        exponent=round(slope, 4),
    )


@dataclass(frozen=True)
class Figure:
    """One quantity with a limit that the design sets; columns as in results/FIELDS.md."""

    what: str
    unit: str
    median: float
    least: float
    most: float
    runs: int
    limit: float | None

    @property
    def is_kept(self) -> bool | None:
        """Whether the median is within its limit; None without a limit."""
        return None if self.limit is None else self.median <= self.limit


def figure(what: str, unit: str, values: Sequence[float], limit: float | None = None) -> Figure:
    """Median and spread of the values."""
    return Figure(what, unit, median(values), min(values), max(values), len(values), limit)
