"""A byte-wise range coder with carries, for integer frequencies that sum to 2^16.

Martin 1979, "Range encoding"; carries are propagated into the bytes already written. The whole state is
two 32-bit integers, so the same few lines exist in any language (docs/format.md, section "Payload").

The flush writes the one or two bytes after which *any* bytes may follow without changing what is decoded.
A decoder thus may read ahead into whatever follows the payload, and once the last symbol is decoded it
knows exactly how long the payload was.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from wisp.errors import Corrupt, Truncated

TOTAL_BITS = 16
TOTAL = 1 << TOTAL_BITS
_MASK = (1 << 32) - 1
_BOTTOM = 1 << 24
MAX_VIRTUAL_BYTES = 1  # zero bytes a decoder may assume beyond the end of the file
LOOKAHEAD = 4


def _flush(low: int, range_: int) -> tuple[int, int, int]:
    """(n, step, gap): n bytes finish the stream; low + gap is the multiple of step whose top n bytes they are."""
    step = 1 << 24
    gap = -low % step
    if gap + step <= range_:
        return 1, step, gap
    step = 1 << 16
    return 2, step, -low % step


class StreamEnded(Exception):
    """A partial decoder's bytes have come to an end; caught by whoever asked for a partial decode.

    Attributes:
        symbols: (m,) uint8, those of the call that were decoded before.
    """

    def __init__(self, symbols: NDArray[np.uint8]) -> None:
        super().__init__("the stream ended")
        self.symbols = symbols


class RangeEncoder:
    """Symbols in, bytes out; first in, first out."""

    def __init__(self) -> None:
        self._low = 0
        self._range = _MASK
        self._out = bytearray()

    def encode(self, cumulatives: Iterable[int], frequencies: Iterable[int]) -> None:
        """Append symbols given as (cumulative, frequency) pairs; frequency >= 1, cumulative + frequency <= 2^16."""
        low, range_, out = self._low, self._range, self._out
        for cumulative, frequency in zip(cumulatives, frequencies, strict=True):
            unit = range_ >> TOTAL_BITS
            low += unit * cumulative
            range_ = unit * frequency
            if low > _MASK:
                low &= _MASK
                self._carry()
            while range_ < _BOTTOM:
                out.append(low >> 24)
                low = low << 8 & _MASK
                range_ <<= 8
        self._low, self._range = low, range_

    def _carry(self) -> None:
        place = len(self._out) - 1
        while self._out[place] == 0xFF:
            self._out[place] = 0
            place -= 1
        self._out[place] += 1

    def finish(self) -> bytes:
        """The payload; nothing may be encoded afterwards."""
        count, _, gap = _flush(self._low, self._range)
        value = self._low + gap
        if value > _MASK:
            self._carry()
            value &= _MASK
        self._out += value.to_bytes(4, "big")[:count]
        return bytes(self._out)


class RangeDecoder:
    """Bytes in, symbols out. `data` is the payload and whatever follows it in the file.

    With `partial`, nothing is decoded once a byte was needed that is not there: StreamEnded. Otherwise `num_virtual`
    such bytes are taken as zero (the flush makes them harmless in a whole stream: one where two bytes follow it, as in
    a file, LOOKAHEAD where nothing does) and one more raises Truncated.
    """

    def __init__(self, data: bytes, *, partial: bool = False, num_virtual: int = MAX_VIRTUAL_BYTES) -> None:
        self._data = data
        self._partial = partial
        self._num_virtual = num_virtual
        self._position = 0
        self._low = 0
        self._range = _MASK
        self._code = 0
        for _ in range(LOOKAHEAD):
            self._code = self._code << 8 | self._next()

    def _next(self) -> int:
        position = self._position
        self._position += 1
        if position < len(self._data):
            return self._data[position]
        if not self._partial and position >= len(self._data) + self._num_virtual:
            raise Truncated(
                f"expected at least {position} bytes of payload and check, found {len(self._data)}; the end is missing"
            )
        return 0

    @property
    def exhausted(self) -> bool:
        """True once a byte was taken that is not there: later symbols mean nothing."""
        return self._position > len(self._data)

    def fault(self, found: str) -> Truncated | Corrupt:
        """The error, to be raised, that a contradiction in the stream amounts to (docs/format.md, section 5.6)."""
        if self.exhausted:
            return Truncated(f"expected a whole range-coded payload, found {found}; the end is missing")
        return Corrupt(f"expected a range-coded payload, found {found}; the file is damaged")

    def decode(self, cumulatives: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Decode one symbol a row.

        Args:
            cumulatives: (n, K + 1) int32, each row rising from 0 to 2^16 by at least 1; K <= 256.

        Returns:
            (n,) uint8 symbols.

        Raises:
            Truncated: the payload ends too early.
            Corrupt: no encoder writes these bytes.
            StreamEnded: the decoder is partial, and the bytes end before the last row.
        """
        if self._partial and self.exhausted:
            raise StreamEnded(np.empty(0, np.uint8))
        count, width = cumulatives.shape
        # bisect over a flat memoryview: ten times faster than a numpy search of one row at a time
        flat = memoryview(np.ascontiguousarray(cumulatives).reshape(-1).data)
        symbols = bytearray(count)
        low, range_, code = self._low, self._range, self._code
        base = 0
        end = len(self._data) if self._partial else sys.maxsize
        for i in range(count):
            unit = range_ >> TOTAL_BITS
            value = code // unit
            if value >= TOTAL:
                raise self.fault("bytes that no encoder writes")
            place = bisect_right(flat, value, base, base + width) - 1
            start = flat[place]
            code -= unit * start
            low = (low + unit * start) & _MASK
            range_ = unit * (flat[place + 1] - start)
            while range_ < _BOTTOM:
                code = code << 8 | self._next()
                low = low << 8 & _MASK
                range_ <<= 8
            symbols[i] = place - base
            base += width
            if self._position > end:
                self._low, self._range, self._code = low, range_, code
                if i + 1 < count:
                    raise StreamEnded(np.frombuffer(bytes(symbols[: i + 1]), np.uint8))
        self._low, self._range, self._code = low, range_, code
        return np.frombuffer(bytes(symbols), np.uint8)

    def decode_bit(self, zero: int) -> int:
        """0 or 1, where 0 has `zero` of 2^16 and lies below; for decoders that are not partial.

        Raises:
            Truncated: the payload ends too early.
            Corrupt: no encoder writes these bytes.
        """
        unit = self._range >> TOTAL_BITS
        value = self._code // unit
        if value >= TOTAL:
            raise self.fault("bytes that no encoder writes")
        found = int(value >= zero)
        start, width = (zero, TOTAL - zero) if found else (0, zero)
        self._code -= unit * start
        self._low = (self._low + unit * start) & _MASK
        self._range = unit * width
        while self._range < _BOTTOM:
            self._code = self._code << 8 | self._next()
            self._low = self._low << 8 & _MASK
            self._range <<= 8
        return found

    def finish(self) -> int:
        """Length of the payload in bytes, once the last symbol is decoded.

        Raises:
            Truncated, Corrupt: the finishing bytes are not those an encoder writes.
        """
        count, step, gap = _flush(self._low, self._range)
        if not gap <= self._code < gap + step:
            raise self.fault("finishing bytes that no encoder writes")
        return self._position - LOOKAHEAD + count
