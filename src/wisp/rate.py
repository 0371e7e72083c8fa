"""Sizes and rates: one definition of bpp, and how people write a number of bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real

from wisp.errors import UsageError

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(b|kb?|kib|mb?|mib)?\s*", re.IGNORECASE)
_UNIT = {"b": 1, "k": 1000, "kb": 1000, "kib": 1024, "m": 1_000_000, "mb": 1_000_000, "mib": 1 << 20}
UNITS = frozenset(_UNIT)
_ENDLESS = 1 << 48  # bytes: no file comes near, and the arithmetic of a budget stays within doubles


def rate_bpp(num_bytes: int, width: int, height: int) -> float:
    """Bits per pixel: 8 x bytes of the whole file / (original width x original height)."""
    return 8 * num_bytes / (width * height)


def parse_size(text: str) -> int:
    """Bytes from "200", "2kB" (2000), "1.5k" (1500), "2KiB" (2048) or "1MB", in letters of either case.

    Raises:
        UsageError: not a size, or below one byte.
    """
    match = _SIZE.fullmatch(text)
    # Decimal, since 2.01 * 1000 is 2009.999 in binary.
    found = Decimal(match[1]) * _UNIT[(match[2] or "b").lower()] if match else Decimal(0)
    num_bytes = int(min(found, Decimal(_ENDLESS)))
    if num_bytes < 1:
        raise UsageError(f"expected a size such as 200, 2kB or 1.5KiB, found {text!r}")
    return num_bytes


@dataclass(frozen=True)
class Target:
    """What a file may cost: exactly one of a number of bytes, a rate, or a quality.

    Attributes:
        size: the most bytes the whole file may have.
        bpp: the same, as bits per original pixel.
        quality: 0..100; the size then follows the picture's content instead of a budget.
    """

    size: int | None = None
    bpp: float | None = None
    quality: float | None = None

    def __post_init__(self) -> None:
        given = [n for n in ("size", "bpp", "quality") if getattr(self, n) is not None]
        if len(given) != 1:
            raise UsageError(f"expected one of size, bpp and quality, found {given or 'none'}; give just one")
        if self.size is not None and not (_is_number(self.size) and self.size >= 1 and self.size % 1 == 0):
            raise UsageError(f"expected size to be a whole number of bytes from 1 up, found {self.size!r}")
        if self.bpp is not None and not (_is_number(self.bpp) and 0 < self.bpp < 1000):
            raise UsageError(f"expected bpp to be above 0 and below 1000, found {self.bpp!r}")
        if self.quality is not None and not (_is_number(self.quality) and 0 <= self.quality <= 100):
            raise UsageError(f"expected quality from 0 to 100, found {self.quality!r}")

    def budget(self, width: int, height: int) -> int | None:
        """Most bytes the file may have for a picture of width x height pixels; None when quality decides."""
        if self.bpp is not None:
            return max(1, int(self.bpp * width * height / 8 + 1e-9))
        return None if self.size is None else int(min(self.size, _ENDLESS))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def make_target(size: int | str | None, bpp: float | None, quality: float | None) -> Target:
    """Target from a caller's options; quality 50 when none is given; size may be written as "2kB"."""
    if size is None and bpp is None and quality is None:
        return Target(quality=50)
    return Target(size=parse_size(size) if isinstance(size, str) else size, bpp=bpp, quality=quality)
