"""The README's block of numbers, made from results: whoever changes one must change the other.

    wisp bench readme results/NAME [--budgets DIR] [--speed DIR] [--write README.md]

Prints the block that belongs between the README's two marks, or puts it there. Without options the results of
`wisp bench budgets` and `wisp bench speed` are looked for beside NAME. tests/test_readme_numbers.py makes the
block again from the committed results and compares.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from wisp.atomic import write_bytes_atomic
from wisp.bench.catalogue import WISP
from wisp.bench.command import command, command_parser
from wisp.bench.markdown import table
from wisp.bench.readme_costs import listed, read_text, size_budget_lines, speed_lines, summary_link
from wisp.bench.report.comparison import Mean, leaders, mean_at, num_images_won
from wisp.bench.report.load import Metric, Run, load_run
from wisp.bench.report.provenance_section import date_text
from wisp.bench.report.published import published
from wisp.bench.report.wording import bpp_text, codec_label, metric_words, number_text
from wisp.errors import UsageError

BEGIN, END = "<!-- numbers: begin -->", "<!-- numbers: end -->"
BUDGETS_BPP = (0.02, 0.05, 0.1, 0.2)
METRICS = ("lpips_squeeze", "feature_distance", "ms_ssim", "ssimulacra2", "psnr_db")
LINE_WIDTH = 120
PLACES = {"psnr_db": 1}  # coarser than elsewhere: it is compared in whole decibels


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, LINE_WIDTH, break_long_words=False, break_on_hyphens=False)


def _metrics(run: Run) -> list[Metric]:
    known = {metric.name: metric for metric in run.metrics}
    return [known[name] for name in METRICS if name in known]


def _budgets(run: Run) -> list[float]:
    found = [budget for budget in BUDGETS_BPP if budget in run.budgets]
    if not found or WISP not in run.codecs or not _metrics(run):
        raise UsageError(
            f"{run.folder}: expected {WISP} at one of {', '.join(map(bpp_text, BUDGETS_BPP))} bpp, found none; "
            "name the main run"
        )
    return found


def _is_common(mean: Mean) -> bool:
    """Whether the codec reaches at least half of the pictures."""
    return 2 * mean.num_images >= mean.num_total


def shown_peers(run: Run) -> tuple[str, ...]:
    """The peers of the table: each that has the best mean in one of its metrics at one of its budgets.

    Peers that reach at least half of the pictures compete; the same peers are then shown at every budget.
    """
    best = set()
    for budget in _budgets(run):
        for metric in _metrics(run):
            means = [mean_at(run, codec, budget, metric) for codec in run.codecs if codec != WISP]
            values = {mean.codec: mean.value for mean in means if mean.value is not None and _is_common(mean)}
            if values:
                pick = max if metric.is_higher_better else min
                best.add(pick(values, key=lambda codec: values[codec]))
    return tuple(codec for codec in run.codecs if codec in best)


def _line(run: Run, codec: str, budget_bpp: float) -> list[str] | None:
    """One codec's cells at one budget; None where it reaches fewer than half of the pictures."""
    means = [mean_at(run, codec, budget_bpp, metric) for metric in _metrics(run)]
    fewest = min(means, key=lambda mean: mean.num_images)
    if not _is_common(fewest) or fewest.value is None:
        return None
    name = f"**{WISP}**" if codec == WISP else codec_label(codec)
    if not fewest.is_whole:
        name += f" ({fewest.num_images} pictures)"
    cells = [bpp_text(budget_bpp), name]
    for metric, mean in zip(_metrics(run), means, strict=True):
        places = PLACES.get(metric.name, metric_words(metric.name).places)
        text = number_text(mean.value, places)
        is_best = mean in leaders(run, budget_bpp, metric)
        cells.append(f"**{text}**" if is_best else text)
    won = num_images_won(run, budget_bpp, _metrics(run)[0])
    cells.append(f"{won} of {len(run.images)}" if codec == WISP else "")
    return cells


