"""The tables of the page: who is best, who gets that small, means, Bjontegaard rates, published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wisp.bench.catalogue import WISP
from wisp.bench.report.bd_rate import FIT, BdRate, bd_rate
from wisp.bench.report.chart import Chart
from wisp.bench.report.comparison import (
    Mean,
    Point,
    curve,
    leaders,
    mean_at,
    num_images_won,
    num_reached,
    ranking,
)
from wisp.bench.report.load import Metric, Run
from wisp.bench.report.markup import Markup, joined, table, tag
from wisp.bench.report.published import Series
from wisp.bench.report.wording import bpp_text, codec_label, count_text, metric_words, number_text


def metric_heading(metric: Metric) -> Markup:
    """A column's head: name and which way is better."""
    arrow, better = ("↑", "higher is better") if metric.is_higher_better else ("↓", "lower is better")
    label = metric_words(metric.name).label
    return joined(label, " ", tag("abbr", arrow, title=better, aria_label=better))


def _ordinal(place: int) -> str:
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def _standing(run: Run, budget_bpp: float, metric: Metric) -> Markup:
    places = metric_words(metric.name).places
    ranked = ranking(run, budget_bpp, metric)
    if not ranked:
        return tag("td", "-", tag("br"), tag("small", "no codec reaches it on every picture"))
    first = leaders(run, budget_bpp, metric)
    names = ", ".join(codec_label(mean.codec) for mean in first)
    told = [joined(tag("strong", names), " ", number_text(first[0].value, places))]
    ours = next((mean for mean in ranked if mean.codec == WISP), None)
    if ours is None:
        reached = num_reached(run, WISP, budget_bpp)
        told.append(tag("small", f"wisp reaches {reached} of {len(run.images)} pictures"))
    else:
        if len(first) > 1:
            told.append(tag("small", "the same for all of these"))
        elif ours in first:
            told.append(tag("small", _runner_up(ranked, places)))
        if ours not in first:
            place = 1 + sum(mean.value != ours.value for mean in ranked[: ranked.index(ours)])
            mine = number_text(ours.value, places)
            told.append(tag("small", f"wisp {_ordinal(place)} of {len(ranked)}, {mine}"))
        won = num_images_won(run, budget_bpp, metric)
        told.append(tag("small", f"wisp best on {won} of {len(run.images)}"))
    lines = joined(told[0], *(joined(tag("br"), part) for part in told[1:]))
    return tag("td", lines, class_="won" if first == (ours,) else None)


def _runner_up(ranked: Sequence[Mean], places: int) -> str:
    if len(ranked) == 1:
        return "no other codec reaches it on every picture"
    return f"then {codec_label(ranked[1].codec)} {number_text(ranked[1].value, places)}"


def standings_table(run: Run) -> Markup:
    """For each budget and metric the best codec of those that reach every picture, and wisp's place."""
    lines = [
        [f"{bpp_text(budget)} bpp", *(_standing(run, budget, metric) for metric in run.metrics)]
        for budget in run.budgets
    ]
    header = ["budget", *(metric_heading(metric) for metric in run.metrics)]
    return table("The best mean at each budget, and wisp's place", header, lines, class_="standings")


def reach_table(run: Run) -> Markup:
    """For each codec and budget on how many pictures it has a file within the budget."""
    lines: list[list[str]] = []
    for codec in run.codecs:
        cells: list[str] = [codec_label(codec)]
        for budget in run.budgets:
            count = num_reached(run, codec, budget)
            class_ = "all" if count == len(run.images) else "none" if count == 0 else "some"
            text = "no picture" if count == 0 else f"{count} of {len(run.images)}"
            cells.append(tag("td", text, class_=class_))
        lines.append(cells)
    header = ["codec", *(f"{bpp_text(budget)} bpp" for budget in run.budgets)]
    return table("Pictures on which the codec has a file that small", header, lines, class_="reach")


def means_table(run: Run, budget_bpp: float) -> Markup:
    """All codecs' means at one budget; the best of each column among those that reach every picture is bold."""
    best = {metric.name: {mean.value for mean in leaders(run, budget_bpp, metric)} for metric in run.metrics}
    lines: list[list[str]] = []
    for codec in run.codecs:
        means = [mean_at(run, codec, budget_bpp, metric) for metric in run.metrics]
        longest = max(means, key=lambda mean: mean.num_images)
        reached = num_reached(run, codec, budget_bpp)
        cells: list[str] = [
            codec_label(codec),
            f"{reached} of {len(run.images)}",
            "-" if longest.num_bytes is None else count_text(round(longest.num_bytes)),
            number_text(longest.rate_bpp, 4),
        ]
        for metric, mean in zip(run.metrics, means, strict=True):
            text = number_text(mean.value, metric_words(metric.name).places)
            is_best = mean.is_whole and mean.value in best[metric.name]
            is_partial = mean.value is not None and not mean.is_whole
            cells.append(
                tag("td", tag("strong", text) if is_best else text, class_="some" if is_partial else None)
            )
        lines.append(cells)
    header = ["codec", "pictures", "bytes", "bpp", *(metric_heading(metric) for metric in run.metrics)]
    return table(f"Means at {bpp_text(budget_bpp)} bpp", header, lines, class_="sortable means")


