"""Optional metadata between header and payload (docs/format.md, section 4).

    type 1 | length 1..4 | data | CRC-32 4    ... and so on ...    00

Bit 7 of the type says *critical*: a reader that does not know the type must give up. All other types are
skippable, and what this version does not know is kept byte for byte and in order when a file is rewritten.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from wisp.container.limits import MAX_CHUNK_NUM_BYTES, MAX_CHUNKS_NUM_BYTES, MAX_NUM_CHUNKS
from wisp.container.varint import pack_varint, unpack_varint
from wisp.errors import Corrupt, LimitExceeded, Truncated, UnsupportedVersion, UsageError

CRITICAL_BIT = 0x80
_END = 0
_CRC_NUM_BYTES = 4


class ChunkType(IntEnum):
    """The types that version 0 knows. Each occurs at most once in a file."""

    EXIF = 1
    ICC = 2
    COMMENT = 3
    ALPHA = 0x84


_KNOWN_TYPES = frozenset(ChunkType)


@dataclass(frozen=True)
class Chunk:
    """One piece of metadata.

    Attributes:
        type: 1..127, or 129..255 if critical.
        data: its bytes, opaque here except that a comment is UTF-8.

    Raises:
        UsageError: the type is out of range.
    """

    type: int
    data: bytes

    def __post_init__(self) -> None:
        if not 0 < self.type <= 0xFF or self.type == CRITICAL_BIT:
            raise UsageError(f"expected a chunk type in 1..127 or 129..255, found {self.type}")

    @property
    def critical(self) -> bool:
        """Whether a reader that does not know the type must refuse the file."""
        return bool(self.type & CRITICAL_BIT)

    @property
    def name(self) -> str:
        """What to call it in front of people, for instance "comment" or "type 77"."""
        if self.type in _KNOWN_TYPES:
            return ChunkType(self.type).name.lower()
        return f"type {self.type}"


def pack_chunks(chunks: Sequence[Chunk]) -> bytes:
    """Write a chunk sequence, end byte included.

    Args:
        chunks: at least one; unknown skippable ones are welcome.

    Raises:
        UsageError: no chunk, an unknown critical type, a known type twice, or a comment that is not UTF-8.
        LimitExceeded: too many chunks, one too long, or all together too long.
    """
    if not chunks:
        raise UsageError("expected at least one chunk, found none; clear has_chunks instead")
    _check_count(len(chunks))
    seen: set[int] = set()
    total_num_bytes = 0
    for chunk in chunks:
        _check_length(len(chunk.data), total_num_bytes)
        total_num_bytes += len(chunk.data)
        fault = _find_fault(chunk, seen)
        if fault:
            raise UsageError(f"expected chunks that a reader accepts, found {fault}")
        if chunk.critical and chunk.type not in _KNOWN_TYPES:
            raise UsageError(f"expected a known critical chunk, found {chunk.name}; no reader accepts it")
    parts: list[bytes] = []
    for chunk in chunks:
        prefix = bytes([chunk.type]) + pack_varint(len(chunk.data))
        parts += [prefix, chunk.data, crc32(chunk.data, crc32(prefix)).to_bytes(_CRC_NUM_BYTES, "big")]
    parts.append(bytes([_END]))
    return b"".join(parts)


def unpack_chunks(data: bytes, offset: int) -> tuple[tuple[Chunk, ...], int]:
    """Read the chunk sequence that begins at offset.

    Nothing of a declared length is allocated or copied before limits, presence and CRC were found right.

    Args:
        data: the whole file.
        offset: where the header ends, in bytes.

    Returns:
        the chunks in file order, and the offset behind the end byte.

    Raises:
        Truncated: data ends before the end byte.
        LimitExceeded: too many chunks, one too long, or all together too long.
        Corrupt: a reserved type, a length that is not canonical, a wrong CRC, a known type twice, a comment
            that is not UTF-8, or no chunk at all.
        UnsupportedVersion: a critical chunk of unknown type.
    """
    chunks: list[Chunk] = []
    seen: set[int] = set()
    total_num_bytes = 0
    while True:
        chunk_type = _read_type(data, offset)
        if chunk_type == _END:
            break
        _check_count(len(chunks) + 1)
        num_bytes, start = unpack_varint(data, offset + 1)
        _check_length(num_bytes, total_num_bytes)
        total_num_bytes += num_bytes
        end = _check_crc(data, offset, start + num_bytes)
        chunk = Chunk(chunk_type, bytes(data[start : start + num_bytes]))
        if chunk.critical and chunk_type not in _KNOWN_TYPES:
            raise UnsupportedVersion(
                f"expected a known critical chunk, found {chunk.name}; read the file with a newer wisp"
            )
        fault = _find_fault(chunk, seen)
        if fault:
            raise Corrupt(f"expected chunks without contradictions, found {fault}; the file is damaged")
        chunks.append(chunk)
        offset = end
    if not chunks:
        raise Corrupt("expected chunks because the header announces them, found none; the header is damaged")
    return tuple(chunks), offset + 1


def _read_type(data: bytes, offset: int) -> int:
    """The type byte at offset, 0..255 without the reserved 128."""
    if offset >= len(data):
        raise Truncated(
            f"expected a chunk or the end of the chunks at byte {offset}, found the end of the data; "
            "fetch the file again"
        )
    if data[offset] == CRITICAL_BIT:
        raise Corrupt(f"expected a chunk type at byte {offset}, found the reserved 128; the chunk is damaged")
    return data[offset]


def _check_count(num_chunks: int) -> None:
    if num_chunks > MAX_NUM_CHUNKS:
        raise LimitExceeded(f"expected at most {MAX_NUM_CHUNKS} chunks, found more; drop some")


def _check_length(num_bytes: int, num_bytes_before: int) -> None:
    """Compare one declared length, and the sum with those before it, with the limits."""
    if num_bytes > MAX_CHUNK_NUM_BYTES:
        raise LimitExceeded(
            f"expected at most {MAX_CHUNK_NUM_BYTES} bytes in a chunk, found {num_bytes}; drop the chunk"
        )
    if num_bytes_before + num_bytes > MAX_CHUNKS_NUM_BYTES:
        raise LimitExceeded(
            f"expected at most {MAX_CHUNKS_NUM_BYTES} bytes in all chunks together, found at least "
            f"{num_bytes_before + num_bytes}; drop some"
        )


def _check_crc(data: bytes, start: int, end: int) -> int:
    """Verify the CRC-32 of data[start:end], stored right behind it; return the offset behind both."""
    if end + _CRC_NUM_BYTES > len(data):
        raise Truncated(
            f"expected a chunk up to byte {end + _CRC_NUM_BYTES}, found the end of the data at {len(data)}; "
            "fetch the file again"
        )
    expected = int.from_bytes(data[end : end + _CRC_NUM_BYTES], "big")
    found = crc32(memoryview(data)[start:end])
    if found != expected:
        raise Corrupt(
            f"expected CRC-32 {expected:08X} for the chunk at byte {start}, found {found:08X}; "
            "the chunk is damaged"
        )
    return end + _CRC_NUM_BYTES


def _find_fault(chunk: Chunk, seen: set[int]) -> str:
    """What is wrong with a chunk of a known type, or "". Adds its type to `seen`."""
    if chunk.type not in _KNOWN_TYPES:
        return ""
    if chunk.type in seen:
        return f"two chunks of type {chunk.name}"
    seen.add(chunk.type)
    if chunk.type == ChunkType.COMMENT:
        try:
            chunk.data.decode("utf-8")
        except UnicodeDecodeError:
            return "a comment that is not UTF-8"
    return ""
