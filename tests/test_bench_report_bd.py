"""Bjontegaard rates: known answers, and a named reason wherever there is none."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wisp.bench.report.bd_rate import bd_rate
from wisp.errors import UsageError

pytest.importorskip("bjontegaard", reason="Bjontegaard rates need the package bjontegaard")

RATES = (0.05, 0.1, 0.2, 0.4, 0.8)
PSNR = tuple(zip(RATES, (24.0, 26.5, 28.6, 31.0, 33.9), strict=True))
LPIPS = tuple(zip(RATES, (0.52, 0.41, 0.33, 0.21, 0.12), strict=True))
BOTH = pytest.mark.parametrize(("curve", "is_higher_better"), [(PSNR, True), (LPIPS, False)])


def at_rates_times(factor: float, curve: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    return [(factor * rate, value) for rate, value in curve]


@BOTH
def test_a_curve_against_itself_is_nothing(curve: tuple, is_higher_better: bool) -> None:
    found = bd_rate(curve, curve, is_higher_better)
    assert found.percent == pytest.approx(0.0, abs=1e-9)
    assert found.share == pytest.approx(1.0)
    assert found.overlap == pytest.approx((min(v for _, v in curve), max(v for _, v in curve)))


@BOTH
@pytest.mark.parametrize(("factor", "percent"), [(0.5, -50.0), (2.0, 100.0)])
def test_half_and_double_the_rate(
    curve: tuple, is_higher_better: bool, factor: float, percent: float
) -> None:
    found = bd_rate(at_rates_times(factor, curve), curve, is_higher_better)
    assert found.percent == pytest.approx(percent, abs=1e-9)


def test_the_better_codec_needs_fewer_bytes_whichever_way_the_metric_points() -> None:
    better_psnr = [(rate, value + 1.0) for rate, value in PSNR]
    better_lpips = [(rate, value - 0.05) for rate, value in LPIPS]
    for better, worse, is_higher_better in ((better_psnr, PSNR, True), (better_lpips, LPIPS, False)):
        forward, back = bd_rate(better, worse, is_higher_better), bd_rate(worse, better, is_higher_better)
        assert forward.percent is not None
        assert back.percent is not None
        assert forward.percent < 0 < back.percent


def test_the_overlap_is_in_the_metrics_own_values() -> None:
    found = bd_rate([(rate, value - 0.05) for rate, value in LPIPS], LPIPS, is_higher_better=False)
    assert found.overlap == pytest.approx((0.12, 0.47))
    assert found.share == pytest.approx(0.35 / 0.45)


CURVES = st.lists(st.floats(0.1, 5), min_size=4, max_size=7).map(
    lambda steps: [(0.01 * 2**k, 20 + sum(steps[: k + 1])) for k in range(len(steps))]
)


@settings(max_examples=40, deadline=None)
@given(curve=CURVES, factor=st.floats(0.1, 10), order=st.randoms(use_true_random=False))
def test_any_curve_at_any_multiple_of_its_rate(curve: list, factor: float, order: object) -> None:
    shuffled = list(curve)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    found = bd_rate(at_rates_times(factor, tuple(shuffled)), curve, is_higher_better=True)
    assert found.percent == pytest.approx(100 * (factor - 1), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("tested", "other", "reason"),
    [
        (PSNR[:3], PSNR, "fewer than 4 points (3 and 5)"),
        (PSNR, (), "fewer than 4 points (5 and 0)"),
        (PSNR, tuple((r, v + 100) for r, v in PSNR), "no overlap: no quality that both reach"),
        (PSNR, (*PSNR[:3], (0.4, 28.0)), "not monotone: quality does not grow with the rate at 0.4 bpp"),
        (PSNR, (*PSNR[:3], (0.4, 28.6)), "not monotone: quality does not grow with the rate at 0.4 bpp"),
        (((0.1, 20.0), *PSNR), PSNR, "not monotone: quality does not grow with the rate at 0.1 bpp"),
    ],
)
def test_where_there_is_none_it_says_why(tested: tuple, other: tuple, reason: str) -> None:
    found = bd_rate(tested, other, is_higher_better=True)
    assert found.percent is None
    assert found.overlap is None
    assert found.reason == reason


def test_a_rising_distance_is_not_monotone() -> None:
    assert bd_rate(PSNR, PSNR, is_higher_better=False).reason.startswith("not monotone")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(UsageError, match=r"expected the package bjontegaard, found none: pip install"):
        bd_rate(PSNR, PSNR, is_higher_better=True)
