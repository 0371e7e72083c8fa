"""Signed levels to a range-coded payload and back, each under a row of integer frequencies.

A row has 256 symbols: 0..254 are the levels -127..127, 255 says that a larger magnitude follows. First come all
symbols of a call, then for each symbol 255 one byte, sign and excess over 128.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.range_coder import LOOKAHEAD, TOTAL, RangeDecoder, RangeEncoder
from wisp.errors import Corrupt, Truncated, UsageError

REACH = 127  # largest magnitude with a symbol of its own
LARGEST = 2 * REACH + 1  # largest magnitude there is: one byte beyond the reach, sign included
ESCAPE = 2 * REACH + 1
NUM_SYMBOLS = ESCAPE + 1
_ROWS = 512  # coded at once: half a megabyte of table rows
_BYTE = TOTAL // 256  # frequency of each value of a byte that is written as it is
_NEGATIVE = 128


@dataclass(frozen=True)
class LevelTables:
    """Rows of frequencies, not to be written to.

    Attributes:
        frequencies: (R, 256) uint32, each at least 1, rows sum to 2^16.
        cumulatives: (R, 257) int32 from 0 to 2^16.
    """

    frequencies: NDArray[np.uint32]
    cumulatives: NDArray[np.int32]

    def bits(self, levels: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """Bits of each level under its row; an estimate, a large magnitude's byte left out."""
        ideal: NDArray[np.float64] = -np.log2(self.frequencies[rows, symbols_of(levels)] / TOTAL)
        return ideal


def symbols_of(levels: NDArray[np.integer]) -> NDArray[np.intp]:
    """The symbol of each level."""
    return np.where(np.abs(levels) > REACH, ESCAPE, levels + REACH).astype(np.intp)


def write_rows(levels: NDArray[np.int16], rows: NDArray[np.integer], tables: LevelTables) -> bytes:
    """The payload of (n,) levels, each under the row of that number.

    Raises:
        UsageError: a level is beyond -255..255.
    """
    writer = RowWriter(tables)
    writer.write(levels, rows)
    return writer.finish()


def read_rows(data: bytes, rows: NDArray[np.integer], tables: LevelTables) -> tuple[NDArray[np.int16], int]:
    """The (n,) int16 levels under n rows, and how many bytes of `data` they took.

    Raises:
        Truncated: the payload ends too early.
        Corrupt: no encoder writes these bytes.
    """
    reader = RowReader(data, tables)
    levels = reader.read(rows)
    return levels, reader.finish()


class RowWriter:
    """A payload whose rows may follow from what was written before."""

    def __init__(self, tables: LevelTables) -> None:
        self._tables = tables
        self._encoder = RangeEncoder()

    def write(self, levels: NDArray[np.int16], rows: NDArray[np.integer]) -> None:
        """(n,) levels, each under the row of that number.

        Raises:
            UsageError: a level is beyond -255..255.
        """
        if np.abs(levels).max(initial=0) > LARGEST:
            raise UsageError(
                f"expected levels from -{LARGEST} to {LARGEST}, found {int(np.abs(levels).max())}"
            )
        frequencies, cumulatives = self._tables.frequencies, self._tables.cumulatives
        for first in range(0, len(levels), _ROWS):
            here = slice(first, first + _ROWS)
            symbols = symbols_of(levels[here])
            self._encoder.encode(
                cumulatives[rows[here], symbols].tolist(), frequencies[rows[here], symbols].tolist()
            )
        large = levels[np.abs(levels) > REACH]
        excess = np.abs(large).astype(np.int64) - (REACH + 1) + np.where(large < 0, _NEGATIVE, 0)
        self._encoder.encode((excess * _BYTE).tolist(), [_BYTE] * len(excess))

    def finish(self) -> bytes:
        """The payload."""
        return self._encoder.finish()


class RowReader:
    """The inverse of `RowWriter`, call by call."""

    def __init__(self, data: bytes, tables: LevelTables) -> None:
        self._data, self._tables = data, tables
        self._decoder = RangeDecoder(
            data, num_virtual=LOOKAHEAD
        )  # nothing follows that it could read ahead into

    def read(self, rows: NDArray[np.integer]) -> NDArray[np.int16]:
        """The (n,) int16 levels under n rows.

        Raises:
            Truncated: the payload ends too early.
            Corrupt: no encoder writes these bytes.
        """
        parts = [
            self._decoder.decode(self._tables.cumulatives[rows[first : first + _ROWS]])
            for first in range(0, len(rows), _ROWS)
        ]
        symbols = np.concatenate([np.empty(0, np.uint8), *parts])
        levels = symbols.astype(np.int16) - np.int16(REACH)
        places = np.flatnonzero(symbols == ESCAPE)
        flat = np.arange(257, dtype=np.int32)[None] * np.int32(_BYTE)
        for first in range(0, len(places), _ROWS):
            some = places[first : first + _ROWS]
            excess = self._decoder.decode(np.repeat(flat, len(some), 0)).astype(np.int16)
            magnitudes = excess % _NEGATIVE + (REACH + 1)
            levels[some] = np.where(excess >= _NEGATIVE, -magnitudes, magnitudes)
        return levels

    def fault(self, found: str) -> Truncated | Corrupt:
        """What an impossible level means: missing bytes, if there were none left to read, else wrong ones."""
        return self._decoder.fault(found)

    def finish(self) -> int:
        """How many bytes the payload took.

        Raises:
            Truncated: there are fewer.
            Corrupt: no encoder writes these bytes.
        """
        length = self._decoder.finish()
        if length > len(self._data):
            raise Truncated(f"expected {length} bytes of levels, found {len(self._data)}; the end is missing")
        return length