def _whole(points: Sequence[Point]) -> list[tuple[float, float]]:
    return [(point.rate_bpp, point.value) for point in points if point.is_whole]


def bd_rates(run: Run) -> dict[str, dict[str, BdRate]]:
    """peer -> metric -> wisp's rate over the peer's, from the points that each reaches on every picture."""
    found: dict[str, dict[str, BdRate]] = {}
    for peer in run.codecs:
        if peer == WISP:
            continue
        found[peer] = {}
        for metric in run.metrics:
            ours, theirs = _whole(curve(run, WISP, metric)), _whole(curve(run, peer, metric))
            found[peer][metric.name] = bd_rate(ours, theirs, metric.is_higher_better)
    return found


def _bd_cell(found: BdRate, metric: Metric) -> Markup:
    if found.percent is None:
        return tag("td", "-", tag("br"), tag("small", found.reason.partition(":")[0]), class_="none")
    places = metric_words(metric.name).places
    sign = "+" if found.percent > 0 else ""
    low, high = found.overlap or (0.0, 0.0)
    over = f"over {number_text(low, places)} to {number_text(high, places)}, {found.share:.0%} of both"
    text = f"{sign}{number_text(found.percent, 1)} %"
    return tag("td", text, tag("br"), tag("small", over), class_="won" if found.percent < 0 else None)


def bd_table(run: Run, rates: Mapping[str, Mapping[str, BdRate]]) -> Markup:
    """wisp's Bjontegaard rate against each peer in each metric; a reason that all metrics share stands once."""
    lines: list[list[str]] = []
    for peer, found in rates.items():
        shared = _shared_reason(found)
        if shared is not None:
            cells = [tag("td", f"- {shared}", class_="words none", colspan=str(len(run.metrics)))]
        else:
            cells = [_bd_cell(found[metric.name], metric) for metric in run.metrics]
        lines.append([codec_label(peer), *cells])
    header = ["against", *(metric_heading(metric) for metric in run.metrics)]
    return table(
        f"Bytes that wisp needs for the same quality, fit: {FIT} on the logarithm of the rate", header, lines
    )


def _shared_reason(found: Mapping[str, BdRate]) -> str | None:
    reasons = {rate.reason for rate in found.values()}
    return next(iter(reasons)) if len(reasons) == 1 and "" not in reasons else None


def bd_reasons(run: Run, rates: Mapping[str, Mapping[str, BdRate]]) -> Markup | None:
    """Reasons that the cells only hint at, or None where there are none."""
    told = [
        tag("li", f"{codec_label(peer)}, {metric_words(metric.name).label}: {found[metric.name].reason}")
        for peer, found in rates.items()
        if _shared_reason(found) is None
        for metric in run.metrics
        if found[metric.name].percent is None
    ]
    if not told:
        return None
    return tag("details", tag("summary", "Why some are missing"), tag("ul", *told))


def chart_table(chart: Chart) -> Markup:
    """The numbers behind one chart."""
    words = metric_words(chart.metric.name)
    lines: list[list[str]] = [
        [
            codec_label(codec),
            bpp_text(point.budget_bpp),
            number_text(point.rate_bpp, 4),
            number_text(point.value, words.places),
            f"{point.num_images} of {point.num_total}",
        ]
        for points_of in (chart.outside, chart.curves)
        for codec, points in points_of.items()
        for point in points
    ]
    return table(f"{words.label} by rate", ["codec", "budget", "bpp", words.label, "pictures"], lines)


def published_table(series: Sequence[Series]) -> Markup:
    """What others published, with where it comes from."""
    lines: list[list[str]] = [
        [
            one.codec,
            metric_words(one.metric).label,
            ", ".join(f"{value:g} at {rate:g}" for rate, value in one.points),
            one.evidence,
            one.source,
        ]
        for one in series
    ]
    header = ["codec", "metric", "value at bpp", "how it came here", "source"]
    return table("Published numbers", header, lines, class_="published")
