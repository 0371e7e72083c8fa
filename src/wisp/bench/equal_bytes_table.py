"""The summary of rows at equal bytes, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from wisp.bench.catalogue import WISP
from wisp.bench.equal_bytes import Comparison, Measure, against_best, against_peer, means
from wisp.bench.markdown import number, table
from wisp.bench.row_store import Row

_UP, _DOWN = "↑", "↓"


def heading(measure: Measure) -> str:
    """A measure as a column's heading: its name with an arrow to the better side."""
    return f"{measure.name} {_UP if measure.higher_is_better else _DOWN}"


def _places(measure: Measure) -> int:
    """Decimal places that mean something: decibels and scores of a hundred need fewer than shares of one."""
    return 2 if measure.unit == "dB" or measure.name == "ssimulacra2" else 4


def _means_table(
    rows: Sequence[Row], codecs: Sequence[str], budget_bpp: float, measures: Sequence[Measure]
) -> list[str]:
    lines = []
    for codec in codecs:
        m = means(rows, codec, budget_bpp, measures)
        scores = [number(m.scores[measure.name], _places(measure)) for measure in measures]
        reached = f"{m.num_reached}/{m.num_images}"
        lines.append([codec, reached, number(m.num_bytes, 0), number(m.rate_bpp, 4), *scores])
    return table(["codec", "reached", "bytes", "bpp", *map(heading, measures)], lines)


def _verdict(measure: Measure, comparison: Comparison) -> str:
    """The ratio of distances, or the signed difference in a measure of which more is better."""
    if not measure.higher_is_better:
        return number(comparison.ratio, 3)
    difference = comparison.difference
    return "-" if difference is None else f"{difference:+.{_places(measure)}f}"


def _best_table(
    rows: Sequence[Row], peers: Sequence[str], budgets: Sequence[float], measures: Sequence[Measure]
) -> list[str]:
    lines = []
    for measure in measures:
        for bpp in budgets:
            c = against_best(rows, peers, bpp, measure)
            both = [number(value, _places(measure)) for value in (c.wisp, c.theirs)]
            won = f"{c.num_won}/{c.num_images}"
            lines.append([heading(measure), f"{bpp:g}", *both, c.peer or "-", _verdict(measure, c), won])
    comparison = "ratio or difference"
    return table(["measure", "bpp", "wisp", "best peer's", "best peer", comparison, "images won"], lines)


def _peer_table(
    rows: Sequence[Row], peers: Sequence[str], budgets: Sequence[float], measures: Sequence[Measure]
) -> list[str]:
    lines = []
    for bpp in budgets:
        for peer in peers:
            found = {measure: against_peer(rows, peer, bpp, measure) for measure in measures}
            both = str(max(c.num_images for c in found.values()))
            cells = [f"{_verdict(measure, c)} ({c.num_won})" for measure, c in found.items()]
            lines.append([f"{bpp:g}", peer, both, *(cell.replace("- (0)", "-") for cell in cells)])
    return table(["bpp", "peer", "images both reach", *map(heading, measures)], lines)


def summary(
    rows: Sequence[Row], codecs: Sequence[str], budgets: Sequence[float], measures: Sequence[Measure]
) -> str:
    """The whole page for the codecs and budgets of one run, in the order given; at least one measure."""
    images = len({row.image for row in rows})
    page = [
        "# Codecs at equal bytes",
        "",
        f"{images} {'picture' if images == 1 else 'pictures'}. Each codec at its largest file within "
        "floor(bpp x pixels / 8) bytes, whole file; means over the pictures reached. "
        f"{_DOWN}: lower is better, {_UP}: higher is better. Columns are defined in results/FIELDS.md.",
    ]
    for bpp in budgets:
        page += ["", f"## {bpp:g} bpp", "", *_means_table(rows, codecs, bpp, measures)]
    peers = [codec for codec in codecs if codec != WISP]
    if WISP in codecs and peers:
        page += [
            "",
            "## wisp against the best peer",
            "",
            "The best peer has the best mean among those that reach the budget on every picture. Ratio of means "
            f"for measures marked {_DOWN}, below 1 is better for wisp; wisp's mean minus the peer's for those "
            f"marked {_UP}, above 0 is better for wisp. Images won: wisp is better than every peer that reaches "
            "the picture.",
            "",
            *_best_table(rows, peers, budgets, measures),
            "",
            "## wisp against each peer",
            "",
            "The same over the pictures that both reach, in brackets the number of them that wisp wins.",
            "",
            *_peer_table(rows, peers, budgets, measures),
        ]
    return "\n".join(page) + "\n"
