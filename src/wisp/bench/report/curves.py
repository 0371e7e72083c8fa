"""Rate curves drawn into matplotlib's axes.

x is the mean rate of whole files in bits per pixel, on a logarithmic scale; y the mean of a metric. Full marks,
joined by solid lines: budgets that the codec reaches on every picture. Hollow marks with a count: budgets it
reaches on some; their means are over other pictures and are joined with nothing. Dashed grey lines with hollow
marks: published by others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wisp.bench.catalogue import WISP
from wisp.bench.report.chart import Chart
from wisp.bench.report.comparison import Point
from wisp.bench.report.wording import bpp_text, codec_label, metric_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS_PER_INCH = 72  # of SVG; matplotlib's own unit
LABEL_PITCH = 10.0  # points between names beside the chart
COUNT_WIDTH, COUNT_PITCH = 24.0, 8.0  # points that a count takes, and between counts
PUBLISHED_MARKS = "DvX<>hp*d8"
PUBLISHED_GROUP = "series-published"


@dataclass(frozen=True)
class Pen:
    """How one codec is drawn: its group ``series-NUMBER`` in SVG, colour, matplotlib's mark, width of the line."""

    number: int
    colour: str
    mark: str
    width: float

    @property
    def group(self) -> str:
        """The id of its groups in SVG."""
        return f"series-{self.number}"


@dataclass(frozen=True)
class Inks:
    """Colours of one drawing, as matplotlib understands them, and a pen for each codec."""

    ground: str
    ink: str
    faint: str
    grid: str
    pens: Mapping[str, Pen]


def draw(axes: Axes, chart: Chart, inks: Inks) -> None:
    """The chart into empty axes; series carry their group as id in SVG."""
    _draw_frame(axes, chart, inks)
    for codec, points in chart.curves.items():
        _draw_codec(axes, codec, points, inks.pens[codec], inks.ground)
    ends = []
    for number, series in enumerate(chart.published):
        points_inside = chart.published_inside(series)
        if points_inside:
            mark = PUBLISHED_MARKS[number % len(PUBLISHED_MARKS)]
            _draw_published(axes, points_inside, mark, inks)
            ends.append((series.codec, *points_inside[-1]))
    axes.figure.canvas.draw()  # fixes the limits, so that places can be asked for
    _count_partial(axes, chart, inks)
    _name_ends(axes, ends, inks)


def place(axes: Axes, rate_bpp: float, value: float) -> tuple[float, float]:
    """Where a point lies, in points of 1/72 inch from the figure's lower left corner."""
    x, y = axes.transData.transform((rate_bpp, value)) / axes.figure.get_dpi() * POINTS_PER_INCH
    return float(x), float(y)


def _draw_frame(axes: Axes, chart: Chart, inks: Inks) -> None:
    words = metric_words(chart.metric.name)
    unit = f", {chart.metric.unit}" if chart.metric.unit.strip("-1 ") else ""
    axes.set_xscale("log")
    axes.set_xlim(*chart.rate_limits)
    axes.set_xticks(chart.budgets, [bpp_text(bpp) for bpp in chart.budgets])
    axes.minorticks_off()
    axes.set_xlabel("bits per pixel, whole file", color=inks.ink)
    better = "higher is better ↑" if chart.metric.is_higher_better else "lower is better ↓"
    axes.set_ylabel(f"{words.label}{unit} ({better})", color=inks.ink)
    axes.set_facecolor("none")
    axes.grid(True, color=inks.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=inks.ink, length=3, width=0.8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(inks.faint)


def _draw_codec(axes: Axes, codec: str, points: Sequence[Point], pen: Pen, ground: str) -> None:
    front = 4.0 if codec == WISP else 3.0
    whole = [point for point in points if point.is_whole]
    axes.plot(
        [point.rate_bpp for point in whole],
        [point.value for point in whole],
        color=pen.colour,
        linewidth=pen.width,
        marker=pen.mark,
        markersize=6,
        gid=pen.group,
        zorder=front,
        label=codec_label(codec),
    )
    partial = [point for point in points if not point.is_whole]
    axes.plot(
        [point.rate_bpp for point in partial],
        [point.value for point in partial],
        color=pen.colour,
        linestyle="none",
        marker=pen.mark,
        markersize=6,
        markerfacecolor=ground,
        markeredgewidth=1.3,
        gid=pen.group,
        zorder=front,
    )


def _draw_published(axes: Axes, points: Sequence[tuple[float, float]], mark: str, inks: Inks) -> None:
    axes.plot(
        [rate for rate, _ in points],
        [value for _, value in points],
        linestyle=(0, (3, 2.5)),
        linewidth=1.0,
        color=inks.faint,
        marker=mark,
        markersize=5.5,
        markerfacecolor=inks.ground,
        gid=PUBLISHED_GROUP,
        zorder=1.5,
    )


def _count_partial(axes: Axes, chart: Chart, inks: Inks) -> None:
    """How many pictures are in each hollow mark, beside it, and higher where another count stands there."""
    partial = [
        (place(axes, point.rate_bpp, point.value), codec, point)
        for codec, points in chart.curves.items()
        for point in points
        if not point.is_whole
    ]
    taken: list[tuple[float, float]] = []
    for (x, y), codec, point in sorted(partial, key=lambda item: (item[0][1], item[0][0])):
        up = 4.0
        while any(abs(x - a) < COUNT_WIDTH and abs(y + up - b) < COUNT_PITCH for a, b in taken):
            up += 1.0
        taken.append((x, y + up))
        axes.annotate(
            f"{point.num_images}/{point.num_total}",
            (point.rate_bpp, point.value),
            xytext=(5, up),
            textcoords="offset points",
            fontsize=7,
            color=inks.pens[codec].colour,
            gid=inks.pens[codec].group,
            zorder=5,
        )


def _name_ends(axes: Axes, ends: Sequence[tuple[str, float, float]], inks: Inks) -> None:
    """Names of published series at the right edge, moved apart where they would cover each other."""
    height = axes.bbox.height / axes.figure.get_dpi() * POINTS_PER_INCH
    floor = place(axes, ends[0][1], axes.get_ylim()[0])[1] if ends else 0.0
    reached = -math.inf
    for name, rate, value in sorted(ends, key=lambda end: end[2]):
        reached = max(place(axes, rate, value)[1] - floor, reached + LABEL_PITCH)
        note = axes.annotate(
            name,
            (rate, value),
            xytext=(1.015, reached / height),
            textcoords="axes fraction",
            fontsize=7.5,
            color=inks.faint,
            va="center",
            arrowprops={"arrowstyle": "-", "color": inks.grid, "linewidth": 0.8, "shrinkB": 4},
            annotation_clip=False,
            gid=PUBLISHED_GROUP,
        )
        if note.arrow_patch is not None:
            note.arrow_patch.set_gid(PUBLISHED_GROUP)
