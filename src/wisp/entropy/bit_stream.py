"""Single bits to bytes and back, the highest bit of a byte first."""

from __future__ import annotations

from wisp.errors import Corrupt, Truncated


class BitWriter:
    """Bits in, bytes out; first in, first out."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._pending = 0
        self._held = 0

    def write(self, value: int, count: int) -> None:
        """Append `count` bits, the highest first; 0 <= value < 2^count."""
        self._pending = self._pending << count | value
        self._held += count
        while self._held >= 8:
            self._held -= 8
            self._out.append(self._pending >> self._held)
            self._pending &= (1 << self._held) - 1

    def finish(self) -> bytes:
        """Everything written, filled with zero bits to a whole byte; nothing may be written afterwards."""
        if self._held:
            self.write(0, 8 - self._held)
        return bytes(self._out)


class BitReader:
    """Bytes in, bits out; what is not there is never made up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, count: int) -> int:
        """The next `count` bits as a number, 0 without any.

        Raises:
            Truncated: fewer are left.
        """
        end = self._position + count
        if end > 8 * len(self._data):
            raise Truncated(
                f"expected at least {end} bits, found {8 * len(self._data)}; the end of the vector is missing"
            )
        last = (end + 7) // 8
        word = int.from_bytes(self._data[self._position // 8 : last], "big")
        self._position = end
        return word >> (8 * last - end) & ((1 << count) - 1)

    def finish(self) -> None:
        """Nothing may be left but the zero bits that fill the last byte.

        Raises:
            Corrupt: other bits are left.
        """
        left = 8 * len(self._data) - self._position
        if left >= 8 or self.read(left):
            raise Corrupt(
                "expected the end of the vector and zero bits, found more bits; the vector is damaged"
            )
