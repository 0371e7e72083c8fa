"""The canonical Huffman code: exact bytes, optimality, and every damage a named error."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.entropy.huffman import MAX_LENGTH, HuffmanCode, code_lengths
from wisp.errors import Corrupt, ModelMismatch, Truncated

DEEPEST = (
    2584  # the Fibonacci number below which a sum of counts, the least being 1, needs no code of 17 bits
)
counts_of = st.lists(st.integers(0, 1 << 40), min_size=2, max_size=300)


def test_a_code_by_hand() -> None:
    lengths = code_lengths(np.array([8, 4, 2, 1, 1]))
    assert lengths.tolist() == [1, 2, 3, 4, 4]
    code = HuffmanCode(lengths)
    # 0 | 10 | 110 | 1110 | 1111, filled with zeros
    assert code.encode(np.array([0, 1, 2, 3, 4])).hex() == "5bbc"
    assert code.encode(np.array([], np.intp)) == b""


def test_codes_are_in_the_order_of_symbols_whatever_their_lengths() -> None:
    code = HuffmanCode(np.array([2, 1, 3, 3], np.uint8))
    assert [code.encode(np.array([s])).hex() for s in range(4)] == ["80", "00", "c0", "e0"]


@given(counts_of)
def test_lengths_are_of_a_complete_code_and_rarer_is_never_shorter(counts: list[int]) -> None:
    lengths = code_lengths(np.array(counts)).astype(int)
    assert lengths.min() >= 1
    assert lengths.max() <= MAX_LENGTH
    assert sum(2.0**-length for length in lengths) == 1
    raised = np.maximum(counts, 1)
    if raised.sum() < DEEPEST * raised.min():  # else the rarest may have been raised, and count as equal
        order = np.argsort(counts, kind="stable")
        mean = (raised * lengths).sum() / raised.sum()
        share = raised / raised.sum()
        assert -(share * np.log2(share)).sum() - 1e-6 <= mean <= -(share * np.log2(share)).sum() + 1
        strictly = [(a, b) for a, b in pairwise(order) if raised[a] < raised[b]]
        assert all(lengths[a] >= lengths[b] for a, b in strictly)


@given(counts_of, st.data())
def test_symbols_come_back_and_the_length_is_exact(counts: list[int], data: st.DataObject) -> None:
    code = HuffmanCode(code_lengths(np.array(counts)))
    symbols = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=60)), np.intp)
    coded = code.encode(symbols)
    assert len(coded) == -(-code.num_bits(symbols) // 8)
    found, num_bytes = code.decode(coded + b"\x5a\xa5", len(symbols))
    assert found.tolist() == symbols.tolist()
    assert num_bytes == len(coded)
    if coded:
        with pytest.raises(Truncated):
            code.decode(coded[:-1], len(symbols))


def test_only_what_codes_can_take_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few symbols in front of megabytes take no more than the symbols."""
    seen: list[int] = []
    unpack = np.unpackbits

    def watched(data: np.ndarray) -> np.ndarray:
        seen.append(len(data))
        return unpack(data)

    code = HuffmanCode(np.array([1, 2, 2], np.uint8))
    symbols = np.arange(10_000) % 3
    coded = code.encode(symbols)
    monkeypatch.setattr(np, "unpackbits", watched)
    found, num_bytes = code.decode(coded + bytes(1 << 20), len(symbols))
    assert found.tolist() == symbols.tolist()
    assert num_bytes == len(coded)
    assert max(seen) <= 4096 * MAX_LENGTH // 8 + 2


def test_bits_behind_the_last_code_must_be_zero() -> None:
    code = HuffmanCode(np.array([1, 2, 2], np.uint8))
    with pytest.raises(Corrupt, match="zeros"):
        code.decode(b"\x01", 3)


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [2, 2], [0, 1], [17, 1], [1, 3]])
def test_lengths_of_no_complete_code_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ModelMismatch):
        HuffmanCode(np.array(lengths, np.uint8))
