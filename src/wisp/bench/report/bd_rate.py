"""Bjontegaard rates: how many bytes more or fewer for the same quality, over the qualities both curves have.

G. Bjontegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33 (2001), computed by
the package ``bjontegaard``: log10 of the rate is interpolated over quality through every point by piecewise cubic
Hermite polynomials (PCHIP, which never overshoots), and the difference is averaged over the common interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise

from wisp.errors import UsageError

FIT = "PCHIP"
LEAST_POINTS = 4


@dataclass(frozen=True)
class BdRate:
    """A Bjontegaard rate, or why there is none.

    Attributes:
        percent: change of the rate at equal quality in per cent, negative where the tested codec needs fewer
            bytes; None where the curves do not allow it.
        reason: why there is none; empty where there is one.
        overlap: the interval of the metric, low to high, over which the rates were compared; None without one.
        share: that interval over the interval that both curves span together, 0..1.
        num_points: points of the tested curve and of the other one.
    """

    percent: float | None
    reason: str
    overlap: tuple[float, float] | None
    share: float
    num_points: tuple[int, int]


def bd_rate(
    tested: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]], is_higher_better: bool
) -> BdRate:
    """The rate of `tested` over that of `other` at equal quality.

    Args:
        tested, other: points (rate in bits per pixel, value of the metric), in any order.
        is_higher_better: the metric's direction.

    Raises:
        UsageError: the package ``bjontegaard`` is missing.
    """
    counts = (len(tested), len(other))

    def none(reason: str) -> BdRate:
        return BdRate(percent=None, reason=reason, overlap=None, share=0.0, num_points=counts)

    if min(counts) < LEAST_POINTS:
        return none(f"fewer than {LEAST_POINTS} points ({counts[0]} and {counts[1]})")
    sign = 1.0 if is_higher_better else -1.0
    curves = [sorted((rate, sign * value) for rate, value in points) for points in (tested, other)]
    for points in curves:
        for (_, before), (rate, after) in pairwise(points):
            if after <= before:
                return none(f"not monotone: quality does not grow with the rate at {rate:.3g} bpp")
    low, high = max(points[0][1] for points in curves), min(points[-1][1] for points in curves)
    if low >= high:
        return none("no overlap: no quality that both reach")
    span = max(points[-1][1] for points in curves) - min(points[0][1] for points in curves)
    mine, theirs = curves
    percent = _package().bd_rate(
        [rate for rate, _ in theirs],
        [quality for _, quality in theirs],
        [rate for rate, _ in mine],
        [quality for _, quality in mine],
        method=FIT.lower(),
        require_matching_points=False,
        min_overlap=0,
    )
    overlap = (low, high) if is_higher_better else (-high, -low)
    return BdRate(float(percent), "", overlap, (high - low) / span, counts)


def _package():  # type: ignore[no-untyped-def]  # it has no types
    try:
        return import_module("bjontegaard")
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"expected the package {missing.name}, found none: pip install 'wisp-codec[bench]'"
        ) from missing
