"""Every error that wisp raises on purpose.

    WispError
    ├── CodecError
    │   ├── BitstreamError            the bytes are at fault
    │   │   ├── NotWisp               no signature
    │   │   ├── UnsupportedVersion    a later format, or an unknown critical chunk
    │   │   ├── Truncated             bytes are missing at the end
    │   │   ├── Corrupt               bytes contradict each other
    │   │   ├── MixedPackets          packets of more than one picture (carries their numbers)
    │   │   └── LimitExceeded         a declared size is above a limit
    │   ├── ModelError                the model is at fault
    │   │   ├── UnknownModel          a name or number that no registry knows
    │   │   ├── ModelNotFound         known, but its bundle is not installed
    │   │   └── ModelMismatch         installed, but its hashes or shapes differ
    │   ├── BudgetError               no file of the wanted size exists (carries the smallest)
    │   └── ImageError                unreadable, empty, or an unsupported mode
    └── UsageError                    options that contradict each other or are out of range

Every message says what was expected, what was found, and what to do, on one line.
"""

from __future__ import annotations

from collections.abc import Sequence


class WispError(Exception):
    """Base of all errors that wisp raises on purpose."""


class CodecError(WispError):
    """Something in compressing or decompressing went wrong."""


class BitstreamError(CodecError):
    """The bytes of a file are at fault."""


class NotWisp(BitstreamError):
    """The data does not begin with the wisp signature."""


class UnsupportedVersion(BitstreamError):
    """The file needs a newer reader: a later format version or an unknown critical chunk."""


class Truncated(BitstreamError):
    """The file ends before its content does."""


class Corrupt(BitstreamError):
    """The bytes contradict each other: a check fails, or a value is out of its range."""


class MixedPackets(BitstreamError):
    """Packets of more than one picture where those of one were expected.

    Attributes:
        picture_ids: the numbers of the pictures found; two pictures may have the same one.
    """

    def __init__(self, message: str, picture_ids: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.picture_ids = tuple(picture_ids)


class LimitExceeded(BitstreamError):
    """A declared size is above a limit; raised before anything of that size is allocated."""


class ModelError(CodecError):
    """A model is at fault."""


class UnknownModel(ModelError):
    """No registry knows a model of that name or number."""


class ModelNotFound(ModelError):
    """The model is registered, but its bundle is not installed on this machine."""


class ModelMismatch(ModelError):
    """A bundle's files differ from what its configuration declares."""


class BudgetError(CodecError):
    """No file of the wanted size exists for this image and model.

    Attributes:
        smallest_num_bytes: the smallest size, in bytes, that would have worked.
    """

    def __init__(self, message: str, smallest_num_bytes: int = 0) -> None:
        # Alone, as copies and other processes get it; attributes follow by themselves.
        super().__init__(message)
        self.smallest_num_bytes = smallest_num_bytes


class ImageError(CodecError):
    """A picture cannot be used: unreadable, empty, or of an unsupported kind."""


class UsageError(WispError):
    """Options that contradict each other or are out of range."""
