"""docs/format.md against the code, and its range coder against itself.

The coder here is sections 5.5 and 5.6 written down as directly as possible, with Python's unbounded integers.
It is a model of the text, shares nothing with the runtime's coder, and supports the text's claims: one or two
bytes finish a stream, the exact length is known after decoding, one sequence has one payload, and every cut
is found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.container import (
    Chunk,
    ChunkType,
    Header,
    header_fields,
    limits,
    pack_file,
    pack_header,
    token_check,
    unwrap_text,
    wrap_text,
)
from wisp.entropy.integer_softmax import frequencies as runtime_frequencies
from wisp.entropy.range_coder import RangeEncoder
from wisp.errors import Corrupt, Truncated
from wisp.runtime import Bundle, find_bundle

DOCUMENT = (Path(__file__).parents[1] / "docs" / "format.md").read_text(encoding="utf-8")

HEADER = Header(1, 96, 64, greyscale=False, scale_exponent=0, has_chunks=False)
DEPTHS = (1, 1, 1, 1, 1, 1)
TOKENS = (10, 200, 30, 40, 255, 0)
DEPTH_FREQUENCIES = (65_525, *[1] * 11)
TOKEN_FREQUENCIES = (256,) * 256

Step = tuple[int, Sequence[int]]  # a symbol, and the frequencies of its alphabet


def example(name: str) -> str:
    """The indented block behind the marker of that name, as one string without white space."""
    block = re.search(rf"<!-- example: {name} -->\n((?: {{4}}.*\n)+)", DOCUMENT)
    assert block is not None, name
    return "".join(block[1].split())


def finish(low: int, interval: int) -> tuple[int, int, int]:
    """The n, step and gap of section 5.5."""
    for num_bytes in (1, 2):
        step = 1 << 32 - 8 * num_bytes
        gap = -low % step
        if gap + step <= interval:
            return num_bytes, step, gap
    raise AssertionError("section 5.5 says that two bytes suffice")


def encode(steps: Sequence[Step]) -> bytes:
    low, interval, num_shifts = 0, 2**32 - 1, 0  # low is exact: it grows by 8 bits for each byte written
    for symbol, frequencies in steps:
        unit = interval >> 16
        low += unit * sum(frequencies[:symbol])
        interval = unit * frequencies[symbol]
        while interval < 2**24:
            low, interval, num_shifts = low << 8, interval << 8, num_shifts + 1
    num_bytes, step, gap = finish(low, interval)
    return ((low + gap) // step).to_bytes(num_shifts + num_bytes, "big")  # overflows if a carry leaves


def decode(data: bytes, tables: Sequence[Sequence[int]]) -> list[int]:
    """Symbols from a payload and its two check bytes; at most one zero is read behind them."""
    padded = data + b"\0"
    offset, low, interval, num_shifts = int.from_bytes(padded[:4], "big"), 0, 2**32 - 1, 0
    if len(padded) < 4:
        raise Truncated
    fault: type[Exception] = Truncated if len(data) < 4 else Corrupt
    symbols = []
    for frequencies in tables:
        ends = list(accumulate(frequencies))
        unit = interval >> 16
        quotient = offset // unit
        if quotient >= 2**16:
            raise fault
        symbol = bisect_right(ends, quotient)
        skipped = unit * (ends[symbol] - frequencies[symbol])
        offset, low, interval = offset - skipped, (low + skipped) % 2**32, unit * frequencies[symbol]
        while interval < 2**24:
            if num_shifts + 4 >= len(padded):
                raise Truncated
            if num_shifts + 4 == len(data):
                fault = Truncated
            offset = offset << 8 | padded[num_shifts + 4]
            low, interval, num_shifts = (low << 8) % 2**32, interval << 8, num_shifts + 1
        symbols.append(symbol)
    num_bytes, step, gap = finish(low, interval)
    if len(data) - 2 < num_shifts + num_bytes:
        raise Truncated
    if len(data) - 2 > num_shifts + num_bytes or not gap <= offset < gap + step:
        raise fault
    return symbols


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Symbols with frequency tables, often extreme ones: they make carries and double shifts likely."""
    drawn: list[Step] = []
    for _ in range(draw(st.integers(1, 30))):
        num_symbols = draw(st.integers(1, 6))
        cuts = draw(
            st.lists(
                st.integers(1, 65_535) | st.sampled_from([1, 2, 32_768, 65_534, 65_535]),
                min_size=num_symbols - 1,
                max_size=num_symbols - 1,
                unique=True,
            )
        )
        edges = [0, *sorted(cuts), 65_536]
        frequencies = [end - start for start, end in pairwise(edges)]
        drawn.append((draw(st.integers(0, num_symbols - 1)), frequencies))
    return drawn


