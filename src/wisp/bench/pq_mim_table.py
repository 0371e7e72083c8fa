"""The page of the pq_mim bench: means over the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from wisp.bench.markdown import number, table
from wisp.bench.pq_mim_rows import PqMimRow

PLACES = {"psnr_db": 2}


def summary(rows: Sequence[PqMimRow], model: str, beside: str | None, metrics: Sequence[str]) -> str:
    """Three tables: prefixes, shares of the positions, and another model at the same rates."""
    ours = [row for row in rows if row.model == model]
    count = len({row.image for row in ours})
    page = [f"# {model}", "", f"Means over {count} pictures; bpp of whole files.", ""]
    page += ["## Prefixes of the order", ""]
    whole = [row for row in ours if row.kept_percent == 100]
    header = [
        "M",
        "tokens",
        "order-0 tables, bpp",
        "tables, bpp",
        "masked model, bpp",
        "saved",
        "bytes",
        *metrics,
    ]
    lines = []
    for depth in sorted({row.depth for row in whole}):
        here = [row for row in whole if row.depth == depth]
        rates = [_rate(here, name) for name in ("order_0_num_bytes", "tables_num_bytes", "prior_num_bytes")]
        saved = "-" if rates[0] is None or rates[2] is None else f"{100 * (1 - rates[2] / rates[0]):.1f} %"
        tokens = number(_mean([row.num_tokens for row in here]), 0)
        num_bytes = number(_mean([row.num_bytes for row in here]), 0)
        cells = [str(depth), tokens, *(number(rate, 4) for rate in rates), saved, num_bytes]
        lines.append([*cells, *_scores(here, metrics)])
    page += [*table(header, lines), ""]
    page += ["Saved: by the masked model, of the order-0 tables' files.", ""]
    page += ["## Tokens at a share of the positions", ""]
    page += ["Generate: the rest drawn from the masked model, seed 0. Smooth: only what was sent.", ""]
    header = ["M", "sent", "bytes", "bpp", "fill", "generated", *metrics]
    lines = []
    for depth, kept, fill in sorted(
        {(r.depth, r.kept_percent, r.fill) for r in ours if r.kept_percent < 100}
    ):
        here = [r for r in ours if (r.depth, r.kept_percent, r.fill) == (depth, kept, fill)]
        size, rate = _mean([r.num_bytes for r in here]), _mean([r.rate_bpp for r in here])
        drawn = number(_mean([r.num_generated for r in here]), 0)
        cells = [str(depth), f"{kept} %", number(size, 0), number(rate, 4), fill, drawn]
        lines.append([*cells, *_scores(here, metrics)])
    page += [*table(header, lines), ""]
    theirs = [row for row in rows if row.model == beside]
    if theirs:
        page += [f"## {beside} at the same rates", ""]
        lines = []
        for target in sorted({row.target_bpp for row in theirs}):
            here = [row for row in theirs if row.target_bpp == target]
            cells = [number(target, 4), number(_mean([row.rate_bpp for row in here]), 4)]
            lines.append([*cells, number(_mean([row.num_bytes for row in here]), 0), *_scores(here, metrics)])
        page += [*table(["asked, bpp", "bpp", "bytes", *metrics], lines), ""]
    return "\n".join(page)


def _rate(rows: Sequence[PqMimRow], name: str) -> float | None:
    """Mean bpp of the files whose sizes are in a column."""
    sizes = [(getattr(row, name), row) for row in rows]
    return _mean([None if size is None else size * row.rate_bpp / row.num_bytes for size, row in sizes])


def _scores(rows: Sequence[PqMimRow], metrics: Sequence[str]) -> list[str]:
    return [number(_mean([row.scores.get(m) for row in rows]), PLACES.get(m, 4)) for m in metrics]


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are there; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
