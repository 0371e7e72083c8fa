"""One packet: a part of a picture that decodes by itself (docs/packets.md).

    header as in a file, but C76 | picture id 16 | index | count - 1 | payload | check 16

The header is that of a file, except for its signature and for the bit that tells of chunks there: here it tells that
index and count have 12 bits each instead of 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wisp.container.checksum import token_check
from wisp.container.fields import BitField, FieldValue, pack_fields, unpack_fields
from wisp.container.header import Header, pack_header, unpack_header
from wisp.container.limits import CHECK_NUM_BYTES, MAX_PIXELS, MIN_PAYLOAD_NUM_BYTES
from wisp.errors import Corrupt, NotWisp, Truncated, UnsupportedVersion, UsageError

PACKET_VERSION = 0
MAX_NUM_PACKETS = 1 << 12
"""Packets of one picture."""

MIN_PACKET_NUM_BYTES = 12
"""Header, picture id, index and count, payload and check at their shortest."""

MAX_OVERHEAD_NUM_BYTES = 17
"""All of a packet but its payload, at the longest."""

_FILE_MARK, _PACKET_MARK = 0x50, 0x60  # high half of byte 1: C75 is a file, C76 a packet
_FEW = 1 << 4  # as many packets have short numbers
_ID_FIELD = BitField("picture_id", 16, "the same in all packets of a picture, drawn from its content")
_NUMBER_FIELDS = tuple(
    (
        BitField("index", num_bits, "which of the packets this is, from 0"),
        BitField("count_minus_1", num_bits, "packets of the picture, less one"),
    )
    for num_bits in (4, 12)
)


@dataclass(frozen=True)
class Packet:
    """What one packet says.

    Attributes:
        header: of the picture; its has_chunks and version, which are a file's, are not sent.
        picture_id: 0..65535, tells packets of two pictures of one size apart.
        index: 0..count - 1.
        count: packets of the picture, 1..4096.
        payload: range-coded symbols of this packet's regions, at least 1 byte.
    """

    header: Header
    picture_id: int
    index: int
    count: int
    payload: bytes


def has_packet_signature(data: bytes) -> bool:
    """Whether data begins like a packet. Two bytes decide; it is a hint, not a proof."""
    return len(data) >= 2 and data[0] == 0xC7 and data[1] & 0xF0 == _PACKET_MARK


def packet_overhead(header: Header, count: int) -> int:
    """Bytes of a packet that are not payload."""
    return len(_front(Packet(header, 0, 0, count, b""))) + CHECK_NUM_BYTES


def pack_packet(packet: Packet) -> bytes:
    """A packet's bytes, in their one canonical spelling.

    Raises:
        UsageError: a value does not fit its field, or the payload is empty.
    """
    if not 0 <= packet.index < packet.count <= MAX_NUM_PACKETS:
        raise UsageError(
            f"expected an index below a count of at most {MAX_NUM_PACKETS}, found {packet.index} of {packet.count}"
        )
    if len(packet.payload) < MIN_PAYLOAD_NUM_BYTES:
        raise UsageError("expected a payload of at least 1 byte, found none")
    data = _front(packet) + packet.payload
    return data + token_check(data).to_bytes(CHECK_NUM_BYTES, "big")


def unpack_packet(data: bytes, max_pixels: int = MAX_PIXELS) -> Packet:
    """Take a packet apart, without decoding its payload.

    Args:
        data: the whole packet.
        max_pixels: the largest lawful width * height.

    Raises:
        NotWisp: data has another signature.
        Truncated: there are fewer bytes than any packet has.
        UnsupportedVersion: a packet version other than 0.
        Corrupt: the check disagrees, a value is out of its range, or not spelled canonically.
        LimitExceeded: the picture has more than `max_pixels` pixels.
    """
    if data[:1] not in (b"", b"\xc7") or (len(data) >= 2 and not has_packet_signature(data)):
        raise NotWisp(f"expected the signature C7 6x, found {data[:2].hex(' ').upper()}; not a wisp packet")
    if len(data) >= 3 and data[2] >> 6 != PACKET_VERSION:
        raise UnsupportedVersion(
            f"expected packet version {PACKET_VERSION}, found {data[2] >> 6}; read the packet with a newer wisp"
        )
    if len(data) < MIN_PACKET_NUM_BYTES:
        raise Truncated(f"expected a packet of at least {MIN_PACKET_NUM_BYTES} bytes, found {len(data)}")
    body, check = data[:-CHECK_NUM_BYTES], int.from_bytes(data[-CHECK_NUM_BYTES:], "big")
    if (found := token_check(body)) != check:
        raise Corrupt(f"expected check {check:04x}, found {found:04x}; the packet is damaged or cut")
    header, offset = unpack_header(_with_mark(body, _FILE_MARK), max_pixels)
    is_many = header.has_chunks
    (identity,), offset = unpack_fields((_ID_FIELD,), body, offset)
    (index, count_minus_1), offset = unpack_fields(_NUMBER_FIELDS[is_many], body, offset)
    count = count_minus_1.stored + 1
    if is_many != (count > _FEW):
        raise Corrupt(
            f"expected the number of {count} packets in as few bits as it fits; the packet is damaged"
        )
    if index.stored >= count:
        raise Corrupt(f"expected a packet below {count}, found packet {index.stored}; the packet is damaged")
    if len(body) - offset < MIN_PAYLOAD_NUM_BYTES:
        raise Truncated(f"expected a payload of at least 1 byte, found {len(body) - offset}")
    header = replace(header, has_chunks=False)
    return Packet(header, identity.stored, index.stored, count, bytes(body[offset:]))


def _front(packet: Packet) -> bytes:
    """Everything in front of the payload."""
    is_many = packet.count > _FEW
    header = pack_header(replace(packet.header, has_chunks=is_many, version=PACKET_VERSION))
    index, count = _NUMBER_FIELDS[is_many]
    numbers = (
        FieldValue(_ID_FIELD, packet.picture_id),
        FieldValue(index, packet.index),
        FieldValue(count, packet.count - 1),
    )
    return _with_mark(header, _PACKET_MARK) + pack_fields(numbers)


def _with_mark(data: bytes, mark: int) -> bytes:
    """The same bytes with another kind in the signature."""
    return data[:1] + bytes([mark | data[1] & 0x0F]) + data[2:]
