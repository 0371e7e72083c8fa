"""What a caller gets of a file besides its latents: the picture in the file's mode, with its alpha plane, and EXIF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.container import ChunkType, WispFile
from wisp.imaging.alpha_plane import unpack_alpha


def picture_of(file: WispFile, pixels_u8: NDArray[np.uint8]) -> Image.Image:
    """(H, W, 3) uint8 -> mode RGB, L, RGBA or LA, as the file says."""
    data = next((c.data for c in file.chunks if c.type == ChunkType.ALPHA), None)
    alpha = None if data is None else unpack_alpha(data, file.header.width, file.header.height)
    image = _as_image(pixels_u8, file.header.greyscale)
    if alpha is not None:
        image.putalpha(alpha)
    return image


def exif_of(file: WispFile) -> bytes | None:
    """The EXIF block that a file carries."""
    return next((c.data for c in file.chunks if c.type == ChunkType.EXIF), None)


def _as_image(pixels_u8: NDArray[np.uint8], greyscale: bool) -> Image.Image:
    """In its own function, so that the array ends before alpha is added."""
    image = Image.fromarray(pixels_u8)
    return image.convert("L") if greyscale else image
