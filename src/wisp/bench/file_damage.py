"""What a decoder makes of a file with one wrong byte, or with its end missing.

Four things can happen, and two of them are lawful: an error with a name, or the same picture. A different
picture without a word is what a 16-bit check lets through once in 65,536 times. Any other exception is wisp's
fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from wisp.errors import CodecError

MAX_EXAMPLES = 20


class Verdict(Enum):
    """What came of one damaged file."""

    NAMED_ERROR = "named error"
    SAME_PICTURE = "same picture"
    SILENT_DIFFERENCE = "silent different picture"
    OTHER_EXCEPTION = "other exception"


@dataclass(frozen=True)
class Damage:
    """One damaged copy of a file.

    Attributes:
        what: ``byte 17: 3C -> 3D`` or ``cut to 40``.
        data: the copy.
    """

    what: str
    data: bytes


@dataclass
class DamageCounts:
    """A tally of verdicts.

    Attributes:
        verdicts: how many of each.
        errors: how many of each named error, by the name of its class.
        examples: the first few silent differences and other exceptions, for people to read.
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many copies were tried."""
        return sum(self.verdicts.values())

    def note(self, damage: Damage, verdict: Verdict, detail: str) -> None:
        """Count one copy; `detail` is the error's class, or what else there is to say."""
        self.verdicts[verdict] += 1
        if verdict is Verdict.NAMED_ERROR:
            self.errors[detail] += 1
        elif verdict is not Verdict.SAME_PICTURE and len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{damage.what}: {verdict.value} {detail}".rstrip())


def changed_bytes(data: bytes, num_values: int | None = None, seed: int = 0) -> Iterator[Damage]:
    """Every byte changed to every other value, or to `num_values` values of the 255, drawn by `seed`."""
    random = np.random.default_rng(seed)
    for place, old in enumerate(data):
        others = [value for value in range(256) if value != old]
        if num_values is not None and num_values < len(others):
            others = sorted(int(value) for value in random.choice(others, num_values, replace=False))
        for new in others:
            yield Damage(
                f"byte {place}: {old:02X} -> {new:02X}", data[:place] + bytes([new]) + data[place + 1 :]
            )


def cuts(data: bytes) -> Iterator[Damage]:
    """The file cut to every shorter length, 0 included."""
    for length in range(len(data)):
        yield Damage(f"cut to {length}", data[:length])


def judge(
    damage: Damage, picture: bytes, see: Callable[[bytes], bytes], screen: Callable[[bytes], object] | None
) -> tuple[Verdict, str]:
    """What the decoder makes of one copy.

    Args:
        damage: the copy.
        picture: what `see` made of the file itself.
        see: file -> its picture as comparable bytes; the decoder under test.
        screen: a quicker decoder that finds the same faults, tried first; what it lets pass goes on to `see`.
    """
    try:
        if screen is not None:
            screen(damage.data)
        seen = see(damage.data)
    except CodecError as fault:
        return Verdict.NAMED_ERROR, type(fault).__name__
    except Exception as fault:
        return Verdict.OTHER_EXCEPTION, f"{type(fault).__name__}: {fault}"
    return (Verdict.SAME_PICTURE if seen == picture else Verdict.SILENT_DIFFERENCE), ""


def tally(
    damages: Iterator[Damage],
    picture: bytes,
    see: Callable[[bytes], bytes],
    screen: Callable[[bytes], object] | None = None,
) -> DamageCounts:
    """Judge every copy; arguments as in `judge`."""
    counts = DamageCounts()
    for damage in damages:
        counts.note(damage, *judge(damage, picture, see, screen))
    return counts
