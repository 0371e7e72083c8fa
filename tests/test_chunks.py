"""Chunks: round trips, limits before allocation, every cut, and one test an error."""

from __future__ import annotations

import tracemalloc
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.container import Chunk, ChunkType, pack_chunks, unpack_chunks
from wisp.container.limits import MAX_CHUNK_NUM_BYTES, MAX_CHUNKS_NUM_BYTES, MAX_NUM_CHUNKS
from wisp.container.varint import MAX_VARINT, pack_varint, unpack_varint
from wisp.errors import BitstreamError, Corrupt, LimitExceeded, Truncated, UnsupportedVersion, UsageError

COMMENT = Chunk(ChunkType.COMMENT, "Ærø".encode())
SEVERAL = (
    Chunk(1, b"MM\0*"),
    Chunk(77, b"from a later version"),
    COMMENT,
    Chunk(0x84, b"\x89PNG"),
    Chunk(77, b""),
)

known = st.fixed_dictionaries(
    {},
    optional={
        ChunkType.EXIF: st.binary(max_size=40),
        ChunkType.ICC: st.binary(max_size=200),
        ChunkType.COMMENT: st.text(max_size=30).map(str.encode),
        ChunkType.ALPHA: st.binary(max_size=40),
    },
).map(lambda data: [Chunk(int(chunk_type), content) for chunk_type, content in data.items()])
unknown = st.lists(st.builds(Chunk, st.integers(4, 127), st.binary(max_size=20)), max_size=6)
chunk_lists = st.builds(lambda a, b: a + b, known, unknown).flatmap(st.permutations).filter(bool)


def raw_chunk(chunk_type: int, data: bytes, length: bytes | None = None) -> bytes:
    """A chunk with a right CRC that no writer need agree to."""
    front = bytes([chunk_type]) + (pack_varint(len(data)) if length is None else length) + data
    return front + crc32(front).to_bytes(4, "big")


@given(chunk_lists, st.binary(max_size=5), st.binary(max_size=5))
def test_round_trip_keeps_order_and_unknown_chunks(chunks: list[Chunk], before: bytes, after: bytes) -> None:
    data = before + pack_chunks(chunks) + after
    found, offset = unpack_chunks(data, len(before))
    assert found == tuple(chunks)
    assert offset == len(data) - len(after)
    assert pack_chunks(found) == data[len(before) : offset]


@given(chunk_lists)
def test_every_cut_is_truncated(chunks: list[Chunk]) -> None:
    data = pack_chunks(chunks)
    for length in range(len(data)):
        with pytest.raises(Truncated):
            unpack_chunks(data[:length], 0)


@given(st.binary(max_size=60))
def test_any_bytes_give_chunks_or_a_named_error(data: bytes) -> None:
    try:
        chunks, offset = unpack_chunks(data, 0)
    except BitstreamError:
        return
    assert pack_chunks(chunks) == data[:offset]


def test_what_a_chunk_says_of_itself() -> None:
    assert [chunk.critical for chunk in SEVERAL] == [False, False, False, True, False]
    assert [chunk.name for chunk in SEVERAL] == ["exif", "type 77", "comment", "alpha", "type 77"]


@pytest.mark.parametrize("chunk_type", [-1, 0, 128, 256])
def test_types_out_of_range(chunk_type: int) -> None:
    with pytest.raises(UsageError, match="chunk type"):
        Chunk(chunk_type, b"")


def test_reserved_type_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="reserved 128"):
        unpack_chunks(raw_chunk(128, b"x") + b"\0", 0)


def test_no_chunk() -> None:
    with pytest.raises(Corrupt, match="announces"):
        unpack_chunks(b"\0", 0)
    with pytest.raises(UsageError, match="at least one"):
        pack_chunks([])


@pytest.mark.parametrize("chunk_type", list(ChunkType))
def test_known_types_occur_once(chunk_type: ChunkType) -> None:
    with pytest.raises(Corrupt, match=f"two chunks of type {chunk_type.name.lower()}"):
        unpack_chunks(
            raw_chunk(chunk_type, b"a") + raw_chunk(77, b"") + raw_chunk(chunk_type, b"a") + b"\0", 0
        )
    with pytest.raises(UsageError, match="two chunks"):
        pack_chunks([Chunk(chunk_type, b"a"), Chunk(chunk_type, b"b")])


def test_comment_is_utf8() -> None:
    with pytest.raises(Corrupt, match="UTF-8"):
        unpack_chunks(raw_chunk(3, b"\xc3") + b"\0", 0)
    with pytest.raises(UsageError, match="UTF-8"):
        pack_chunks([Chunk(3, b"\xc3")])


