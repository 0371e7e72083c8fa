"""Whole files: round trips, every cut, every changed byte, arbitrary bytes, and the check."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wisp.container import (
    CHECK_NUM_BYTES,
    Chunk,
    Header,
    WispFile,
    pack_file,
    pack_header,
    read_header,
    token_check,
    unpack_file,
)
from wisp.errors import BitstreamError, LimitExceeded, Truncated, UsageError

PLAIN = Header(1, 768, 512, greyscale=False, scale_exponent=0, has_chunks=False)
CHUNKED = Header(1, 768, 512, greyscale=False, scale_exponent=0, has_chunks=True)
CHUNKS = (Chunk(3, b"hi"), Chunk(77, b"later"), Chunk(0x84, b"\x89PNG"))
PAYLOAD = bytes(range(100, 140))
PLAIN_FILE = pack_file(PLAIN, (), PAYLOAD, 0xBEEF)
CHUNKED_FILE = pack_file(CHUNKED, CHUNKS, PAYLOAD, 0xBEEF)
EXTENDED_FILE = pack_file(Header(200, 5000, 5000, True, 2, True), CHUNKS, PAYLOAD, 1)

files = st.builds(
    lambda model, width, height, scale, chunks, payload, check: pack_file(
        Header(model, width, height, False, scale, bool(chunks)), chunks, payload, check
    ),
    st.integers(0, 254),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.integers(0, 3),
    st.lists(st.builds(Chunk, st.integers(4, 127), st.binary(max_size=20)), max_size=4),
    st.binary(min_size=1, max_size=50),
    st.integers(0, 0xFFFF),
)


def unpack_or_none(data: bytes) -> WispFile | None:
    """The file, or None for a named error; any other exception fails the test."""
    try:
        return unpack_file(data)
    except BitstreamError:
        return None


@given(files)
def test_round_trip(data: bytes) -> None:
    file = unpack_file(data)
    assert pack_file(file.header, file.chunks, file.payload, file.check) == data
    assert data.startswith(file.header_bytes)
    assert pack_header(file.header) == file.header_bytes
    assert read_header(data) == (file.header, file.chunks, len(file.payload))


def test_parts_of_a_file() -> None:
    assert unpack_file(CHUNKED_FILE) == WispFile(CHUNKED, pack_header(CHUNKED), CHUNKS, PAYLOAD, 0xBEEF)
    assert unpack_file(bytearray(PLAIN_FILE)) == WispFile(PLAIN, pack_header(PLAIN), (), PAYLOAD, 0xBEEF)


def test_overhead_of_an_ordinary_photo_is_eight_bytes() -> None:
    assert len(PLAIN_FILE) - len(PAYLOAD) == 8


@pytest.mark.parametrize(
    "data", [PLAIN_FILE, CHUNKED_FILE, EXTENDED_FILE], ids=["plain", "chunked", "extended"]
)
def test_every_cut_in_front_of_the_payload_is_truncated(data: bytes) -> None:
    shortest = len(data) - len(PAYLOAD) + 1  # one byte of payload; the decoder finds the cuts behind that
    for length in range(shortest):
        for read in (unpack_file, read_header):
            with pytest.raises(Truncated):
                read(data[:length])
    for length in range(shortest, len(data) + 1):
        assert unpack_file(data[:length]).payload == PAYLOAD[: length - shortest + 1]


@pytest.mark.parametrize("data", [CHUNKED_FILE, EXTENDED_FILE], ids=["chunked", "extended"])
def test_every_changed_byte_in_front_of_the_payload_is_noticed(data: bytes) -> None:
    original = unpack_file(data)
    start = len(data) - CHECK_NUM_BYTES - len(PAYLOAD)
    for position in range(start):
        for value in range(256):
            if value == data[position]:
                continue
            changed = data[:position] + bytes([value]) + data[position + 1 :]
            file = unpack_or_none(changed)
            if file is None:
                continue
            # what parses is another header, or another payload: both reach the check of the tokens
            assert file.header != original.header or file.payload != original.payload
            assert pack_file(file.header, file.chunks, file.payload, file.check) == changed


@settings(max_examples=500)
@given(st.binary(max_size=80))
@example(b"")
@example(PLAIN_FILE)
def test_any_bytes_give_a_file_or_a_named_error(data: bytes) -> None:
    for candidate in (data, b"\xc7" + data, b"\xc7\x51" + data, pack_header(CHUNKED) + data):
        file = unpack_or_none(candidate)
        if file is not None:
            assert pack_file(file.header, file.chunks, file.payload, file.check) == candidate


@settings(max_examples=300)
@given(files, st.data())
def test_any_damage_gives_a_file_or_a_named_error(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        position = draw.draw(st.integers(0, len(damaged) - 1))
        damaged[position : position + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=3))
        if not damaged:
            break
    file = unpack_or_none(bytes(damaged))
    if file is not None:
        assert pack_file(file.header, file.chunks, file.payload, file.check) == damaged


def test_pixel_limit_is_passed_on() -> None:
    for read in (unpack_file, read_header):
        with pytest.raises(LimitExceeded):
            read(PLAIN_FILE, 768 * 512 - 1)
        read(PLAIN_FILE, 768 * 512)


def test_a_giant_picture_allocates_nothing() -> None:
    data = pack_header(Header(1, 1 << 24, 1 << 24, False, 0, False)) + b"\0\0\0"
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded):
            unpack_file(data)
        peak_num_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_num_bytes < 100_000


@pytest.mark.parametrize(("header", "chunks"), [(PLAIN, CHUNKS), (CHUNKED, ())])
def test_flag_and_chunks_must_agree(header: Header, chunks: tuple[Chunk, ...]) -> None:
    with pytest.raises(UsageError, match="has_chunks"):
        pack_file(header, chunks, PAYLOAD, 0)


def test_payload_must_not_be_empty() -> None:
    with pytest.raises(UsageError, match="payload"):
        pack_file(PLAIN, (), b"", 0)


@pytest.mark.parametrize("check", [-1, 0x10000])
def test_check_must_fit(check: int) -> None:
    with pytest.raises(UsageError, match="check"):
        pack_file(PLAIN, (), PAYLOAD, check)


def test_check_is_the_published_crc() -> None:
    assert token_check(b"123456789") == 0x29B1  # CRC-16/IBM-3740 in the catalogue of Cook


@given(st.binary(max_size=10), st.lists(st.binary(max_size=10), max_size=4))
def test_check_does_not_depend_on_the_division_into_parts(header: bytes, parts: list[bytes]) -> None:
    assert token_check(header, *parts) == token_check(header + b"".join(parts))


@given(st.binary(min_size=1, max_size=40), st.data())
def test_check_finds_every_single_changed_byte(data: bytes, draw: st.DataObject) -> None:
    position = draw.draw(st.integers(0, len(data) - 1))
    change = draw.draw(st.integers(1, 255))
    changed = data[:position] + bytes([data[position] ^ change]) + data[position + 1 :]
    assert token_check(changed) != token_check(data)