def _quality(run: Run) -> list[str]:
    metrics, budgets = _metrics(run), _budgets(run)
    others = published()
    pictures = (
        f"All {len(run.images)} Kodak pictures (768x512)"
        if others.fits(run)
        else f"{len(run.images)} pictures"
    )
    where = f"{run.meta.get('cpu_model')}, {date_text(run.meta.get('date'))}: {summary_link(run.folder)}."
    lines: list[list[str]] = []
    missing = []
    peers = shown_peers(run)
    for budget in budgets:
        found = {codec: _line(run, codec, budget) for codec in (WISP, *peers)}
        lines += [line for line in found.values() if line is not None]
        absent = [codec_label(codec) for codec, line in found.items() if line is None]
        if absent:
            missing.append(f"{listed(absent)} at {bpp_text(budget)} bpp")
    heads = [f"{metric_words(m.name).label} {'↑' if m.is_higher_better else '↓'}" for m in metrics]
    words = (
        f"{pictures}, whole files, each codec at its largest file within the budget; means. `1/2`: coded at half size "
        "and scaled back, which is what people do today at these rates. ↓: lower is better, ↑: higher. Bold: the best "
        "of all codecs that reach every picture. A win: a picture on which wisp has the best "
        f"{metric_words(metrics[0].name).label} of all codecs that reach it. Shown is every codec that is the best of "
        f"wisp's peers in one of these metrics at one of these budgets. {where}"
    )
    block = [*_wrapped(words), "", *table(["bpp", "codec", *heads, "wins"], lines), ""]
    if missing:
        block += [
            *_wrapped(f"Not shown, as they reach fewer than half of the pictures: {'; '.join(missing)}."),
            "",
        ]
    return [*block, *_best(run), ""]


def _best(run: Run) -> list[str]:
    """At which budgets wisp has the best mean, metric by metric."""
    told = []
    for metric in _metrics(run):
        firsts = [
            bpp_text(budget)
            for budget in _budgets(run)
            if [mean.codec for mean in leaders(run, budget, metric)] == [WISP]
        ]
        told.append(
            f"{metric_words(metric.name).label} {'at ' + listed(firsts) + ' bpp' if firsts else 'nowhere'}"
        )
    return _wrapped(f"wisp has the best mean of all codecs that reach every picture in {'; '.join(told)}.")


def numbers_block(folder: Path, budgets: Path, speed: Path) -> str:
    """Everything between the two marks, marks included, without a newline at the end.

    Args:
        folder: results of `wisp bench run`.
        budgets: results of `wisp bench budgets`.
        speed: results of `wisp bench speed`.

    Raises:
        UsageError: one of them is missing or holds something else.
    """
    lines = [
        *_quality(load_run(folder.resolve())),
        *size_budget_lines(budgets.resolve()),
        "",
        *speed_lines(speed.resolve()),
    ]
    return "\n".join([BEGIN, *lines, END])


def replaced(text: str, block: str) -> str:
    """The text with its block between the marks, and the marks, replaced.

    Raises:
        UsageError: the marks are not there exactly once, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise UsageError(f"expected {BEGIN} and then {END} once each, found something else; put them back")
    return before + block + after


@command("readme")
def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = command_parser("readme", "the README's numbers from results")
    parser.add_argument("folder", type=Path, help="folder that `wisp bench run` wrote")
    parser.add_argument("--budgets", type=Path, help="folder of `wisp bench budgets` (default: beside it)")
    parser.add_argument("--speed", type=Path, help="folder of `wisp bench speed` (default: beside it)")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the block into this file, between its marks"
    )
    options = parser.parse_args(arguments)
    beside = options.folder.resolve().parent
    block = numbers_block(
        options.folder, options.budgets or beside / "budgets", options.speed or beside / "speed"
    )
    if options.write is None:
        print(block)
    else:
        write_bytes_atomic(options.write, replaced(read_text(options.write), block).encode("utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
