"""What the bench asks of any codec: the best file that fits in so many bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from PIL import Image

from wisp.errors import UsageError


class CodecUnavailable(UsageError):
    """A codec cannot be used here; the message says what is missing and how to install it.

    Raised by an adapter's constructor, so that a run can note the reason and go on with the other codecs.
    """


@dataclass(frozen=True)
class Encoded:
    """A file that fits its budget.

    Attributes:
        data_num_bytes: size of the whole file in bytes, header included.
        decoded: the picture read back from exactly those bytes, 8-bit RGB, original size.
        setting: the dial's position that made it, for people to read.
    """

    data_num_bytes: int
    decoded: Image.Image
    setting: str


@dataclass(frozen=True)
class Unreachable:
    """No file of this codec is that small.

    Attributes:
        smallest_num_bytes: size in bytes of the smallest file the codec can make of the picture.
    """

    smallest_num_bytes: int


class AbstractCodec(ABC):
    """One codec on the bench."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name used on the command line and in the results."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Everything but the picture that decides the bytes; rows of another version are measured again."""

    @abstractmethod
    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        """The largest file of at most `budget_num_bytes` bytes, decoded again.

        Args:
            image: 8-bit RGB picture.
            budget_num_bytes: upper bound of the whole file, in bytes.
        """
