"""wisp: a photograph in 200 bytes, 2 kB or 20 kB.

data  = wisp.compress(image, size=2000)     # bytes, len(data) <= 2000, always
image = wisp.decompress(data)               # PIL.Image
info  = wisp.read_info(data)                # ImageInfo, no pixels decoded
full  = wisp.reconstruct(data)              # Reconstruction(image, confidence, info)
"""

from __future__ import annotations

from wisp.api import compress, decompress, from_text, open_image, read_info, reconstruct, to_text
from wisp.errors import (
    BitstreamError,
    BudgetError,
    CodecError,
    Corrupt,
    ImageError,
    LimitExceeded,
    ModelError,
    ModelMismatch,
    ModelNotFound,
    NotWisp,
    Truncated,
    UnknownModel,
    UnsupportedVersion,
    UsageError,
    WispError,
)
from wisp.types import ImageInfo, Reconstruction

__version__ = "0.1.0"

__all__ = [
    "BitstreamError",
    "BudgetError",
    "CodecError",
    "Corrupt",
    "ImageError",
    "ImageInfo",
    "LimitExceeded",
    "ModelError",
    "ModelMismatch",
    "ModelNotFound",
    "NotWisp",
    "Reconstruction",
    "Truncated",
    "UnknownModel",
    "UnsupportedVersion",
    "UsageError",
    "WispError",
    "__version__",
    "compress",
    "decompress",
    "from_text",
    "open_image",
    "read_info",
    "reconstruct",
    "to_text",
]
