"""Charts as files: one as SVG for the page, one or several as PNG for documents. One drawing makes both."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wisp.bench.report.chart import Chart
from wisp.bench.report.comparison import Point
from wisp.bench.report.curves import POINTS_PER_INCH, Inks, Pen, draw, place
from wisp.bench.report.palette import SeriesStyle
from wisp.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_INCHES, HEIGHT_INCHES = 6.6, 4.3
LEGEND_INCHES = 1.0
PNG_DPI = 110


@dataclass(frozen=True)
class Spot:
    """Where a point of a curve lies in the SVG, in its user units from the upper left corner."""

    codec: str
    point: Point
    x: float
    y: float


def light_inks(styles: Mapping[str, SeriesStyle]) -> Inks:
    """Colours for white ground."""
    pens = {
        codec: Pen(number, style.light, style.mark, style.width)
        for number, (codec, style) in enumerate(styles.items())
    }
    return Inks("#ffffff", "#1c2024", "#5b646d", "#dfe3e6", pens)


def svg_chart(chart: Chart, inks: Inks) -> tuple[str, list[Spot]]:
    """The chart as an SVG document without a ground, and where its points lie in it.

    Raises:
        UsageError: matplotlib is missing.
    """
    with _settings():
        figure = _figure(WIDTH_INCHES, HEIGHT_INCHES)
        axes = figure.add_subplot()
        draw(axes, chart, inks)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        top = HEIGHT_INCHES * POINTS_PER_INCH
        spots = []
        for codec, points in chart.curves.items():
            for point in points:
                x, y = place(axes, point.rate_bpp, point.value)
                spots.append(Spot(codec, point, x, top - y))
    return sink.getvalue(), spots


def png_charts(charts: Sequence[Chart], styles: Mapping[str, SeriesStyle], title: str) -> bytes:
    """Charts side by side in two columns, or one alone, with a legend, on white, as a PNG file.

    Raises:
        UsageError: matplotlib is missing.
    """
    columns = min(len(charts), 2)
    rows = math.ceil(len(charts) / columns)
    inks = light_inks(styles)
    with _settings():
        figure = _figure(WIDTH_INCHES * columns, HEIGHT_INCHES * rows + LEGEND_INCHES)
        figure.set_facecolor(inks.ground)
        for number, chart in enumerate(charts, start=1):
            draw(figure.add_subplot(rows, columns, number), chart, inks)
        known: dict[str, Any] = {}
        for axes in figure.axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                known.setdefault(label, handle)
        known |= _legend_notes(charts, inks)
        figure.suptitle(title, fontsize=11)
        figure.legend(
            known.values(),
            known.keys(),
            loc="outside lower center",
            ncols=4 * columns,
            frameon=False,
            fontsize=9,
        )
        sink = io.BytesIO()
        figure.savefig(sink, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return sink.getvalue()


def _legend_notes(charts: Sequence[Chart], inks: Inks) -> dict[str, Any]:
    """Handles for what is no codec: hollow marks and published series, where there are any."""
    from matplotlib.lines import Line2D

    hollow: dict[str, Any] = {
        "marker": "o",
        "markerfacecolor": inks.ground,
        "color": inks.faint,
        "markersize": 6,
    }
    found: dict[str, Any] = {}
    if any(chart.has_partial for chart in charts):
        found["hollow: only so many pictures"] = Line2D([], [], linestyle="none", **hollow)
    if any(chart.has_published for chart in charts):
        found["published, not measured here"] = Line2D([], [], linestyle="--", linewidth=1.0, **hollow)
    return found


def _settings() -> AbstractContextManager[None]:
    try:
        from matplotlib import rc_context
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"expected the package {missing.name}, found none: pip install 'wisp-codec[bench]'"
        ) from missing
    settings: dict[Any, Any] = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
        "font.size": 9.5,
        "svg.fonttype": "none",
        "svg.hashsalt": "wisp",
        "text.parse_math": False,  # a codec's name may hold a dollar sign
        "axes.unicode_minus": True,
    }
    return rc_context(settings)


def _figure(width_inches: float, height_inches: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), dpi=POINTS_PER_INCH, layout="constrained")
