"""The page of the control_gic bench: means over the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wisp.bench.markdown import number, table

PLACES = {"psnr_db": 2}
INDEX_BITS = 10
AREAS = (16, 64, 256)  # pixels that an index of the fine, the medium and the coarse level stands for

Row = Mapping[str, Any]


def summary(
    rows: Sequence[Row],
    model: str,
    ablation: str | None,
    beside: str | None,
    metrics: Sequence[str],
    flat: Sequence[str],
) -> str:
    """Tables: rates and their prediction, coders, times and round trips, pictures, flat pictures."""
    ours = [row for row in rows if row["model"] == model and row["image"] not in flat]
    texts = list(dict.fromkeys(str(row["ratios"]) for row in ours))
    count = len({row["image"] for row in ours})
    page = [
        f"# {model}",
        "",
        f"Means over {count} pictures; bpp of whole files; shares fine, medium, coarse.",
        "",
    ]
    page += ["## Rates, and how well shares predict them", ""]
    lines = []
    for text in texts:
        rates = [float(row["rate_bpp"]) for row in ours if row["ratios"] == text]
        mean = sum(rates) / len(rates)
        formula = _formula(text)
        off = [max(abs(rate - wanted) for rate in rates) for wanted in (mean, formula)]
        lines.append([text, *(number(v, 4) for v in (mean, min(rates), max(rates), formula, *off))])
    header = ["shares", "bpp", "least", "most", "formula", "furthest from the mean", "from the formula"]
    page += [*table(header, lines), ""]
    page += ["Formula: 10 bits an index and the published masks, nothing entropy coded.", ""]
    page += ["## Coders: bytes of the same tokens", ""]
    names = ["nominal_num_bytes", "huffman_num_bytes", "tables_num_bytes", "prior_num_bytes"]
    lines = []
    for text in texts:
        here = [row for row in ours if row["ratios"] == text]
        sizes = [_mean([row[name] for row in here]) for name in names]
        first = sizes[0] or 1.0
        saved = ["-" if size is None else f"{100 * (size / first - 1):+.1f} %" for size in sizes[1:]]
        bits = _mean([8 * row["huffman_num_bytes"] / row["num_indices"] for row in here])
        lines.append([text, *(number(size, 0) for size in sizes), *saved, number(bits, 2)])
    header = ["shares", "nominal", "Huffman", "tables", "prior", *("against nominal",) * 3, "bits an index"]
    page += [*table(header, lines), ""]
    page += [
        "Nominal: 10 bits an index, raw masks. Bits an index: of Huffman files, map and header included.",
        "",
    ]
    page += ["## Times and round trips", ""]
    lines = []
    for text in texts:
        here = [row for row in ours if row["ratios"] == text]
        times = [_mean([row[name] for row in here]) for name in ("compress_s", "decompress_s")]
        whole = sum(bool(row["round_trips"]) for row in here)
        lines.append([text, *(number(value, 3) for value in times), f"{whole}/{len(here)}"])
    page += [*table(["shares", "compress, s", "decompress, s", "round trips"], lines), ""]
    page += [
        "Huffman files. Round trip: both files give the same tokens, and what `info` says sums to their size.",
        "",
    ]
    page += ["## Pictures", ""]
    lines = []
    for text in texts:
        for name in (model, ablation, beside):
            here = [r for r in rows if r["model"] == name and r["ratios"] == text and r["image"] not in flat]
            if name is not None and here:
                rate = number(_mean([row["rate_bpp"] for row in here]), 4)
                lines.append([text, name, rate, *_scores(here, metrics)])
    page += [*table(["shares", "model", "bpp", *metrics], lines), ""]
    shown = [row for row in rows if row["image"] in flat and row["model"] == model]
    if shown:
        page += ["## Flat pictures, bytes", ""]
        lines = []
        for text in texts:
            sizes = [row["num_bytes"] for row in shown if row["ratios"] == text]
            least = min(row["num_bytes"] for row in ours if row["ratios"] == text)
            lines.append([text, *(str(size) for size in sizes), str(least)])
        page += [*table(["shares", *flat, "smallest of the pictures"], lines), ""]
    return "\n".join(page)


def _formula(text: str) -> float:
    """Nominal bpp of shares: 10 bits an index, and masks as published."""
    shares = [float(part) for part in text.split(",")]
    rate = sum(INDEX_BITS * share / area for share, area in zip(shares, AREAS, strict=True))
    fine, medium, coarse = (share > 0 for share in shares)
    if fine + medium + coarse > 1:
        rate += (1 / 256 if coarse else 0.0) + (1 / 64 if fine and medium else 0.0)
    return rate


def _scores(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    return [number(_mean([(row["scores"] or {}).get(m) for row in rows]), PLACES.get(m, 4)) for m in metrics]


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are there; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
