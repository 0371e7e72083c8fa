"""Integer logits to frequencies: the stated rule, sums, floors, and how much the rounding costs."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wisp.entropy.exponential import EXPONENTIAL
from wisp.entropy.integer_softmax import cumulatives, frequencies

LOGITS = arrays(
    np.int16, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40), elements=st.integers(-3000, 3000)
)


def plain(row: list[int]) -> list[int]:
    """The rule of docs/format.md in Python's own integers."""
    top, k = max(row), len(row)
    weights = [EXPONENTIAL[min(top - x, 256)] for x in row]
    scale = ((65536 - k) << 24) // sum(weights)
    freqs = [(w * scale >> 24) + 1 for w in weights]
    freqs[row.index(top)] += 65536 - sum(freqs)
    return freqs


@given(LOGITS)
@settings(max_examples=100, deadline=None)
def test_rule(logits: np.ndarray) -> None:
    freqs = frequencies(logits)
    assert freqs.tolist() == [plain(row) for row in logits.tolist()]
    assert (freqs.sum(1) == 65536).all()
    assert freqs.min() >= 1
    rows = cumulatives(freqs)
    assert (rows[:, 0] == 0).all()
    assert (np.diff(rows) == freqs).all()


def test_table_is_the_rounded_exponential() -> None:
    getcontext().prec = 50
    for d, value in enumerate(EXPONENTIAL):
        assert abs(Decimal(value) - Decimal(65536) * (Decimal(-d) / 16).exp()) <= Decimal("0.5")


def test_rounding_costs_under_a_hundredth_of_a_bit() -> None:
    random = np.random.default_rng(0)
    for spread in (8, 24, 60):
        logits = (random.normal(0, spread, (200, 256))).astype(np.int16)
        exact = np.exp(logits / 16.0)
        exact /= exact.sum(1, keepdims=True)
        entropy = -(exact * np.log2(exact)).sum(1)
        coded = -(exact * np.log2(frequencies(logits) / 65536)).sum(1)
        assert (coded - entropy).max() < 0.006  # the floor of 1 in 65,536 for each of 256 symbols
