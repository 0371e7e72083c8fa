"""One model at many rates: is every target met from below, and does a picture get better with its bytes?

    wisp bench rates --images DIR --weights DIR --out results/rates

Targets are spread evenly over the logarithm of the rate. A target that lies between the model's smallest and largest
file of a picture must be met within 0.5 % or 2 bytes; one above the largest file must give that file. With --weights,
some of the targets are scored, and some of these together with a file of 1 % fewer bytes: how far the two scores lie
apart is the noise.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from PIL import Image

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.command import command, command_parser
from wisp.bench.metrics.panel import MetricPanel, Reference
from wisp.bench.more_bytes import NEARLY
from wisp.bench.picture_rows import PictureRows, identity_of
from wisp.bench.pictures import picture_paths
from wisp.bench.provenance import checkout, meta, require_place, write_summary
from wisp.bench.rates_table import summary
from wisp.errors import BudgetError, UsageError

METRIC = "lpips_squeeze"
SHARE_LEFT = 0.005  # of the budget may be left unused, or
BYTES_LEFT = 2  # if that is more
NOISE_EVERY = 3  # of the scored targets
ENDLESS = 1 << 40  # bytes: gives the model's largest file


@dataclass(frozen=True)
class RateRow:
    """One picture at one target; columns as in results/FIELDS.md."""

    target_bpp: float
    budget_num_bytes: int
    num_bytes: int | None
    ceiling_num_bytes: int
    smallest_num_bytes: int | None
    in_span: bool
    kept: bool
    met: bool
    score: float | None
    nearly_score: float | None


COLUMNS = [field.name for field in fields(RateRow)]


def targets(low: float, high: float, count: int) -> list[float]:
    """`count` rates from `low` to `high`, evenly on a logarithmic scale, to four significant digits."""
    step = math.log(high / low) / max(1, count - 1)
    return [float(f"{low * math.exp(i * step):.4g}") for i in range(count)]


def judge(target: float, budget: int, num_bytes: int | None, ceiling: int, smallest: int | None) -> RateRow:
    """Hold a file's size against its budget; `num_bytes` is None where the budget was refused."""
    if num_bytes is None:
        refused_rightly = smallest is not None and smallest > budget
        return RateRow(
            target, budget, None, ceiling, smallest, False, refused_rightly, refused_rightly, None, None
        )
    in_span = budget <= ceiling
    unused = budget - num_bytes
    close = unused <= max(BYTES_LEFT, SHARE_LEFT * budget)
    met = unused >= 0 and (close if in_span else num_bytes >= ceiling or close)
    return RateRow(target, budget, num_bytes, ceiling, None, in_span, unused >= 0, met, None, None)


def scored_places(count: int, wanted: int) -> dict[int, bool]:
    """Which of `count` targets are scored, `wanted` of them evenly, and whether the noise is measured there."""
    wanted = min(wanted, count)
    chosen = sorted({round(i * (count - 1) / max(1, wanted - 1)) for i in range(wanted)})
    return {place: i % NOISE_EVERY == NOISE_EVERY // 2 for i, place in enumerate(chosen)}


def measure(
    image: Image.Image,
    codec: WispCodec,
    rates: Sequence[float],
    scored: dict[int, bool],
    reference: Reference | None,
) -> list[RateRow]:
    """A row for every rate."""
    ceiling = len(codec.compress(image, size=ENDLESS))
    rows = []
    for place, rate in enumerate(rates):
        budget = budget_num_bytes(rate, image.width, image.height)
        data, smallest = _try(codec.compress, image, budget)
        row = judge(rate, budget, None if data is None else len(data), ceiling, smallest)
        if data is not None and reference is not None and place in scored and row.in_span:
            score = reference.compare(codec.decompress(data))[METRIC]
            nearly = None
            if scored[place]:
                less, _ = _try(codec.compress, image, int(NEARLY * budget))
                nearly = None if less is None else reference.compare(codec.decompress(less))[METRIC]
            row = RateRow(**{**asdict(row), "score": _rounded(score), "nearly_score": _rounded(nearly)})
        rows.append(row)
    return rows


def _try(compress: Callable[..., bytes], image: Image.Image, size: int) -> tuple[bytes | None, int | None]:
    try:
        return compress(image, size=size), None
    except BudgetError as refusal:
        return None, refusal.smallest_num_bytes


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("rates", "one model at many rates", "images out pictures model")
    parser.add_argument("--weights", type=Path, help="folder of the metric's weights; without it no scores")
    parser.add_argument("--low", type=float, default=0.004, help="lowest rate, bits per pixel")
    parser.add_argument("--high", type=float, default=0.6, help="highest rate")
    parser.add_argument("--targets", type=int, default=40, help="how many rates")
    parser.add_argument("--scored", type=int, default=12, help="how many of them are scored")
    return parser


@command("rates")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when every target is kept and met, 1 when not."""
    options = _parser().parse_args(arguments)
    code = checkout()
    if not 0 < options.low < options.high or options.targets < 2 or options.scored < 0:
        raise UsageError("--low, --high, --targets: expected two rising rates and at least 2 targets")
    require_place(options.out)
    rates = targets(options.low, options.high, options.targets)
    codec = WispCodec(options.model)
    panel = None if options.weights is None else MetricPanel(options.weights, [METRIC])
    if panel is not None and not panel.metrics:
        raise UsageError(f"--weights: expected those of {METRIC}, found {panel.unavailable}")
    scored = scored_places(len(rates), options.scored)
    version = "" if panel is None else panel.version
    store = PictureRows(
        options.out / "rows.jsonl", identity_of(codec.version, version, rates, sorted(scored.items()))
    )
    names = store.fill(
        picture_paths(options.images)[: options.pictures],
        lambda image: map(
            asdict,
            measure(image, codec, rates, scored, None if panel is None else panel.reference(image)),
        ),
    )
    found = store.of(names, COLUMNS)
    page = summary(found, METRIC)
    record = meta(
        "wisp.bench.rates", arguments, code, codecs={"wisp": codec.version}, metrics_version=version or None
    )
    write_summary(options.out, page, record)
    return 0 if all(row["kept"] and row["met"] for row in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
