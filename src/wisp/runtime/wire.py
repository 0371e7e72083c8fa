"""Protocol buffers, the format of ONNX files, field by field: a few lines that spare a package."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _DOUBLE, _BYTES, _SINGLE = 0, 1, 2, 5  # wire types
_WIDTHS = {_DOUBLE: 8, _SINGLE: 4}


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of a message's fields; it ends early where the bytes are no message."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire = key & 7
        if wire == _VARINT:
            number, place = _varint(message, place)
            yield key >> 3, number
            continue
        if wire == _BYTES:
            length, place = _varint(message, place)
        elif wire in _WIDTHS:
            length = _WIDTHS[wire]
        else:
            return
        yield key >> 3, message[place : place + length]
        place += length


def varints(packed: memoryview) -> Iterator[int]:
    """The numbers of a packed field."""
    place = 0
    while place < len(packed):
        number, place = _varint(packed, place)
        yield number


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at `place`, seven bits a byte, the lowest first; and what follows it."""
    value = shift = 0
    while place < len(message):
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            break
    return value, place


def varint_bytes(number: int) -> bytes:
    """A number from 0 on as it is written."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
