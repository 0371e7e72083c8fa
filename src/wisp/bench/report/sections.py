"""The sections of the page that show results, with the words a reader needs beside the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wisp.bench.catalogue import WISP
from wisp.bench.report import tables
from wisp.bench.report.bd_rate import LEAST_POINTS
from wisp.bench.report.chart import Chart
from wisp.bench.report.load import Run
from wisp.bench.report.markup import Markup, joined, tag
from wisp.bench.report.palette import SeriesStyle
from wisp.bench.report.pictures_table import picture_tables
from wisp.bench.report.published import Published
from wisp.bench.report.svg_inline import inline_svg
from wisp.bench.report.wording import bpp_text, codec_label, metric_words, number_text

PUBLISHED_SERIES = "published"  # what the script calls all published series together


def section(anchor: str, heading: str, *children: str) -> Markup:
    """A section named by its heading, to be linked to as ``#anchor``."""
    head = tag("h2", heading, id=f"{anchor}-heading")
    return tag("section", head, *children, id=anchor, aria_labelledby=f"{anchor}-heading")


def glance(run: Run) -> Markup:
    """Who is best at each budget, and who gets that small at all."""
    reach = [tag("h3", "Who gets that small"), tables.reach_table(run)]
    if WISP not in run.codecs:
        return section("glance", "At a glance", *reach)
    words = tag(
        "p",
        "Only codecs that reach a budget on every picture are ranked; a codec that gives up on the hard ones "
        "would look better than it is. One metric alone can be gamed: look at several, and at the pictures.",
    )
    return section("glance", "At a glance", words, tables.standings_table(run), *reach)


def curves_section(
    run: Run, charts: Sequence[Chart], looks: Mapping[str, SeriesStyle], others: Published
) -> Markup:
    """All charts under one legend, whose chips hide a codec everywhere."""
    numbers = {codec: number for number, codec in enumerate(run.codecs)}
    chips = [_chip(codec_label(codec), str(number)) for codec, number in numbers.items()]
    total = len(run.images)
    words = [
        "Full marks on a line: budgets that the codec reaches on every picture. Hollow marks with a count, such as "
        f"{max(total - 1, 1)}/{total}: budgets it reaches on that many pictures only, so their mean is over other "
        "pictures and no line joins them. Circle: whole size; square: coded at half size; triangle: at a quarter, "
        "upside down: at an eighth. Point at a mark for its numbers."
    ]
    if any(chart.published for chart in charts):
        chips.append(_chip("published by others", PUBLISHED_SERIES))
        words.append(
            f"Grey, dashed and hollow: published by others for {others.pictures}, not measured here. Sources are "
            "below."
        )
    else:
        words.append(
            f"Published numbers are for {others.pictures} and would not be comparable with these curves."
        )
    legend = tag("div", *chips, class_="legend", role="group", aria_label="Show or hide codecs in all charts")
    figures = tag("div", *(_figure(chart, looks, numbers) for chart in charts), class_="charts")
    return section("curves", "Quality against size", *(tag("p", text) for text in words), legend, figures)


def _chip(label: str, series: str) -> Markup:
    return tag("button", label, type="button", class_="chip", data_series=series, aria_pressed="true")


def _figure(chart: Chart, looks: Mapping[str, SeriesStyle], numbers: Mapping[str, int]) -> Markup:
    words = metric_words(chart.metric.name)
    return tag(
        "figure",
        tag("h3", words.label),
        tag("p", words.meaning, class_="meaning") if words.meaning else "",
        inline_svg(chart, looks, numbers, f"c-{chart.metric.name}"),
        tag("figcaption", _outside(chart)) if chart.outside else "",
        tag("details", tag("summary", "The numbers"), tables.chart_table(chart)),
        class_="chart-card",
    )


def _outside(chart: Chart) -> str:
    """What is not drawn, as it lies far left of the least budget."""
    places = metric_words(chart.metric.name).places
    told = [
        f"{codec_label(codec)} {number_text(point.value, places)} at {number_text(point.rate_bpp, 4)} bpp"
        + ("" if point.is_whole else f" ({point.num_images} of {point.num_total} pictures)")
        for codec, points in chart.outside.items()
        for point in points
    ]
    return f"Too far left to be drawn: {'; '.join(told)}."


def bd_section(run: Run) -> Markup:
    """wisp's Bjontegaard rates."""
    heading = "How many bytes for the same quality"
    if WISP not in run.codecs or len(run.codecs) < 2:
        return section("bd", heading, tag("p", "It needs wisp and another codec in the run."))
    rates = tables.bd_rates(run)
    words = tag(
        "p",
        "The Bjontegaard rate: how many per cent fewer (−) or more (+) bytes wisp needs than the other codec for "
        "the same value of the metric, averaged over the values that both curves reach. That interval stands below "
        "each number, with its share of all that the two curves span; a small share says little. Only budgets "
        f"reached on every picture count, and each curve needs {LEAST_POINTS} of them.",
    )
    table = tables.bd_table(run, rates)
    return section("bd", heading, words, table, tables.bd_reasons(run, rates) or "")


def means_section(run: Run) -> Markup:
    """A table of means for each budget."""
    words = tag(
        "p",
        "Means over the pictures that each codec reaches; in italics where that is not all of them, so that the "
        "number must not be compared with the others. Bold: the best among those that reach every picture. A "
        "heading sorts.",
    )
    parts = [joined(tag("h3", f"{bpp_text(b)} bpp"), tables.means_table(run, b)) for b in run.budgets]
    return section("means", "Means at equal bytes", words, *parts)


def pictures_section(run: Run) -> Markup:
    """A folded table for each picture."""
    options = [tag("option", "all", value="")]
    options += [tag("option", f"{bpp_text(b)} bpp", value=bpp_text(b)) for b in run.budgets]
    chooser = tag("select", *options, id="budget-filter")
    label = tag("label", "Budget ", chooser, class_="filter", hidden=True)
    return section("pictures", "Each picture", label, *picture_tables(run))


def published_section(run: Run, others: Published) -> Markup:
    """What others published, drawn above or not."""
    is_drawn = others.fits(run) and {m.name for m in run.metrics} & {s.metric for s in others.series}
    words = tag(
        "p",
        f"Numbers of other codecs as their authors published them, for {others.pictures}. They were not measured "
        "here, and how their rates and metrics were computed is the authors' word. ",
        "Those in a metric that this run measured are drawn above, dashed and grey."
        if is_drawn
        else "None of them is drawn above.",
    )
    return section("published", "Published by others", words, tables.published_table(others.series))
