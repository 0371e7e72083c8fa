"""Elias' universal codes of the whole numbers from 1: gamma, delta and omega.

Elias 1975, "Universal codeword sets and representations of the integers", section IV. With beta(k) for k in binary
and |k| for its number of bits:

    gamma(k) = |k| - 1 zeros, beta(k)
    delta(k) = gamma(|k|), beta(k) without its leading one
    omega(k) = ... beta(||k| - 1| - 1) beta(|k| - 1) beta(k) 0, from the first group of two bits; omega(1) = 0

No word stands for 0. A number that may be 0 is coded as its successor; leaving that out makes 0 and 1 the same word.
Numbers end at 2^32 - 1, so that no word has more than 63 bits and no reader goes on for ever.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from wisp.entropy.bit_stream import BitReader, BitWriter
from wisp.errors import Corrupt, UsageError

VALUE_BITS = 32
MAX_VALUE = (1 << VALUE_BITS) - 1


class EliasCode(ABC):
    """One of the codes."""

    name: str

    @abstractmethod
    def word(self, value: int) -> tuple[int, int]:
        """The word of a value, 1..2^32 - 1, as a number and how many bits of it count.

        Raises:
            UsageError: the value is outside.
        """

    @abstractmethod
    def read(self, reader: BitReader) -> int:
        """The next value, 1..2^32 - 1.

        Raises:
            Truncated: the bits end inside the word.
            Corrupt: the word is that of a larger number.
        """

    def write(self, writer: BitWriter, value: int) -> None:
        """Append the word of a value; errors as in `word`."""
        writer.write(*self.word(value))

    def length(self, value: int) -> int:
        """Bits of the word of a value; errors as in `word`."""
        return self.word(value)[1]


class Gamma(EliasCode):
    """2 |k| - 1 bits; below 32 neither of the others is shorter."""

    name = "gamma"

    def word(self, value: int) -> tuple[int, int]:
        return value, 2 * _width(value) - 1

    def read(self, reader: BitReader) -> int:
        zeros = 0
        while not reader.read(1):
            zeros += 1
            if zeros == VALUE_BITS:
                raise _too_large()
        return 1 << zeros | reader.read(zeros)


class Delta(EliasCode):
    """|k| - 1 bits behind the gamma word of |k|."""

    name = "delta"

    def word(self, value: int) -> tuple[int, int]:
        rest = _width(value) - 1
        head, head_bits = Gamma().word(rest + 1)
        return head << rest | value - (1 << rest), head_bits + rest

    def read(self, reader: BitReader) -> int:
        width = Gamma().read(reader)
        if width > VALUE_BITS:
            raise _too_large()
        return 1 << (width - 1) | reader.read(width - 1)


class Omega(EliasCode):
    """The recursive code, which QSGD is published with: each group tells how long the next one is."""

    name = "omega"

    def word(self, value: int) -> tuple[int, int]:
        rest = _width(value)
        word, count, group = 0, 1, value
        while group > 1:
            word |= group << count
            count += rest
            group = rest - 1
            rest = group.bit_length()
        return word, count

    def read(self, reader: BitReader) -> int:
        value = 1
        while reader.read(1):
            if value >= VALUE_BITS:
                raise _too_large()
            value = 1 << value | reader.read(value)
        return value


def _width(value: int) -> int:
    """Bits of a number in binary."""
    if not 1 <= value <= MAX_VALUE:
        raise UsageError(f"expected a number from 1 to 2^32 - 1 for an Elias code, found {value}")
    return value.bit_length()


def _too_large() -> Corrupt:
    return Corrupt("expected an Elias code of at most 2^32 - 1, found a larger one; the vector is damaged")
