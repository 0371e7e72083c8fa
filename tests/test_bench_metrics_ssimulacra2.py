"""SSIMULACRA2: values of the C++ tool, its blur run as a recursion, borders of its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from metric_pictures import noisy, picture
from numpy.typing import NDArray

from wisp.bench.metrics.ssimulacra2 import _TAPS, Ssimulacra2, _blur, _half, _to_xyb
from wisp.bench.metrics.ssimulacra2_weights import WEIGHTS


def grey(side: int, value: int) -> NDArray[np.uint8]:
    return np.full((side, side, 3), value, np.uint8)


def gradient(side: int) -> NDArray[np.uint8]:
    """Black at the left to white at the right."""
    row = (np.arange(side) * 255 // (side - 1)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (side, side, 3)))


def generated_noise(side: int, state: int) -> NDArray[np.uint8]:
    """Bytes of Knuth's linear congruential generator."""
    values = []
    for _ in range(side * side * 3):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append((state >> 33) & 255)
    return np.array(values, np.uint8).reshape(side, side, 3)


# Values that libjxl's tool gave for these pictures, as the tests of its port to Rust (imazen/ssimulacra2) record
# them. On flat pictures variances are differences of equal numbers, so the tool's rounding shows in its values.
@pytest.mark.parametrize(
    ("original", "decoded", "score", "tolerance"),
    [
        (gradient(64), grey(64, 128), -64.56872148, 0.003),
        (generated_noise(64, 42), grey(64, 128), -47.33572558, 0.003),
        (grey(64, 128), grey(64, 178), -8.75942256, 0.06),
        (grey(128, 128), grey(128, 178), -9.82383315, 0.06),
        (grey(256, 128), grey(256, 178), -0.39085784, 0.06),
        (grey(64, 128), grey(64, 148), 56.05855584, 0.15),
        (grey(256, 128), grey(256, 148), 59.77892918, 0.15),
    ],
    ids=["gradient", "noise", "64+50", "128+50", "256+50", "64+20", "256+20"],
)
def test_values_of_the_reference_tool(
    original: NDArray[np.uint8], decoded: NDArray[np.uint8], score: float, tolerance: float
) -> None:
    assert Ssimulacra2().reference(original)(decoded) == pytest.approx(score, abs=tolerance)


def test_equal_pictures_have_100() -> None:
    for original in (noisy(picture(), 9), grey(40, 0), grey(33, 255), generated_noise(17, 3)):
        assert Ssimulacra2().reference(original)(original) == 100.0


def test_the_blur_is_the_recursive_filter() -> None:
    """Charalampidis 2016, equations 33 to 35, 44, 50 and 52 to 57, on an impulse."""
    radius, deviation = 5, 1.5
    frequency = math.pi / (2 * radius) * np.array([1.0, 3.0, 5.0])
    sign = np.array([1.0, -1.0, 1.0])
    p = sign / np.tan(frequency / 2)
    r = sign * p**2 / np.sin(frequency)
    rho = np.exp(-0.5 * deviation**2 * frequency**2) / radius
    d13, d35, d51 = p[0] * r[1] - r[0] * p[1], p[1] * r[2] - r[1] * p[2], p[2] * r[0] - r[2] * p[0]
    zeta = np.array([d35 / d13, d51 / d13, 1.0])
    beta = np.linalg.solve(np.stack([p, r, zeta]), [1.0, radius**2 - deviation**2, zeta @ rho])
    impulse = np.zeros(40)
    impulse[20] = 1.0
    output, last, before = np.zeros(40), np.zeros(3), np.zeros(3)
    for n in range(radius + 1, 40 - radius):
        entering = impulse[n - radius - 1] + impulse[n + radius - 1]
        now = -beta * np.cos(frequency * (radius + 1)) * entering + 2 * np.cos(frequency) * last - before
        last, before = now, last
        output[n] = now.sum()
    taps = np.array([*_TAPS[:0:-1], *_TAPS])
    assert output[16:25] == pytest.approx(taps, abs=1e-12)
    assert taps.sum() == pytest.approx(1.0, abs=1e-12)
    assert taps @ np.arange(-4.0, 5.0) ** 2 == pytest.approx(deviation**2, abs=0.01)


def test_the_blur_sees_black_beyond_the_border() -> None:
    taps = np.array([*_TAPS[:0:-1], *_TAPS])
    row = np.convolve(np.ones(12), taps, mode="same")
    column = np.convolve(np.ones(9), taps, mode="same")
    assert _blur(torch.ones(1, 9, 12))[0].numpy() == pytest.approx(np.outer(column, row), abs=1e-6)


def test_halving_counts_an_odd_edge_twice() -> None:
    found = _half(torch.arange(9.0).reshape(1, 3, 3))
    assert found[0].tolist() == [[2.0, 3.5], [6.5, 8.0]]


def test_white_and_black_in_its_colour_space() -> None:
    """Greys have X = 0 and B = Y before the shifts; black is 0 in all three."""
    bias = 0.0037930732552754493
    luma = (1 + bias) ** (1 / 3) - bias ** (1 / 3)
    white = _to_xyb(torch.ones(3, 1, 1)).flatten().tolist()
    assert white == pytest.approx([0.42, luma + 0.01, 0.55], abs=1e-6)
    assert _to_xyb(torch.zeros(3, 1, 1)).flatten().tolist() == pytest.approx([0.42, 0.01, 0.55], abs=1e-6)


def test_there_are_108_weights() -> None:
    assert [len(row) for row in WEIGHTS] == [3] * 36
    assert min(min(row) for row in WEIGHTS) == 0.0


def test_is_undefined_below_8_pixels() -> None:
    small = np.zeros((7, 90, 3), np.uint8)
    assert Ssimulacra2().reference(small)(small) is None