@pytest.mark.parametrize("chunk_type", [0x81, 0x82, 0x83, 0x85, 0xFF])
def test_unknown_critical_type(chunk_type: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"type {chunk_type}"):
        unpack_chunks(raw_chunk(chunk_type, b"") + b"\0", 0)
    with pytest.raises(UsageError, match=f"type {chunk_type}"):
        pack_chunks([Chunk(chunk_type, b"")])


def test_wrong_crc_is_corrupt_wherever_the_damage_is() -> None:
    data = pack_chunks([Chunk(77, b"abc")])
    for position in (2, 3, 4, 5, 8):  # data and CRC; a changed length moves the CRC
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with pytest.raises(Corrupt, match="CRC-32"):
            unpack_chunks(bytes(damaged), 0)
    with pytest.raises(Corrupt, match="CRC-32"):
        unpack_chunks(b"\x4e" + data[1:], 0)


def test_count_limit() -> None:
    empty = raw_chunk(77, b"")
    assert len(unpack_chunks(empty * MAX_NUM_CHUNKS + b"\0", 0)[0]) == MAX_NUM_CHUNKS
    with pytest.raises(LimitExceeded, match="at most 64"):
        unpack_chunks(empty * MAX_NUM_CHUNKS + b"\x4d", 0)  # the 65th is only announced
    with pytest.raises(LimitExceeded, match="at most 64"):
        pack_chunks([Chunk(77, b"")] * (MAX_NUM_CHUNKS + 1))


@pytest.mark.parametrize("length", [MAX_CHUNK_NUM_BYTES + 1, MAX_VARINT])
def test_length_limit_comes_before_the_data(length: int) -> None:
    with pytest.raises(LimitExceeded, match="in a chunk"):
        unpack_chunks(b"\x4d" + pack_varint(length), 0)


def test_length_at_the_limit_is_lawful() -> None:
    chunk = Chunk(77, bytes(MAX_CHUNK_NUM_BYTES))
    assert unpack_chunks(pack_chunks([chunk]), 0)[0] == (chunk,)
    with pytest.raises(LimitExceeded, match="in a chunk"):
        pack_chunks([Chunk(77, bytes(MAX_CHUNK_NUM_BYTES + 1))])


def test_sum_limit_comes_before_the_data() -> None:
    half = Chunk(77, bytes(MAX_CHUNKS_NUM_BYTES // 2))
    two = pack_chunks([half, half])
    assert len(unpack_chunks(two, 0)[0]) == 2
    with pytest.raises(LimitExceeded, match="together"):
        unpack_chunks(two[:-1] + b"\x4d\x01", 0)
    with pytest.raises(LimitExceeded, match="together"):
        pack_chunks([half, half, Chunk(77, b"x")])


@pytest.mark.parametrize("length", [MAX_CHUNK_NUM_BYTES, MAX_CHUNK_NUM_BYTES + 1, MAX_VARINT])
def test_declared_lengths_allocate_nothing(length: int) -> None:
    data = b"\x4d" + pack_varint(length) + b"a few bytes"
    tracemalloc.start()
    try:
        with pytest.raises((Truncated, LimitExceeded)):
            unpack_chunks(data, 0)
        peak_num_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_num_bytes < 100_000


@given(st.integers(0, MAX_VARINT) | st.sampled_from([127, 128, 16_383, 16_384, 2_097_151, 2_097_152]))
def test_varint_round_trip(value: int) -> None:
    spelled = pack_varint(value)
    assert len(spelled) == max(1, -(-value.bit_length() // 7))
    assert unpack_varint(b"?" + spelled + b"!", 1) == (value, 1 + len(spelled))
    for length in range(len(spelled)):
        with pytest.raises(Truncated):
            unpack_varint(spelled[:length], 0)


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1])
def test_varint_range(value: int) -> None:
    with pytest.raises(UsageError, match="length"):
        pack_varint(value)


@pytest.mark.parametrize("spelled", [b"\x80\0", b"\x82\0", b"\xff\x80\0", b"\x81\x80\x80\0"])
def test_varint_spelled_too_long_is_corrupt(spelled: bytes) -> None:
    with pytest.raises(Corrupt, match="shortest"):
        unpack_varint(spelled, 0)


@pytest.mark.parametrize("spelled", [b"\x80\x80\x80\x80", b"\x80\x80\x80\x80\x01", b"\xff" * 9])
def test_varint_of_five_bytes_is_corrupt(spelled: bytes) -> None:
    with pytest.raises(Corrupt, match="longer"):
        unpack_varint(spelled, 0)
