"""Bit fields as declared data: one table says how a header is written, read and shown.

A field is stored in exactly `num_bits` bits, the most significant first, directly behind the field before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wisp.errors import Truncated, UsageError


@dataclass(frozen=True)
class BitField:
    """One field of a header.

    Attributes:
        name: what code and `wisp info` call it.
        num_bits: its width.
        meaning: one line for people.
    """

    name: str
    num_bits: int
    meaning: str

    @property
    def maximum(self) -> int:
        """Largest value that fits."""
        return (1 << self.num_bits) - 1


@dataclass(frozen=True)
class FieldValue:
    """A field together with the number stored in it, 0..field.maximum."""

    field: BitField
    stored: int


def pack_fields(values: Sequence[FieldValue]) -> bytes:
    """Write fields one behind the other.

    Args:
        values: fields whose widths add up to whole bytes.

    Raises:
        UsageError: a value does not fit its field, or the widths do not fill whole bytes.
    """
    packed = 0
    num_bits = 0
    for value in values:
        field = value.field
        if not 0 <= value.stored <= field.maximum:
            raise UsageError(
                f"expected {field.name} in 0..{field.maximum} ({field.num_bits} bits), found {value.stored}"
            )
        packed = packed << field.num_bits | value.stored
        num_bits += field.num_bits
    if num_bits % 8:
        raise UsageError(f"expected fields that fill whole bytes, found {num_bits} bits; complete the table")
    return packed.to_bytes(num_bits // 8, "big")


def unpack_fields(fields: Sequence[BitField], data: bytes, offset: int) -> tuple[tuple[FieldValue, ...], int]:
    """Read fields that lie one behind the other.

    Args:
        fields: what to read; the widths add up to whole bytes.
        data: the whole file.
        offset: where the first field begins, in bytes.

    Returns:
        the fields with their values, and the offset behind them.

    Raises:
        Truncated: the data ends before the last field does.
    """
    remaining_bits = sum(field.num_bits for field in fields)
    end = offset + remaining_bits // 8
    if end > len(data):
        raise Truncated(
            f"expected {end} bytes up to {fields[-1].name} inclusive, found {len(data)}; fetch the file again"
        )
    packed = int.from_bytes(data[offset:end], "big")
    values = []
    for field in fields:
        remaining_bits -= field.num_bits
        values.append(FieldValue(field, packed >> remaining_bits & field.maximum))
    return tuple(values), end
