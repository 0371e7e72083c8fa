"""One table for each picture, with every codec and budget."""

from __future__ import annotations

from wisp.bench.report.load import Run
from wisp.bench.report.markup import Markup, table, tag
from wisp.bench.report.tables import metric_heading
from wisp.bench.report.wording import bpp_text, codec_label, count_text, metric_words, number_text
from wisp.bench.row_store import Row


def _cells(run: Run, row: Row) -> list[str]:
    if row.reached and row.num_bytes is not None:
        size = count_text(row.num_bytes)
    elif row.smallest_num_bytes is None:
        size = "cannot"
    else:
        size = f"cannot; least {count_text(row.smallest_num_bytes)}"
    scores = [
        number_text(row.scores.get(metric.name), metric_words(metric.name).places) for metric in run.metrics
    ]
    return [
        codec_label(row.codec),
        bpp_text(row.budget_bpp),
        tag("td", size, class_=None if row.reached else "none"),
        number_text(row.rate_bpp, 4),
        *scores,
        tag("td", row.setting or "-", class_="words"),
    ]


def picture_tables(run: Run) -> list[Markup]:
    """A folded table for each picture; its lines carry their budget, by which the page can filter."""
    header = [
        "codec",
        "budget",
        "bytes",
        "bpp",
        *(metric_heading(metric) for metric in run.metrics),
        "setting",
    ]
    order = {codec: place for place, codec in enumerate(run.codecs)}
    tables = []
    for image in run.images:
        rows = sorted(
            (row for row in run.rows if row.image == image),
            key=lambda row: (row.budget_bpp, order[row.codec]),
        )
        lines = [_cells(run, row) for row in rows]
        marks = [{"data_budget": bpp_text(row.budget_bpp)} for row in rows]
        inside = table(f"All measurements of {image}", header, lines, "sortable", marks)
        tables.append(tag("details", tag("summary", image), inside, class_="picture"))
    return tables
