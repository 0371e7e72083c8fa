"""How many bytes one run needs beside another for the same quality: Bjontegaard rates.

    wisp bench against results/NEW results/OLD [--bpp 0.02 0.2] [--codec wisp] [--peers avif,avif@1/2]

Without --peers the same codec is compared across two runs, as after training a model further. With --peers the
other side is, at each budget, the best of those codecs by mean, so that "the better of full and half size" is one
curve. Only budgets that a codec reaches on every picture are used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wisp.bench.catalogue import WISP
from wisp.bench.command import command, command_parser
from wisp.bench.markdown import number, table
from wisp.bench.report.bd_rate import BdRate, bd_rate
from wisp.bench.report.comparison import Point, curve
from wisp.bench.report.load import Metric, Run, load_run
from wisp.errors import UsageError

METRICS = ("lpips_squeeze", "feature_distance", "psnr_db", "ms_ssim")


@dataclass(frozen=True)
class Line:
    """One metric's outcome."""

    metric: Metric
    rate: BdRate


def whole_points(
    run: Run, codec: str, metric: Metric, low: float, high: float
) -> dict[float, tuple[float, float]]:
    """Budget -> (rate in bpp, mean) of a codec where every picture is reached, for budgets of low..high bpp."""
    points: Sequence[Point] = curve(run, codec, metric)
    return {p.budget_bpp: (p.rate_bpp, p.value) for p in points if p.is_whole and low <= p.budget_bpp <= high}


def envelope(
    run: Run, codecs: Sequence[str], metric: Metric, low: float, high: float
) -> dict[float, tuple[float, float]]:
    """At each budget, the point of the codec with the best mean there."""
    best: dict[float, tuple[float, float]] = {}
    for codec in codecs:
        for budget, (rate, value) in whole_points(run, codec, metric, low, high).items():
            known = best.get(budget)
            if known is None or (value > known[1] if metric.is_higher_better else value < known[1]):
                best[budget] = rate, value
    return best


def compare(
    new: Run, old: Run, codec: str, peers: Sequence[str], span: tuple[float, float], names: Sequence[str]
) -> list[Line]:
    """A line for each metric that both runs measured, over budgets of the `span`, low to high in bpp.

    Raises:
        UsageError: the runs are not on the same pictures, or measured none of the metrics with the same version.
    """
    if dict(new.meta.get("images", {})) != dict(old.meta.get("images", {})):
        raise UsageError(f"expected both runs on the same pictures, found others in {old.folder}")
    theirs = {metric.name: metric for metric in old.metrics}
    lines = []
    for metric in new.metrics:
        if metric.name in names and theirs.get(metric.name) == metric:
            mine = whole_points(new, codec, metric, *span)
            other = envelope(old, peers or (codec,), metric, *span)
            rate = bd_rate(list(mine.values()), list(other.values()), metric.is_higher_better)
            lines.append(Line(metric, rate))
    if not lines:
        raise UsageError(f"expected one of {', '.join(names)} in both runs, found none of the same version")
    return lines


def summary(lines: Sequence[Line]) -> str:
    """A Markdown table."""
    rows = [
        [
            line.metric.name,
            number(line.rate.percent, 1),
            "-" if line.rate.overlap is None else " to ".join(f"{v:.4g}" for v in line.rate.overlap),
            f"{line.rate.num_points[0]}, {line.rate.num_points[1]}",
            line.rate.reason or "-",
        ]
        for line in lines
    ]
    return "\n".join(table(["metric", "bytes at equal quality, %", "over", "points", "why not"], rows))


@command("against")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when the results could be compared."""
    parser = command_parser("against", "two runs at equal quality")
    parser.add_argument("new", type=Path, metavar="NEW", help="folder of `wisp bench run`")
    parser.add_argument("old", type=Path, metavar="OLD", help="the other one; may be the same with --peers")
    parser.add_argument("--codec", default=WISP, help="whose bytes are asked about (default: wisp)")
    parser.add_argument("--peers", default="", help="codecs of OLD whose best is the other side")
    parser.add_argument("--bpp", type=float, nargs=2, default=(0.0, 8.0), metavar=("LOW", "HIGH"))
    parser.add_argument("--metrics", default=",".join(METRICS), help="names with commas between")
    options = parser.parse_args(arguments)
    lines = compare(
        load_run(options.new),
        load_run(options.old),
        options.codec,
        [name for name in options.peers.split(",") if name],
        (options.bpp[0], options.bpp[1]),
        options.metrics.split(","),
    )
    print(summary(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
