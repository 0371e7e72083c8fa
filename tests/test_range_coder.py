"""The range coder: exact bytes, round trips of anything, exact lengths, every cut found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wisp.entropy.integer_softmax import cumulatives, frequencies
from wisp.entropy.range_coder import RangeDecoder, RangeEncoder, StreamEnded
from wisp.errors import BitstreamError, Truncated

VECTORS = json.loads(
    (Path(__file__).parent.parent / "reference" / "entropy" / "range_coder.json").read_text()
)


def encode(rows: NDArray[np.int32], symbols: NDArray[np.intp]) -> bytes:
    every = np.arange(len(symbols))
    starts = rows[every, symbols]
    encoder = RangeEncoder()
    encoder.encode(starts.tolist(), (rows[every, symbols + 1] - starts).tolist())
    return encoder.finish()


@st.composite
def streams(draw: st.DrawFn) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Random tables, from flat to nearly certain, and symbols of any probability."""
    count = draw(st.integers(1, 60))
    alphabet = draw(st.integers(2, 256))
    scale = draw(st.sampled_from([0, 10, 60, 200]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = cumulatives(frequencies(random.integers(-scale, scale + 1, (count, alphabet)).astype(np.int16)))
    likely = draw(st.booleans())
    symbols = np.diff(rows).argmax(1) if likely else random.integers(0, alphabet, count)
    return rows, symbols.astype(np.intp)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_bytes_are_frozen(vector: dict) -> None:
    rows = cumulatives(frequencies(np.array(vector["logits"], np.int16)))
    symbols = np.array(vector["symbols"], np.intp)
    assert encode(rows, symbols).hex() == vector["payload"]
    assert RangeDecoder(bytes.fromhex(vector["payload"]) + b"\0\0").decode(rows).tolist() == vector["symbols"]


@given(streams(), st.binary(min_size=2, max_size=6))
@settings(max_examples=150, deadline=None)
def test_round_trip_whatever_follows(stream: tuple, tail: bytes) -> None:
    rows, symbols = stream
    payload = encode(rows, symbols)
    decoder = RangeDecoder(payload + tail)
    assert decoder.decode(rows).tolist() == symbols.tolist()
    assert decoder.finish() == len(payload)


@given(streams())
@settings(max_examples=60, deadline=None)
def test_every_cut_is_truncated(stream: tuple) -> None:
    rows, symbols = stream
    data = encode(rows, symbols) + b"\x5a\xc3"
    for kept in range(len(data)):
        try:
            decoder = RangeDecoder(data[:kept])
            decoder.decode(rows)
            length = decoder.finish()
        except Truncated:
            continue
        assert length + 2 > kept  # the codec sees fewer bytes than the payload needs, and says Truncated


@given(streams(), st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_bytes_decode_or_are_named(stream: tuple, data: bytes) -> None:
    rows, _ = stream
    try:
        symbols = RangeDecoder(data).decode(rows)
    except BitstreamError:
        return
    assert (symbols < rows.shape[1] - 1).all()


@given(streams())
@settings(max_examples=100, deadline=None)
def test_length_is_within_two_bytes_of_the_ideal(stream: tuple) -> None:
    rows, symbols = stream
    widths = np.diff(rows)[np.arange(len(symbols)), symbols]
    ideal = (16 - np.log2(widths)).sum() / 8
    assert ideal <= len(encode(rows, symbols)) <= ideal * 1.001 + 2


def test_exhausted_tells_the_first_missing_byte() -> None:
    rows = np.tile(cumulatives(frequencies(np.zeros((1, 256), np.int16))), (20, 1))
    payload = encode(rows, np.arange(20))
    decoder = RangeDecoder(payload[:10], partial=True)
    first = decoder.decode(rows[:6])
    assert first.tolist() == [0, 1, 2, 3, 4, 5]
    assert not decoder.exhausted
    with pytest.raises(StreamEnded) as ended:
        decoder.decode(rows[6:])
    assert ended.value.symbols.tolist() == [6]  # three more lie in the bytes read ahead
    assert decoder.exhausted
    with pytest.raises(StreamEnded) as ended:
        decoder.decode(rows[7:])
    assert not len(ended.value.symbols)
