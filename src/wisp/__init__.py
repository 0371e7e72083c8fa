"""wisp: a photograph in 200 bytes, 2 kB or 20 kB.

data  = wisp.compress(image, size=2000)     # bytes, len(data) <= 2000, always
image = wisp.decompress(data)               # PIL.Image
info  = wisp.read_info(data)                # ImageInfo, no pixels decoded
wisp.check(data)                            # raises if the file is cut or damaged
full  = wisp.reconstruct(data)              # Reconstruction(image, confidence, info)
parts = wisp.packetize(image, size=2000, mtu=200)
full  = wisp.unpacketize(parts[3:])         # any of them will do
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wisp.errors import (
    BitstreamError,
    BudgetError,
    CodecError,
    Corrupt,
    ImageError,
    LimitExceeded,
    MixedPackets,
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

if TYPE_CHECKING:
    from wisp.api import compress, decompress, from_text, open_image, read_info, reconstruct, to_text
    from wisp.imaging import Picture
    from wisp.integrity import check
    from wisp.packets import packetize, unpacketize
    from wisp.sequences import compress_sequence, decompress_sequence, key_frame, read_sequence_info
    from wisp.types import DroppedPacket, Fill, ImageInfo, PacketReconstruction, Reconstruction, SequenceInfo

__version__ = "0.1.0"

__all__ = [
    "BitstreamError",
    "BudgetError",
    "CodecError",
    "Corrupt",
    "DroppedPacket",
    "Fill",
    "ImageError",
    "ImageInfo",
    "LimitExceeded",
    "MixedPackets",
    "ModelError",
    "ModelMismatch",
    "ModelNotFound",
    "NotWisp",
    "PacketReconstruction",
    "Picture",
    "Reconstruction",
    "SequenceInfo",
    "Truncated",
    "UnknownModel",
    "UnsupportedVersion",
    "UsageError",
    "WispError",
    "__version__",
    "check",
    "compress",
    "compress_sequence",
    "decompress",
    "decompress_sequence",
    "from_text",
    "key_frame",
    "open_image",
    "packetize",
    "read_info",
    "read_sequence_info",
    "reconstruct",
    "to_text",
    "unpacketize",
]

# What stands on numpy and Pillow is loaded when it is first asked for, so that `import wisp` costs a program nothing.
_HOMES = {
    "wisp.api": ("compress", "decompress", "from_text", "open_image", "read_info", "reconstruct", "to_text"),
    "wisp.integrity": ("check",),
    "wisp.packets": ("packetize", "unpacketize"),
    "wisp.sequences": ("compress_sequence", "decompress_sequence", "key_frame", "read_sequence_info"),
    "wisp.imaging": ("Picture",),
    "wisp.types": (
        "DroppedPacket",
        "Fill",
        "ImageInfo",
        "PacketReconstruction",
        "Reconstruction",
        "SequenceInfo",
    ),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
