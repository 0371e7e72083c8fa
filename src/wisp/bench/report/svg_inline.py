"""A matplotlib SVG document made fit for a page: themed by CSS, with ids of its own and words for screen readers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from wisp.bench.report.chart import Chart
from wisp.bench.report.curves import Inks, Pen
from wisp.bench.report.figures import Spot, svg_chart
from wisp.bench.report.markup import Markup, joined, tag
from wisp.bench.report.palette import SeriesStyle
from wisp.bench.report.wording import bpp_text, codec_label, metric_words, number_text
from wisp.errors import UsageError

# Colours that no drawing uses by chance: each is put back as a variable of the page's style sheet.
_GROUND, _INK, _FAINT, _GRID = "#0b0001", "#0b0002", "#0b0003", "#0b0004"
_VARIABLES = {_GROUND: "--card", _INK: "--ink", _FAINT: "--faint", _GRID: "--grid"}


def _stand_in(number: int) -> str:
    return f"#0a{number:04x}"


def spot_text(spot: Spot, chart: Chart) -> str:
    """One line about a point: codec, rate, value, and over how many pictures."""
    point = spot.point
    words = metric_words(chart.metric.name)
    over = "" if point.is_whole else f", only {point.num_images} of {point.num_total} pictures"
    return (
        f"{codec_label(spot.codec)}, budget {bpp_text(point.budget_bpp)}: {number_text(point.rate_bpp, 4)} bpp, "
        f"{words.label} {number_text(point.value, words.places)}{over}"
    )


def description(chart: Chart) -> str:
    """The chart in words: each curve's ends."""
    words = metric_words(chart.metric.name)
    better = "Higher" if chart.metric.is_higher_better else "Lower"
    sentences = [f"{words.label} against bits per pixel. {better} is better."]
    for codec, points in chart.curves.items():
        whole = [point for point in points if point.is_whole]
        if not whole:
            sentences.append(f"{codec_label(codec)} reaches no budget on every picture.")
            continue
        ends = [whole[0]] if len(whole) == 1 else [whole[0], whole[-1]]
        told = " and ".join(
            f"{number_text(point.value, words.places)} at {bpp_text(point.budget_bpp)} bpp" for point in ends
        )
        sentences.append(f"{codec_label(codec)}: {told}.")
    if chart.published:
        names = ", ".join(dict.fromkeys(series.codec for series in chart.published))
        sentences.append(f"Published by others, dashed: {names}.")
    return " ".join(sentences)


def inline_svg(
    chart: Chart, styles: Mapping[str, SeriesStyle], numbers: Mapping[str, int], slug: str
) -> Markup:
    """The chart as an ``svg`` element.

    Args:
        chart: what to draw.
        styles: of its codecs.
        numbers: of its codecs on the page: colour ``--sNUMBER``, and what a series is called.
        slug: put before every id, so that several charts can share a page.
    """
    pens = {
        codec: Pen(numbers[codec], _stand_in(numbers[codec]), styles[codec].mark, styles[codec].width)
        for codec in chart.curves
    }
    document, spots = svg_chart(chart, Inks(_GROUND, _INK, _FAINT, _GRID, pens))
    body = document[document.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="series-(\w+)">', r'<g class="series" data-series="\1">', body)
    body = re.sub(r'\bid="', f'id="{slug}-', body)
    body = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\g<1>{slug}-", body)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, f"var({variable})")
    for pen in pens.values():
        body = body.replace(pen.colour, f"var(--s{pen.number})")
    body = re.sub(r"\s*\n\s*", "\n", body)
    opened = body.index(">") + 1
    view = re.search(r'viewBox="([^"]+)"', body[:opened])
    if view is None:
        raise UsageError(
            "expected an SVG with a viewBox from matplotlib, found none; install another version of it"
        )
    head = (
        f'<svg class="chart" viewBox="{view[1]}" role="img" aria-labelledby="{slug}-title {slug}-desc" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    title = tag("title", f"{metric_words(chart.metric.name).label} by rate", id=f"{slug}-title")
    words = tag("desc", description(chart), id=f"{slug}-desc")
    inside = Markup(body[opened : body.rindex("</svg>")])
    return joined(Markup(head), title, words, inside, _hit_areas(chart, spots, numbers), Markup("</svg>"))


def _hit_areas(chart: Chart, spots: Sequence[Spot], numbers: Mapping[str, int]) -> Markup:
    return joined(
        *(
            tag(
                "circle",
                class_="hit series",
                data_series=str(numbers[spot.codec]),
                data_note=spot_text(spot, chart),
                cx=f"{spot.x:.1f}",
                cy=f"{spot.y:.1f}",
                r="8",
            )
            for spot in spots
        )
    )
