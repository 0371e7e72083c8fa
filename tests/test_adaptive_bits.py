"""Bits under probabilities that learn: one walk for writer and reader, in whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.entropy.adaptive_bits import LEAST, BitPort, BitReader, BitWriter, Contexts
from wisp.entropy.range_coder import TOTAL, RangeDecoder, RangeEncoder
from wisp.errors import Corrupt, Truncated

STEPS = st.lists(
    st.one_of(st.tuples(st.integers(0, 3), st.integers(0, 1)), st.integers(0, 1023)), max_size=200
)


def walk(port: BitPort, steps: list[tuple[int, int] | int]) -> list[int]:
    """Bits where there are pairs, numbers out of 1024 elsewhere."""
    return [port.bit(*step) if isinstance(step, tuple) else port.equal(step, 1024) for step in steps]


@given(STEPS)
def test_a_reader_finds_what_a_writer_wrote(steps: list[tuple[int, int] | int]) -> None:
    encoder, writing, reading = RangeEncoder(), Contexts(4), Contexts(4)
    written = walk(BitWriter(encoder, writing), steps)
    data = encoder.finish()
    decoder = RangeDecoder(data + b"\xff\xff")
    blank: list[tuple[int, int] | int] = [(s[0], 0) if isinstance(s, tuple) else 0 for s in steps]
    assert walk(BitReader(decoder, reading), blank) == written
    assert decoder.finish() == len(data)
    assert (writing.shares, writing.parts) == (reading.shares, reading.parts)


def test_a_context_learns_by_the_rule() -> None:
    contexts = Contexts(2)
    shares = []
    for bit in (1, 1, 0, 0, 0):
        contexts.learn(0, bit)
        shares.append(contexts.shares[0])
    assert shares == [40960, 45875, 38229, 32767, 28671]
    for _ in range(1000):
        contexts.learn(0, 0)
    assert contexts.shares == [LEAST, TOTAL // 2]
    for _ in range(1000):
        contexts.learn(0, 1)
    assert contexts.shares[0] == TOTAL - LEAST


def test_what_is_frequent_becomes_cheap_and_bytes_are_frozen() -> None:
    bits = (np.random.default_rng(0).random(2000) < 0.05).astype(int).tolist()
    encoder = RangeEncoder()
    walk(BitWriter(encoder, Contexts(4)), [(1, bit) for bit in bits])
    data = encoder.finish()
    entropy = -(0.05 * np.log2(0.05) + 0.95 * np.log2(0.95)) * 2000 / 8
    assert len(data) < 1.15 * entropy
    assert data[:12].hex() == "4657a346c559fae8c9bd870d"


def test_bytes_that_no_writer_makes() -> None:
    with pytest.raises((Truncated, Corrupt)):
        walk(BitReader(RangeDecoder(b"\xff" * 8), Contexts(4)), [(0, 0)] * 10)
    with pytest.raises(Truncated):
        walk(BitReader(RangeDecoder(b"\x12"), Contexts(4)), [0] * 10)
