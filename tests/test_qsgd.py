"""QSGD and uniform steps: the published rule, its bounds, and rounding that is the same everywhere."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wisp.entropy.gaussian_tables import deviation
from wisp.entropy.qsgd import most, quantise
from wisp.entropy.uniform_steps import quantise_steps, round_step
from wisp.errors import UsageError

REFERENCE = json.loads((Path(__file__).parent.parent / "reference" / "entropy" / "latents.json").read_text())
VECTORS_FROZEN = REFERENCE["rounding"]
VECTORS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)


def gaussian(n: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(n)


@given(vector=VECTORS, bits=st.integers(1, 8), seed=st.integers(0, 2**64 - 1))
@settings(max_examples=200, deadline=None)
def test_stochastic_levels_are_the_two_beside_the_number(vector: list[float], bits: int, seed: int) -> None:
    found = quantise(vector, bits, "stochastic", seed)
    norm = math.sqrt(math.fsum(v * v for v in vector))
    assert found.norm == struct.unpack(">f", struct.pack(">f", norm))[0]
    assert np.abs(found.levels).max() <= most(bits)
    if found.norm == 0:
        assert not found.levels.any()
        return
    exact = np.abs(vector) * most(bits) / found.norm
    assert (np.abs(np.abs(found.levels) - exact) < 1 + 1e-6 * exact).all()
    assert (found.levels * np.array(vector) >= 0).all()


@given(vector=VECTORS, bits=st.integers(1, 8))
@settings(max_examples=200, deadline=None)
def test_nearest_levels_are_within_half(vector: list[float], bits: int) -> None:
    found = quantise(vector, bits)
    step = found.norm / most(bits)
    assert (np.abs(found.values() - np.array(vector)) <= step * 0.5 + 1e-6 * found.norm).all()


def test_stochastic_rounding_is_unbiased_and_within_the_papers_variance() -> None:
    vector = gaussian(64, 1)
    s, n, draws = most(4), 64, 400
    shown = np.array([quantise(vector, 4, "stochastic", seed).values() for seed in range(draws)])
    step = float(np.linalg.norm(vector)) / s
    assert np.abs(shown.mean(0) - vector).max() < 5 * step / 2 / math.sqrt(draws)  # 5 deviations of the mean
    error = ((shown - vector) ** 2).sum(1).mean() / (vector**2).sum()
    assert error <= min(n / s**2, math.sqrt(n) / s)  # Lemma 3.1
    nearest = ((quantise(vector, 4).values() - vector) ** 2).sum() / (vector**2).sum()
    assert nearest < 0.65 * error


@pytest.mark.parametrize("vector", VECTORS_FROZEN, ids=lambda v: v["name"])
def test_levels_are_frozen(vector: dict) -> None:
    found = quantise(vector["vector"], vector["bits"], vector["rounding"], vector["seed"])
    assert found.levels.tolist() == vector["levels"]
    assert struct.pack(">f", found.norm).hex() == vector["norm"]


def test_seeds_differ_and_repeat() -> None:
    first, again, other = (quantise(gaussian(40, 0), 4, "stochastic", seed).levels for seed in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).any()


def test_a_norm_that_was_rounded_down_lets_no_level_pass() -> None:
    for bits in range(1, 9):
        for value in np.random.default_rng(bits).uniform(1, 2, 50):
            assert quantise([value], bits).levels.tolist() == [most(bits)]
            assert quantise([-value, 0], bits, "stochastic").levels.tolist() == [-most(bits), 0]


@pytest.mark.parametrize(
    "vector", [[], [[1.0]], 3.0, ["a"], [math.nan], [math.inf, 1], [3e38, 3e38], [1e300], np.zeros(65537)]
)
def test_vectors_that_cannot_be(vector: Any) -> None:
    with pytest.raises(UsageError, match="vector"):
        quantise(vector, 4)


@pytest.mark.parametrize(
    ("bits", "rounding", "seed"),
    [(0, "nearest", 0), (9, "nearest", 0), (4, "up", 0), (4, "nearest", -1), (4, "nearest", 2**64)],
)
def test_options_that_cannot_be(bits: int, rounding: Any, seed: int) -> None:
    with pytest.raises(UsageError, match=r"bits|rounding|seed"):
        quantise([1.0], bits, rounding, seed)


@given(step=st.floats(2.0**-126, 2.0**119))
@settings(max_examples=200, deadline=None)
def test_two_bytes_hold_a_step(step: float) -> None:
    rounded = round_step(step)
    assert abs(rounded - step) <= step / 256
    data = struct.pack(">f", rounded)
    assert data[2:] == b"\0\0"
    assert struct.unpack(">f", data)[0] == rounded == round_step(rounded)


@given(vector=VECTORS, steps=st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_uniform_steps_are_within_half(vector: list[float], steps: int) -> None:
    largest = max(1e-3, float(np.abs(vector).max()))
    found = quantise_steps(vector, largest / steps * 1.01)
    assert np.abs(found.levels).max() <= 255
    assert (np.abs(found.values() - np.array(vector)) <= found.step * 0.5 + 1e-6 * largest).all()


@pytest.mark.parametrize("step", [0.0, -1.0, 2.0**-127, 2.0**120, math.nan, math.inf])
def test_steps_that_cannot_be(step: float) -> None:
    with pytest.raises(UsageError, match="step"):
        quantise_steps([1.0], step)


def test_too_small_a_step_is_refused() -> None:
    assert quantise_steps([255.4], 1.0).levels.tolist() == [255]
    for number in (255.5, -255.5, 1e300):
        with pytest.raises(UsageError, match="larger step"):
            quantise_steps([number], 1.0)


def test_centroids_are_nearer_at_coarse_steps_and_equal_at_fine_ones() -> None:
    vector = gaussian(4096, 3)
    for step, most_share in ((1.5, 0.96), (0.05, 1.001)):
        found = quantise_steps(vector, step)
        scale = min(range(96), key=lambda i: abs(deviation(i) ** 2 - found.levels.astype(float).var()))
        plain = ((found.values() - vector) ** 2).mean()
        better = ((found.centroids(np.full(4096, scale)) - vector) ** 2).mean()
        assert better < most_share * plain
        assert found.centroids(np.full(4096, 95)) == pytest.approx(found.values(), abs=step / 100)
