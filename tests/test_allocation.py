"""The allocation: budgets hold, bits go where they help, ties are settled, nothing useless is bought."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wisp.allocation.benefit import INVISIBLE, distortion_curve, region_weights
from wisp.allocation.lagrange import Demand, allocate, grain_bits, shrink
from wisp.allocation.remainder import adjust
from wisp.allocation.roi import roi_weights
from wisp.errors import UsageError

N = 6


def demand(rows: int, columns: int, seed: int, map_cost: float = 1.5) -> Demand:
    random = np.random.default_rng(seed)
    energy = random.lognormal(3, 1.5, (rows, columns))
    fall = np.cumprod(random.uniform(0.4, 0.95, (N, rows, columns)), 0)
    distortions = np.concatenate([energy[None], energy * fall])
    bits = random.uniform(4, 30, (N, rows, columns)) * (1 + np.arange(N))[:, None, None]
    distance = np.abs(np.arange(N + 1)[:, None, None] - np.arange(1, N + 1)[None, None])
    return Demand(distortions, bits, np.broadcast_to(map_cost * (0.3 + distance), (N + 1, N + 1, N)).copy())


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 999), st.floats(0.0, 1.2))
@settings(max_examples=60, deadline=None)
def test_budget_holds_and_is_used(rows: int, columns: int, seed: int, share: float) -> None:
    d = demand(rows, columns, seed)
    cumulative = d.cumulative_bits()
    low = d.total_bits(np.ones((rows, columns), np.uint8), cumulative)
    high = d.total_bits(np.full((rows, columns), N, np.uint8), cumulative)
    budget = low + share * (high - low)
    depths = allocate(d, budget)
    spent = d.total_bits(depths, cumulative)
    assert spent <= budget
    assert depths.min() >= 1
    assert depths.max() <= N
    if depths.min() < N:  # what is left could not buy the cheapest next step anywhere
        steps = np.take_along_axis(
            np.concatenate([d.token_bits, np.full((1, rows, columns), np.inf)]), depths[None].astype(int), 0
        )
        assert budget - spent <= steps.min() + 6 * d.map_bits.max()


def test_same_input_same_map() -> None:
    d = demand(7, 8, 5)
    assert np.array_equal(allocate(d, 3000), allocate(d, 3000))


def test_more_budget_never_more_distortion() -> None:
    d = demand(8, 8, 11)
    totals = []
    for budget in range(1000, 12000, 500):
        depths = allocate(d, budget)
        totals.append(np.take_along_axis(d.distortions, depths[None].astype(int), 0).sum())
    assert all(b <= a * 1.01 for a, b in itertools.pairwise(totals))


def test_flat_regions_buy_nothing() -> None:
    d = demand(4, 4, 1)
    flat = Demand(np.zeros_like(d.distortions), d.token_bits, d.map_bits)
    assert (allocate(flat, 1e9) == 1).all()


def test_bits_go_to_the_busy_region() -> None:
    d = demand(2, 2, 0, map_cost=0.0)
    distortions = np.ones_like(d.distortions) * np.linspace(1, 0.1, N + 1)[:, None, None]
    distortions[:, 1, 1] *= 1000
    depths = allocate(Demand(distortions, np.full_like(d.token_bits, 10.0), d.map_bits), 90)
    assert depths[1, 1] == N
    assert depths.sum() == 9


def test_shrink_steps_back() -> None:
    d = demand(3, 3, 2)
    depths = np.full((3, 3), 3, np.uint8)
    smaller = shrink(d, depths, 2)
    assert depths.sum() - smaller.sum() == 2
    assert (shrink(d, np.ones((3, 3), np.uint8), 5) == 1).all()


def test_grain_bits_reads_left_and_up() -> None:
    bits = np.arange((N + 1) * (N + 1) * N, dtype=float).reshape(N + 1, N + 1, N)
    found = grain_bits(np.array([[2, 3], [4, 5]], np.uint8), bits)
    assert found.tolist() == [[bits[0, 0, 1], bits[2, 0, 2]], [bits[0, 2, 3], bits[4, 3, 4]]]


def test_distortion_curve_meets_its_probes_and_never_rises() -> None:
    random = np.random.default_rng(3)
    errors = [np.cumsum(random.uniform(0, 1, (3, 4, 5)), 0)[::-1].astype(np.float32) for _ in range(3)]
    depths = np.array([1, 4, 6])[:, None, None] + np.zeros((4, 5), int)
    depths[1, 2, 3] = 2  # each region has its own
    measured = np.array([9e5, 4e5, 1e5])[:, None, None] + np.zeros((4, 5))
    curve = distortion_curve(depths, measured, errors, (1.0, 1.0, 1.0))
    assert curve.shape == (7, 4, 5)
    assert (np.diff(curve, axis=0) <= 1e-9).all()
    assert np.allclose(np.take_along_axis(curve, depths, 0), measured)
    assert curve[4, 2, 3] < curve[2, 2, 3] == curve[4, 0, 0]


def test_invisible_errors_are_level() -> None:
    errors = [np.ones((3, 1, 1), np.float32) * [[[4]], [[2]], [[1]]]]
    visible = 32**2 * INVISIBLE
    measured = np.array([visible * 2, visible / 9])[:, None, None]
    curve = distortion_curve(
        np.array([1, 2])[:, None, None] + np.zeros((1, 1), int), measured, errors, (1.0,)
    )
    assert curve[2, 0, 0] == visible


def test_calm_regions_weigh_more() -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 32:] = np.random.default_rng(0).integers(0, 255, (32, 32, 1))
    weights = region_weights(pixels, 0.5)
    assert weights[0, 0] > 5 * weights[0, 1]
    assert np.allclose(region_weights(pixels, 0.0), 1)


def test_roi_weights() -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[:20, :20] = 255
    weights = roi_weights(mask, 64, 96, 32, 5.0)
    assert weights.tolist() == [[5, 1, 1], [1, 1, 1]]
    assert roi_weights(np.full((2, 3), 255, np.uint8), 640, 960, 32, 8.0).tolist() == [[8.0] * 30] * 20
    with pytest.raises(UsageError, match="shape"):
        roi_weights(mask, 96, 64, 32, 8.0)
    with pytest.raises(UsageError, match="strength"):
        roi_weights(mask, 64, 96, 32, 0.5)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 999), st.floats(-400, 400), st.floats(0, 40))
@settings(max_examples=80, deadline=None)
def test_adjusting_keeps_its_limit(rows: int, columns: int, seed: int, bits: float, slack: float) -> None:
    d = demand(rows, columns, seed)
    cumulative = d.cumulative_bits()
    start = np.random.default_rng(seed).integers(1, N + 1, (rows, columns)).astype(np.uint8)
    limit = d.total_bits(start, cumulative) + bits
    depths = adjust(d, start, bits, slack)
    spent = d.total_bits(depths, cumulative)
    assert depths.min() >= 1
    assert depths.max() <= N
    assert spent <= limit or (depths == 1).all()


def test_exchanges_come_close_where_single_steps_do_not() -> None:
    d = demand(4, 5, 3)
    start = np.full((4, 5), 3, np.uint8)
    cumulative = d.cumulative_bits()
    for bits in (10.0, 33.0, 57.0):
        for slack in (1000.0, 2.0):
            left = bits + d.total_bits(start, cumulative)
            left -= d.total_bits(adjust(d, start, bits, slack), cumulative)
            assert 0 <= left <= slack
