"""Files as differences from others: what comes out is what went in, or a named fault."""

from __future__ import annotations

import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.runtime.differences import apply_difference, make_difference


@given(st.binary(max_size=300), st.randoms())
def test_there_and_back(data: bytes, random: object) -> None:
    base = bytes(random.randrange(256) for _ in data)  # type: ignore[attr-defined]
    assert apply_difference(make_difference(data, base), base) == data


def test_what_is_nearly_equal_takes_little() -> None:
    base = bytes(range(256)) * 400
    data = bytearray(base)
    data[77], data[90_000] = 5, 6
    assert len(make_difference(bytes(data), base)) < 400


def test_lengths_agree() -> None:
    with pytest.raises(ValueError, match="3 bytes, and 4 to differ from"):
        make_difference(b"abc", b"abcd")
    difference = make_difference(b"abcd", b"wxyz")
    for base in (b"wxy", b"wxyzz", b""):
        with pytest.raises(ValueError, match="bytes"):
            apply_difference(difference, base)


def test_a_long_stream_is_not_unpacked() -> None:
    """Ten megabytes of zeros are 1.6 kB; no more than the other file's length is taken of them."""
    with pytest.raises(ValueError, match="5 bytes or more, where the other file has 4"):
        apply_difference(lzma.compress(bytes(10_000_000)), b"wxyz")


@pytest.mark.parametrize("difference", [b"", b"no stream", lzma.compress(bytes(4))[:-5]])
def test_what_is_no_difference(difference: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        apply_difference(difference, b"wxyz")
