"""Codecs at equal bytes: means, places and wins.

A mean is over the pictures on which the codec reaches the budget. A codec that gives up on the hard pictures
would look better than it is, so only those that reach a budget on every picture are ranked against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from wisp.bench import equal_bytes
from wisp.bench.catalogue import WISP
from wisp.bench.equal_bytes import Measure
from wisp.bench.report.load import Metric, Run


@dataclass(frozen=True)
class Mean:
    """A codec's mean at one budget.

    Attributes:
        codec, budget_bpp: whose, and where.
        rate_bpp: mean rate of the whole files in bits per pixel; None where none was reached.
        num_bytes: mean size of those files.
        value: mean of the metric; None where none was reached or measured.
        num_images: pictures in the mean.
        num_total: pictures of the run.
    """

    codec: str
    budget_bpp: float
    rate_bpp: float | None
    num_bytes: float | None
    value: float | None
    num_images: int
    num_total: int

    @property
    def is_whole(self) -> bool:
        """Whether every picture is in it."""
        return self.value is not None and self.num_images == self.num_total


def mean_at(run: Run, codec: str, budget_bpp: float, metric: Metric) -> Mean:
    """The codec's mean of that metric at that budget."""
    rows = [
        row for row in run.at(codec, budget_bpp) if row.reached and row.scores.get(metric.name) is not None
    ]
    values = [value for row in rows if (value := row.scores[metric.name]) is not None]
    rates = [row.rate_bpp for row in rows if row.rate_bpp is not None]
    sizes = [row.num_bytes for row in rows if row.num_bytes is not None]
    return Mean(
        codec=codec,
        budget_bpp=budget_bpp,
        rate_bpp=fmean(rates) if rates else None,
        num_bytes=fmean(sizes) if sizes else None,
        value=fmean(values) if values else None,
        num_images=len(values),
        num_total=len(run.images),
    )


@dataclass(frozen=True)
class Point:
    """A mean that there is, as a point of a curve: rate in bits per pixel, value of the metric, over how many."""

    budget_bpp: float
    rate_bpp: float
    value: float
    num_images: int
    num_total: int

    @property
    def is_whole(self) -> bool:
        """Whether every picture is in it."""
        return self.num_images == self.num_total


def curve(run: Run, codec: str, metric: Metric) -> tuple[Point, ...]:
    """The codec's means at all budgets, by rising budget, without those it reaches on no picture.

    Where a larger budget changes nothing, as with placeholders of one size, there is one point for all.
    """
    means = (mean_at(run, codec, budget, metric) for budget in run.budgets)
    found: dict[tuple[float, float, int], Point] = {}
    for mean in means:
        if mean.rate_bpp is not None and mean.value is not None:
            point = Point(mean.budget_bpp, mean.rate_bpp, mean.value, mean.num_images, mean.num_total)
            found.setdefault((mean.rate_bpp, mean.value, mean.num_images), point)
    return tuple(found.values())


def ranking(run: Run, budget_bpp: float, metric: Metric) -> tuple[Mean, ...]:
    """The codecs that reach the budget on every picture, the best first."""
    found = [mean for codec in run.codecs if (mean := mean_at(run, codec, budget_bpp, metric)).is_whole]
    return tuple(sorted(found, key=lambda mean: mean.value or 0.0, reverse=metric.is_higher_better))


def leaders(run: Run, budget_bpp: float, metric: Metric) -> tuple[Mean, ...]:
    """The best of the ranking: one codec, several where they tie, none where nobody reaches every picture."""
    ranked = ranking(run, budget_bpp, metric)
    return tuple(mean for mean in ranked if mean.value == ranked[0].value)


def num_reached(run: Run, codec: str, budget_bpp: float) -> int:
    """Pictures on which the codec has a file within the budget."""
    return sum(row.reached for row in run.at(codec, budget_bpp))


def num_images_won(run: Run, budget_bpp: float, metric: Metric) -> int:
    """Pictures on which wisp is better than every other codec that reaches the budget there."""
    rows = [row for codec in run.codecs for row in run.at(codec, budget_bpp)]
    peers = [codec for codec in run.codecs if codec != WISP]
    return equal_bytes.num_images_won(rows, peers, budget_bpp, Measure(metric.name, metric.is_higher_better))
