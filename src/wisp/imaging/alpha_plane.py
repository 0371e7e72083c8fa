"""The alpha plane as it travels in a file: a PNG from a stranger, looked at before it is decoded."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from wisp.errors import BitstreamError, Corrupt


def pack_alpha(alpha_u8: NDArray[np.uint8]) -> bytes:
    """(H, W) uint8 -> a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(alpha_u8).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def unpack_alpha(data: bytes, width: int, height: int) -> Image.Image:
    """Mode L, width x height.

    Raises:
        Corrupt: it is another kind of file, of another size or depth, or damaged.
    """
    try:  # the plugin itself: Image.open would ask a limit of Pillow's; here the size is compared
        with PngImageFile(io.BytesIO(data)) as opened:
            if opened.size != (width, height) or opened.mode != "L" or data[24:26] != b"\x08\0":
                raise Corrupt(
                    f"expected an alpha plane of {width}x{height}, 8-bit grey, "
                    f"found {opened.mode} {opened.width}x{opened.height} of {data[24]} bits; the file is damaged"
                )
            opened.load()
            return Image.fromarray(np.asarray(opened))
    except (BitstreamError, MemoryError):
        raise
    except Exception as fault:  # Pillow's decoder raises a dozen kinds for damaged data
        text = " ".join(str(fault).split())
        raise Corrupt(f"expected an alpha plane as PNG, found: {text}; the file is damaged") from None
