"""What the bench asks of any metric: a number for a decoded picture beside its original."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ImageError, UsageError

# (H, W, 3) uint8, sRGB: what a file decodes to, never something finer.
Picture: TypeAlias = NDArray[np.uint8]
# A decoded picture of the original's size -> its value; None where that is infinite or undefined.
Comparison: TypeAlias = Callable[[Picture], float | None]


class Direction(Enum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class MetricUnavailable(UsageError):
    """A metric cannot be had here; the text is the reason and what to do about it."""


class AbstractMetric(ABC):
    """One metric on the bench. The original is prepared once, then compared with any number of pictures."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The column's name in the results."""

    @property
    @abstractmethod
    def direction(self) -> Direction:
        """Which way is better."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of the value; "1" for a number without one."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Everything but the pictures that decides the value: definition, package, weights."""

    @property
    @abstractmethod
    def smallest_side(self) -> int:
        """In pixels; the value of a picture with a shorter side is undefined."""

    @abstractmethod
    def prepare(self, original_u8: Picture) -> Comparison:
        """The original, ready to be compared; called with checked pictures only."""

    @final
    def reference(self, original_u8: Picture) -> Comparison:
        """The original, ready to be compared.

        Args:
            original_u8: (H, W, 3) uint8, sRGB.

        Returns:
            A function from a decoded picture of the same shape and dtype to its value, None where that is
            infinite or undefined; it raises ImageError for any other array.

        Raises:
            ImageError: not (H, W, 3) uint8, or no pixels.
        """
        shape = original_u8.shape
        self._require(original_u8, original_u8.ndim == 3 and shape[2] == 3 and original_u8.size > 0)
        compare = self.prepare(original_u8) if min(shape[:2]) >= self.smallest_side else None

        def checked(decoded_u8: Picture) -> float | None:
            if decoded_u8.shape != shape:
                raise ImageError(
                    f"{self.name}: expected two pictures of one size, found {shape} and {decoded_u8.shape}; "
                    "scale the decoded picture back"
                )
            self._require(decoded_u8, True)
            return None if compare is None else compare(decoded_u8)

        return checked

    def _require(self, pixels: Picture, well_shaped: bool) -> None:
        if pixels.dtype != np.uint8 or not well_shaped:
            raise ImageError(
                f"{self.name}: expected (H, W, 3) uint8 pixels, found {pixels.shape} {pixels.dtype}; convert to "
                "8-bit RGB"
            )
