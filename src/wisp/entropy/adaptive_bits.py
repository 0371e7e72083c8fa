"""Yes or no under probabilities that learn: for the small print of a sequence, whose statistics no table knows.

A context is a probability in 1/2^16 and how often it was used. It moves towards what was seen, by a fourth of the
way at first and by a fortieth in the end. All numbers are whole, so writer and reader stay together.

One walk serves both directions: syntax is written against BitPort, whose `bit` takes what is written and returns
what stands there; a reader ignores what it is given.
"""

from __future__ import annotations

from typing import Protocol

from wisp.entropy.range_coder import TOTAL, RangeDecoder, RangeEncoder

FIRST, LAST = 4, 40  # part of the way that a context moves: 1/4, 1/5, ... 1/40
LEAST = 512  # of 2^16: no answer is less likely than that


class Contexts:
    """The state of `count` contexts, each at one half.

    Attributes:
        shares: of answers 1, in 1/2^16, LEAST to 2^16 - LEAST.
        parts: the next move is by 1/parts.
    """

    def __init__(self, count: int) -> None:
        self.shares = [TOTAL // 2] * count
        self.parts = [FIRST] * count

    def copy(self) -> Contexts:
        """The same state, to go on from separately."""
        other = Contexts(0)
        other.shares, other.parts = self.shares.copy(), self.parts.copy()
        return other

    def learn(self, context: int, bit: int) -> None:
        """Move a context towards what was seen."""
        part = self.parts[context]
        share = self.shares[context] + (bit * TOTAL - self.shares[context]) // part
        self.shares[context] = min(max(share, LEAST), TOTAL - LEAST)
        self.parts[context] = min(part + 1, LAST)


class BitPort(Protocol):
    """One direction of a walk over bits."""

    def bit(self, context: int, value: int) -> int:
        """0 or 1 under a context."""
        ...

    def equal(self, value: int, count: int) -> int:
        """One of `count` numbers from 0, a power of two, all equally likely: its bits, the highest first."""
        ...


class BitWriter:
    """Writes what it is given, and returns it."""

    def __init__(self, encoder: RangeEncoder, contexts: Contexts) -> None:
        self._encoder, self._contexts = encoder, contexts

    def bit(self, context: int, value: int) -> int:
        """0 or 1 under a context; the interval of 0 lies below that of 1."""
        share = self._contexts.shares[context]
        start, width = (TOTAL - share, share) if value else (0, TOTAL - share)
        self._encoder.encode((start,), (width,))
        self._contexts.learn(context, value)
        return value

    def equal(self, value: int, count: int) -> int:
        """One of `count` numbers from 0, a power of two, all equally likely: its bits, the highest first."""
        half = TOTAL // 2
        for place in reversed(range(count.bit_length() - 1)):
            self._encoder.encode((half * (value >> place & 1),), (half,))
        return value


class BitReader:
    """Returns what stands there, whatever it is given.

    Raises (each method):
        Truncated: the payload ends too early.
        Corrupt: no encoder writes these bytes.
    """

    def __init__(self, decoder: RangeDecoder, contexts: Contexts) -> None:
        self._decoder, self._contexts = decoder, contexts

    def bit(self, context: int, value: int = 0) -> int:
        """0 or 1 under a context."""
        found = self._decoder.decode_bit(TOTAL - self._contexts.shares[context])
        self._contexts.learn(context, found)
        return found

    def equal(self, value: int, count: int) -> int:
        """One of `count` numbers from 0, a power of two, all equally likely: its bits, the highest first."""
        found = 0
        for _ in range(count.bit_length() - 1):
            found = 2 * found + self._decoder.decode_bit(TOTAL // 2)
        return found