EXAMPLE_STEPS: list[Step] = [(depth - 1, DEPTH_FREQUENCIES) for depth in DEPTHS] + [
    (token, TOKEN_FREQUENCIES) for token in TOKENS
]


def test_header_examples() -> None:
    extended = Header(20, 96, 64, greyscale=True, scale_exponent=2, has_chunks=False)
    assert pack_header(HEADER) == bytes.fromhex(example("header"))
    assert pack_header(extended) == bytes.fromhex(example("header_extended"))


def test_payload_example() -> None:
    assert encode(EXAMPLE_STEPS) == bytes.fromhex(example("payload"))


def test_file_examples() -> None:
    payload = encode(EXAMPLE_STEPS)
    data = pack_file(HEADER, (), payload, token_check(pack_header(HEADER), bytes(DEPTHS), bytes(TOKENS)))
    assert data == bytes.fromhex(example("file"))
    assert wrap_text(data) == example("armour")
    assert unwrap_text(example("armour")) == data

    commented = Header(1, 96, 64, greyscale=False, scale_exponent=0, has_chunks=True)
    check = token_check(pack_header(commented), bytes(DEPTHS), bytes(TOKENS))
    data = pack_file(commented, [Chunk(ChunkType.COMMENT, b"hi")], payload, check)
    assert data == bytes.fromhex(example("file_with_comment"))


def test_every_cut_and_every_tail_of_the_example_is_found() -> None:
    data = bytes.fromhex(example("file"))[6:]
    tables = [frequencies for _, frequencies in EXAMPLE_STEPS]
    assert decode(data, tables) == [symbol for symbol, _ in EXAMPLE_STEPS]
    for length in range(len(data)):
        with pytest.raises(Truncated):
            decode(data[:length], tables)
    for tail in (b"\0", b"\xff", bytes(9)):
        with pytest.raises(Corrupt):
            decode(data + tail, tables)


@given(steps(), st.binary(min_size=2, max_size=2), st.data())
def test_coder_as_written_round_trips_and_finds_cuts(
    drawn: list[Step], check: bytes, data: st.DataObject
) -> None:
    payload = encode(drawn)
    tables = [frequencies for _, frequencies in drawn]
    assert decode(payload + check, tables) == [symbol for symbol, _ in drawn]
    length = data.draw(st.integers(0, len(payload) + 1))
    with pytest.raises(Truncated):
        decode((payload + check)[:length], tables)
    with pytest.raises(Corrupt):
        decode(payload + check + b"\x80", tables)


@given(steps(), st.binary(max_size=40))
def test_coder_as_written_survives_any_bytes(drawn: list[Step], data: bytes) -> None:
    tables = [frequencies for _, frequencies in drawn]
    try:
        symbols = decode(data, tables)
    except (Truncated, Corrupt):
        return
    assert encode(list(zip(symbols, tables, strict=True))) == data[:-2]  # one sequence, one payload


