"""Elias codes: every word against its definition, every cut and every number that is too large by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wisp.entropy.bit_stream import BitReader, BitWriter
from wisp.entropy.elias import MAX_VALUE, Delta, EliasCode, Gamma, Omega
from wisp.errors import BitstreamError, Corrupt, Truncated, UsageError

CODES = [Gamma(), Delta(), Omega()]
EXHAUSTIVE = 5000


def defined(name: str, k: int) -> str:
    """The word of Elias 1975, section IV, spelled out in digits."""
    beta = f"{k:b}"
    if name == "gamma":
        return "0" * (len(beta) - 1) + beta
    if name == "delta":
        return defined("gamma", len(beta)) + beta[1:]
    groups = ""
    while k > 1:
        groups = f"{k:b}" + groups
        k = len(f"{k:b}") - 1
    return groups + "0"


def as_bytes(digits: str) -> bytes:
    whole = digits + "0" * (-len(digits) % 8)
    return int("1" + whole, 2).to_bytes(len(whole) // 8 + 1, "big")[1:]


def read_all(code: EliasCode, data: bytes) -> list[int]:
    """Values up to the first named error."""
    reader = BitReader(data)
    values = []
    while True:
        try:
            values.append(code.read(reader))
        except BitstreamError:
            return values


@pytest.mark.parametrize("code", CODES, ids=lambda c: c.name)
class TestWords:
    def test_every_small_number(self, code: EliasCode) -> None:
        writer, digits = BitWriter(), ""
        for k in range(1, EXHAUSTIVE):
            word, count = code.word(k)
            assert f"{word:0{count}b}" == defined(code.name, k)
            assert code.length(k) == count
            code.write(writer, k)
            digits += defined(code.name, k)
        data = writer.finish()
        assert data == as_bytes(digits)
        reader = BitReader(data)
        assert [code.read(reader) for _ in range(1, EXHAUSTIVE)] == list(range(1, EXHAUSTIVE))
        reader.finish()

    @given(
        values=st.lists(st.integers(0, 31).flatmap(lambda e: st.integers(1 << e, (2 << e) - 1)), min_size=1)
    )
    @settings(max_examples=100, deadline=None)
    def test_numbers_of_every_size(self, code: EliasCode, values: list[int]) -> None:
        writer = BitWriter()
        for value in values:
            code.write(writer, value)
        data = writer.finish()
        assert data == as_bytes("".join(defined(code.name, value) for value in values))
        reader = BitReader(data)
        assert [code.read(reader) for _ in values] == values
        reader.finish()

    @pytest.mark.parametrize("value", [-1, 0, MAX_VALUE + 1])
    def test_no_word_outside(self, code: EliasCode, value: int) -> None:
        with pytest.raises(UsageError, match=str(value)):
            code.word(value)

    def test_the_largest_has_a_word_and_the_next_is_corrupt(self, code: EliasCode) -> None:
        assert code.read(BitReader(as_bytes(defined(code.name, MAX_VALUE)))) == MAX_VALUE
        assert len(defined(code.name, MAX_VALUE)) <= 63
        for larger in (MAX_VALUE + 1, 1 << 40, 1 << 70):
            with pytest.raises(Corrupt, match=r"2\^32 - 1"):
                code.read(BitReader(as_bytes(defined(code.name, larger))))

    @pytest.mark.parametrize("value", [1, 2, 3, 17, 300, 70000, MAX_VALUE])
    def test_every_cut_is_truncated(self, code: EliasCode, value: int) -> None:
        data = as_bytes(defined(code.name, value))
        for kept in range(len(data)):
            with pytest.raises(Truncated):
                code.read(BitReader(data[:kept]))

    @given(data=st.binary(max_size=40))
    @settings(max_examples=200, deadline=None)
    def test_any_bytes_are_numbers_until_a_named_error(self, code: EliasCode, data: bytes) -> None:
        values = read_all(code, data)  # every word has a bit at least: it ends
        digits = "".join(defined(code.name, value) for value in values)
        assert as_bytes(digits)[: len(digits) // 8] == data[: len(digits) // 8]

    @pytest.mark.parametrize("fill", [0x00, 0xFF])
    def test_long_runs_end(self, code: EliasCode, fill: int) -> None:
        assert len(read_all(code, bytes([fill]) * 10_000)) <= 80_000


def test_the_codes_differ() -> None:
    assert [code.length(1) for code in CODES] == [1, 1, 1]
    assert [code.length(16) for code in CODES] == [9, 9, 11]
    assert [code.length(10**6) for code in CODES] == [39, 28, 31]


@given(st.lists(st.integers(0, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, (1 << n) - 1)))))
@settings(max_examples=100, deadline=None)
def test_bits_come_back(pieces: list[tuple[int, int]]) -> None:
    writer = BitWriter()
    for count, value in pieces:
        writer.write(value, count)
    data = writer.finish()
    assert len(data) == -(-sum(count for count, _ in pieces) // 8)
    reader = BitReader(data)
    assert [reader.read(count) for count, _ in pieces] == [value for _, value in pieces]
    reader.finish()


def test_what_is_left_is_corrupt() -> None:
    for data, count in ((b"\x81", 1), (b"\x80\x00", 1), (b"\x00\x00", 8)):
        reader = BitReader(data)
        reader.read(count)
        with pytest.raises(Corrupt, match="end of the vector"):
            reader.finish()
