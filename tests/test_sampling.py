"""The integer sampler: frozen words, exact rules for temperature and top-p, and the distribution that it draws."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wisp.entropy.counter_random import GAMMA, counter_words, mix
from wisp.entropy.integer_softmax import frequencies
from wisp.entropy.sampling import Sampling, make_sampling, pick, tempered, truncated
from wisp.errors import UsageError

WORD = (1 << 64) - 1
FROZEN_0 = [
    0xA706DD2F4D197E6F,
    0xB382A305F4414F5E,
    0x07CCD84C98FAE83B,
    0x088B66751EE10F0D,
    0x43E903BE5A434DE8,
]
FROZEN_1 = [
    0xAC47A806A44F0993,
    0x24DE7C147E31E633,
    0xFD43EACE50B49024,
    0xBE753616C286B102,
    0xC24CC8EEFEFDB6DB,
]
ROWS = arrays(np.int16, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=st.integers(-3000, 3000))


def plain_mix(z: int) -> int:
    """SplitMix64's output function in Python's own integers."""
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB & WORD
    return z ^ z >> 31


def plain_word(seed: int, place: int, row: int, column: int) -> int:
    """The word of one token, as docs/generation.md has it."""
    key = plain_mix(seed + GAMMA & WORD)
    return plain_mix(key + (place * 2**56 + row * 2**28 + column + 1) * GAMMA & WORD)


def plain_kept(freqs: list[int], top_p: int) -> list[int]:
    """The rule of top-p in Python's own integers."""
    out, total = [0] * len(freqs), 0
    for index in sorted(range(len(freqs)), key=lambda i: (-freqs[i], i)):
        if 1000 * total >= top_p * sum(freqs):
            break
        out[index] = freqs[index]
        total += freqs[index]
    return out


def test_outputs_are_those_of_splitmix64() -> None:
    states = np.array([1234567 + k * GAMMA & WORD for k in range(1, 6)], np.uint64)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    published += [4593380528125082431, 16408922859458223821]
    assert mix(states).tolist() == published


def test_words_are_frozen() -> None:
    rows, columns = np.array([0, 0, 1, 767, 2**28 - 1]), np.array([0, 1, 0, 511, 2**28 - 1])
    assert counter_words(0, 0, rows, columns).tolist() == FROZEN_0
    assert counter_words(2**64 - 1, 11, rows, columns).tolist() == FROZEN_1


@given(
    st.integers(0, WORD), st.integers(0, 255), st.integers(0, (1 << 28) - 1), st.integers(0, (1 << 28) - 1)
)
def test_words_follow_the_stated_rule(seed: int, place: int, row: int, column: int) -> None:
    word = counter_words(seed, place, np.array([row]), np.array([column]))
    assert word.tolist() == [plain_word(seed, place, row, column)]


@given(ROWS, st.integers(1, 4000))
def test_temperature_is_exact(logits: np.ndarray, temperature: int) -> None:
    expected = []
    for row in logits.tolist():
        scaled = [Fraction(1000 * (max(row) - x), temperature) for x in row]
        # the nearest integer, halves up; t // 2 of an odd t is a little under one half, which no fraction meets
        expected.append([-min(256, int(s + Fraction(1, 2))) for s in scaled])
    assert tempered(logits, temperature).tolist() == expected


def test_temperature_one_leaves_frequencies_alone() -> None:
    logits = np.random.default_rng(1).integers(-400, 400, (50, 256)).astype(np.int16)
    assert np.array_equal(frequencies(tempered(logits, 1000)), frequencies(logits))


@given(ROWS, st.integers(1, 1000))
def test_top_p_is_exact(logits: np.ndarray, top_p: int) -> None:
    freqs = frequencies(logits)
    assert truncated(freqs, top_p).tolist() == [plain_kept(row, top_p) for row in freqs.tolist()]


def test_top_p_keeps_the_lowest_of_equals() -> None:
    freqs = np.array([[8, 16, 16, 16, 8]], np.uint32)
    assert truncated(freqs, 250).tolist() == [[0, 16, 0, 0, 0]]  # exactly a quarter is enough
    assert truncated(freqs, 251).tolist() == [[0, 16, 16, 0, 0]]
    assert truncated(freqs, 876).tolist() == [[8, 16, 16, 16, 8]]


@given(ROWS, st.integers(1, 1000), st.integers(0, WORD))
@settings(deadline=None)
def test_a_pick_is_one_of_the_kept_by_cumulative_sum(logits: np.ndarray, top_p: int, word: int) -> None:
    freqs = truncated(frequencies(logits), top_p)
    chosen = pick(freqs, np.full(len(freqs), word, np.uint64))
    for row, symbol in zip(freqs.tolist(), chosen.tolist(), strict=True):
        u = (word >> 32) * sum(row) >> 32
        assert sum(row[:symbol]) <= u < sum(row[: symbol + 1])


@pytest.mark.parametrize(("temperature", "top_p"), [(1000, 1000), (700, 1000), (2000, 800), (4000, 300)])
def test_draws_have_the_frequencies_of_their_distribution(temperature: int, top_p: int) -> None:
    side = 200
    row = np.random.default_rng(3).integers(-64, 0, 256).astype(np.int16)
    freqs = truncated(frequencies(tempered(row[None], temperature)), top_p)[0].astype(np.float64)
    at = np.arange(side * side)
    logits = np.broadcast_to(row, (len(at), 256))
    tokens = Sampling(7, temperature, top_p).draw(logits, 5, at // side, at % side)
    counts = np.bincount(tokens, minlength=256)
    kept = freqs > 0
    assert counts[~kept].sum() == 0
    expected = freqs[kept] / freqs.sum() * len(at)
    square = ((counts[kept] - expected) ** 2 / expected).sum()
    spread = (2 * (kept.sum() - 1)) ** 0.5
    assert abs(square - (kept.sum() - 1)) < 4 * spread


def test_neighbours_and_seeds_are_not_alike() -> None:
    row, column = np.divmod(np.arange(64 * 64), 64)
    words = np.array([counter_words(seed, place, row, column) for seed in range(8) for place in range(2)])
    assert len(np.unique(words)) == words.size
    ones = np.unpackbits(words.view(np.uint8)).mean()
    assert abs(ones - 0.5) < 0.002
    pairs = [(words[0], words[2]), (words[0], words[1]), (words[:, 1:], words[:, :-1])]
    for a, b in pairs:
        agreement = np.unpackbits((a ^ b).ravel().view(np.uint8)).mean()
        assert abs(agreement - 0.5) < 0.006


def test_temperature_zero_is_the_likeliest_the_lowest_of_equals() -> None:
    logits = np.array([[3, 9, 9, 1], [0, 0, 0, 0]], np.int16)
    drawn = Sampling(1, 0, 1000).draw(logits, 0, np.array([0, 0]), np.array([0, 1]))
    assert drawn.tolist() == [1, 0]


def test_options_become_thousandths() -> None:
    assert make_sampling(np.uint64(WORD), 0.7, 0.95) == Sampling(WORD, 700, 950)
    assert make_sampling(5, 4, 1e-9) == Sampling(5, 4000, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 1 << 64}, "seed"),
        ({"seed": 1.0}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": "7"}, "seed"),
        ({"seed": None}, "seed"),
        ({"temperature": -0.001}, "temperature"),
        ({"temperature": 4.001}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": 0}, "top-p"),
        ({"top_p": 1.001}, "top-p"),
        ({"top_p": float("nan")}, "top-p"),
        ({"top_p": True}, "top-p"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"expected {message} "):
        make_sampling(**options)