@given(steps())
def test_runtime_encoder_follows_the_document(drawn: list[Step]) -> None:
    encoder = RangeEncoder()
    encoder.encode(
        [sum(frequencies[:symbol]) for symbol, frequencies in drawn],
        [frequencies[symbol] for symbol, frequencies in drawn],
    )
    assert encoder.finish() == encode(drawn)


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=256))
def test_runtime_frequencies_follow_the_document(logits: list[int]) -> None:
    table = [round(2**16 * exp(-n / 16)) for n in range(257)]
    weights = [table[min(max(logits) - logit, 256)] for logit in logits]
    scale = (2**16 - len(logits)) * 2**24 // sum(weights)
    expected = [weight * scale // 2**24 + 1 for weight in weights]
    expected[expected.index(max(expected))] += 2**16 - sum(expected)
    assert runtime_frequencies(np.array([logits], np.int16))[0].tolist() == expected


def test_header_table_lists_the_fields_in_order() -> None:
    rows = re.findall(r"^\| (?:\d[ab]?) \| (\w+) \| ([\d, or]+)", DOCUMENT.split("### 3.2")[0], re.MULTILINE)
    widest = header_fields(Header(254, 4097, 65_537, False, 0, False, version=3))
    assert [name for name, _ in rows] == [value.field.name for value in widest]
    for (name, widths), value in zip(rows, widest, strict=True):
        assert str(value.field.num_bits) in re.findall(r"\d+", widths), name


def test_limits_of_the_document_are_those_of_the_code() -> None:
    section = DOCUMENT.split("## 7. Limits")[1].split("## 8.")[0]
    stated = set(re.findall(r"[\d,]*\d", section))
    for limit in (
        limits.MAX_SIDE,
        limits.MAX_PIXELS,
        limits.MAX_NUM_CHUNKS,
        limits.MAX_CHUNK_NUM_BYTES,
        limits.MAX_CHUNKS_NUM_BYTES,
        limits.MAX_VARINT_NUM_BYTES,
    ):
        assert f"{limit:,}" in stated


def test_digits_table_of_the_armour() -> None:
    section = DOCUMENT.split("## 10. Text armour")[1].split("## 11.")[0]
    rows = re.findall(r"^\| digits \| (.*) \|$", section, re.MULTILINE)
    digits = [int(cell) for row in rows for cell in row.split(" | ")]
    assert digits == [len(wrap_text(bytes(num_bytes))) - len("wisp:") for num_bytes in range(1, 33)]


def documented_arrays(file: str) -> dict[str, str]:
    """Name -> "dtype (shape)" of section 5.9's table, for one file."""
    section = DOCUMENT.split("### 5.9", 1)[1].split("\n## ", 1)[0]
    found: dict[str, str] = {}
    current = ""
    for first, names, kinds, _ in re.findall(
        r"^\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", section, re.MULTILINE
    ):
        current = first.strip(" `") or current
        keys, types = re.findall(r"`(\w+)`", names), re.findall(r"\w+(?: \([^)]*\))?", kinds)
        if current == file:
            found.update(zip(keys, types * len(keys) if len(types) == 1 else types, strict=True))
    return found


@pytest.mark.parametrize("file", ["tables.npz", "prior.npz"])
def test_the_bundles_integers_are_those_of_the_document(file: str) -> None:
    bundle = find_bundle("wisp_small")
    sizes = {"N": sum(bundle.config.groups), "levels": len(bundle.config.groups)}
    documented, seen = documented_arrays(file), set()
    for key, array in (bundle.tables if file == "tables.npz" else bundle.prior_parts).items():
        name = re.sub(r"(bias|head|table)_\d+", r"\1_P", re.sub(r"(step|context)_\d+", r"\1_L", key))
        name = re.sub(r"_P_\d+", "_P_I", name)
        kind, _, shape = documented[name].partition(" (")
        assert kind == ("strings" if array.dtype.kind == "U" else array.dtype.name), key
        for size, text in zip(array.shape, re.findall(r"[\w+ ]*\w", shape) or array.shape, strict=True):
            symbol, _, more = str(text).strip().partition(" + ")
            if symbol.isdigit() or symbol in sizes:
                expected = sizes[symbol] if symbol in sizes else int(symbol)
                assert size == expected + int(more or 0), key
        seen.add(name)
    only_routed = {"huffman"} if file == "tables.npz" else set()
    assert seen == set(documented) - only_routed


def test_the_tables_of_a_routed_bundle_are_those_of_the_document(routed_model: Path) -> None:
    tables, documented = Bundle(routed_model).tables, documented_arrays("tables.npz")
    assert documented["huffman"] == "uint8 (1024,)"
    assert (tables["huffman"].dtype, tables["huffman"].shape) == (np.uint8, (1024,))
    assert (tables["grain"].dtype, tables["grain"].shape) == (np.int16, (4, 4, 3))
