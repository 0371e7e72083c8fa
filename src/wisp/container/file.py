"""A whole file: header | chunks | payload | check (docs/format.md, section 1).

This room does not decode: it hands out payload and check, and whoever decodes the payload verifies both its
exact length and the check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wisp.container.chunks import Chunk, pack_chunks, unpack_chunks
from wisp.container.header import Header, pack_header, unpack_header
from wisp.container.limits import CHECK_NUM_BYTES, MAX_PIXELS, MIN_PAYLOAD_NUM_BYTES
from wisp.errors import Truncated, UsageError


@dataclass(frozen=True)
class WispFile:
    """The parts of a file.

    Attributes:
        header: what the header says.
        header_bytes: the header as it lies in the file, 6 to 11 bytes; the check covers it.
        chunks: metadata in file order; empty if header.has_chunks is false.
        payload: range-coded symbols, at least 1 byte.
        check: the last two bytes, 0..65535.
    """

    header: Header
    header_bytes: bytes
    chunks: tuple[Chunk, ...]
    payload: bytes
    check: int

    @property
    def stream(self) -> bytes:
        """Everything behind the chunks: payload and check, or what a cut has left of them."""
        return self.payload + self.check.to_bytes(CHECK_NUM_BYTES, "big")


def pack_file(header: Header, chunks: Sequence[Chunk], payload: bytes, check: int) -> bytes:
    """Join the parts of a file.

    Args:
        header: has_chunks must agree with `chunks`.
        chunks: metadata, in the order they are to have in the file.
        payload: what the range coder wrote, at least 1 byte.
        check: `token_check` of the header's bytes, the grain map and the tokens.

    Raises:
        UsageError: has_chunks disagrees with `chunks`, the payload is empty, the check has more than 16 bits,
            or `pack_chunks` refuses the chunks.
        LimitExceeded: `pack_chunks` finds too many or too long chunks.
    """
    if header.has_chunks != bool(chunks):
        raise UsageError(f"expected has_chunks to tell of {len(chunks)} chunks, found {header.has_chunks}")
    if len(payload) < MIN_PAYLOAD_NUM_BYTES:
        raise UsageError("expected a payload of at least 1 byte, found none")
    if not 0 <= check <= 0xFFFF:
        raise UsageError(f"expected a check in 0..65535, found {check}")
    chunk_bytes = pack_chunks(chunks) if chunks else b""
    return b"".join([pack_header(header), chunk_bytes, payload, check.to_bytes(CHECK_NUM_BYTES, "big")])


def unpack_file(data: bytes, max_pixels: int = MAX_PIXELS) -> WispFile:
    """Take a file apart, without decoding its payload.

    Args:
        data: the whole file.
        max_pixels: the largest lawful width * height.

    Raises:
        BitstreamError: one of its subclasses, as `unpack_header` and `unpack_chunks` do; also
        Truncated: fewer than 3 bytes are left for payload and check.
    """
    header, header_num_bytes, chunks, start = _unpack_front(data, max_pixels)
    end = len(data) - CHECK_NUM_BYTES
    return WispFile(
        header=header,
        header_bytes=bytes(data[:header_num_bytes]),
        chunks=chunks,
        payload=bytes(data[start:end]),
        check=int.from_bytes(data[end:], "big"),
    )


def read_header(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[Header, tuple[Chunk, ...], int]:
    """Read all that is in front of the payload, and measure the payload without touching it.

    Returns:
        the header, the chunks, and the number of bytes between the chunks and the check, at least 1.

    Raises:
        BitstreamError: as `unpack_file`.
    """
    header, _, chunks, start = _unpack_front(data, max_pixels)
    return header, chunks, len(data) - CHECK_NUM_BYTES - start


def _unpack_front(data: bytes, max_pixels: int) -> tuple[Header, int, tuple[Chunk, ...], int]:
    """The header, its length, the chunks, and the offset of a payload that is known to be there."""
    header, offset = unpack_header(data, max_pixels)
    header_num_bytes = offset
    chunks: tuple[Chunk, ...] = ()
    if header.has_chunks:
        chunks, offset = unpack_chunks(data, offset)
    needed = offset + MIN_PAYLOAD_NUM_BYTES + CHECK_NUM_BYTES
    if len(data) < needed:
        raise Truncated(
            f"expected at least {needed} bytes, check included, found {len(data)}; fetch the file again"
        )
    return header, header_num_bytes, chunks, offset
