"""What one chart shows, apart from how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wisp.bench.report.comparison import Point, curve
from wisp.bench.report.load import Metric, Run
from wisp.bench.report.published import Series, published

SIDE_ROOM = 1.35  # beside the outermost points, on the logarithmic axis
# A file that leaves this much of the least budget unused cannot be larger: it is no part of a curve.
FAR_BELOW = 1.25


@dataclass(frozen=True)
class Chart:
    """One metric against the rate.

    Attributes:
        metric: the y axis.
        budgets: ticks of the x axis in bits per pixel.
        curves: codec -> its points, by rising budget, without those outside.
        outside: codec -> its points well below the least budget, such as those of placeholders of 30 bytes.
        published: series of others in the same metric; empty where pictures differ.
    """

    metric: Metric
    budgets: tuple[float, ...]
    curves: Mapping[str, tuple[Point, ...]]
    outside: Mapping[str, tuple[Point, ...]]
    published: tuple[Series, ...]

    @property
    def rate_limits(self) -> tuple[float, float]:
        """Ends of the x axis in bits per pixel."""
        rates = [point.rate_bpp for points in self.curves.values() for point in points]
        return min([*rates, self.budgets[0]]) / SIDE_ROOM, self.budgets[-1] * SIDE_ROOM

    def published_inside(self, series: Series) -> list[tuple[float, float]]:
        """The points of a published series between the ends of the x axis."""
        low, high = self.rate_limits
        return [point for point in series.points if low <= point[0] <= high]

    @property
    def has_partial(self) -> bool:
        """Whether a point is over some pictures only."""
        return any(not point.is_whole for points in self.curves.values() for point in points)

    @property
    def has_published(self) -> bool:
        """Whether a published point is inside."""
        return any(self.published_inside(series) for series in self.published)


def charts_of(run: Run) -> list[Chart]:
    """A chart for each metric; with published points where the run is on the same pictures."""
    others = published()
    fits = others.fits(run)
    return [
        _chart(run, metric, tuple(s for s in others.series if s.metric == metric.name) if fits else ())
        for metric in run.metrics
    ]


def _chart(run: Run, metric: Metric, others: tuple[Series, ...]) -> Chart:
    least = run.budgets[0] / FAR_BELOW
    curves: dict[str, tuple[Point, ...]] = {}
    outside: dict[str, tuple[Point, ...]] = {}
    for codec in run.codecs:
        points = curve(run, codec, metric)
        for kind, chosen in (
            (curves, tuple(point for point in points if point.rate_bpp >= least)),
            (outside, tuple(point for point in points if point.rate_bpp < least)),
        ):
            if chosen:
                kind[codec] = chosen
    return Chart(metric, run.budgets, curves, outside, others)
