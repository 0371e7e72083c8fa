"""Lengths of chunks: 7 bits a byte, the least significant first, as short as possible (format.md, 4.2).

The scheme is LEB128 (DWARF 5, appendix C), restricted to four bytes and to the shortest spelling.
"""

from __future__ import annotations

from wisp.container.limits import MAX_VARINT_NUM_BYTES
from wisp.errors import Corrupt, Truncated, UsageError

MAX_VARINT = (1 << 7 * MAX_VARINT_NUM_BYTES) - 1


def pack_varint(value: int) -> bytes:
    """Spell a number in 1 to 4 bytes.

    Raises:
        UsageError: value is not in 0..2^28 - 1.
    """
    if not 0 <= value <= MAX_VARINT:
        raise UsageError(f"expected a length in 0..{MAX_VARINT}, found {value}")
    spelled = bytearray()
    while value > 0x7F:
        spelled.append(0x80 | value & 0x7F)
        value >>= 7
    spelled.append(value)
    return bytes(spelled)


def unpack_varint(data: bytes, offset: int) -> tuple[int, int]:
    """Read the number at offset.

    Returns:
        the number, 0..2^28 - 1, and the offset behind it.

    Raises:
        Truncated: data ends inside the number.
        Corrupt: a fifth byte is announced, or the last byte is superfluous.
    """
    value = 0
    for position in range(MAX_VARINT_NUM_BYTES):
        if offset + position >= len(data):
            raise Truncated(
                f"expected the length of a chunk at byte {offset}, found the end of the data at {len(data)}; "
                "fetch the file again"
            )
        byte = data[offset + position]
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            if byte == 0 and position > 0:
                raise Corrupt(
                    f"expected the shortest spelling of a length at byte {offset}, found a superfluous zero; "
                    "the chunk is damaged"
                )
            return value, offset + position + 1
    raise Corrupt(
        f"expected a length of at most {MAX_VARINT_NUM_BYTES} bytes at byte {offset}, found a longer one; "
        "the chunk is damaged"
    )
