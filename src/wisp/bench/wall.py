"""The picture wall: the same place of one picture as every codec decoded it, as small files beside the rows.

    wall/IMAGE/original.webp
    wall/IMAGE/BPP/CODEC.webp       BPP as in 0.05; "/" and ":" of a codec's name are written "_": avif@1_2.webp

The place is the middle of the picture, chosen before any codec is run, so that it favours none.
"""

from __future__ import annotations

import io
from pathlib import PurePosixPath

from PIL import Image

SIDE = 256  # pixels; a picture's shorter side bounds it
QUALITY = 95  # of the crops' own WebP: far above every budget, so that what is seen is the codec's
METHOD = 6
_UNFIT_FOR_FILE_NAMES = str.maketrans("/:", "__")


def original_path(image: str) -> PurePosixPath:
    """Where the crop of the original is, below the folder of results."""
    return PurePosixPath("wall", image, "original.webp")


def crop_path(image: str, budget_bpp: float, codec: str) -> PurePosixPath:
    """Where one codec's crop is, below the folder of results."""
    return PurePosixPath("wall", image, f"{budget_bpp:g}", f"{codec.translate(_UNFIT_FOR_FILE_NAMES)}.webp")


def crop_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the crop in pixels, the latter two exclusive: the middle, 256x256 at most."""
    across, down = min(width, SIDE), min(height, SIDE)
    left, top = (width - across) // 2, (height - down) // 2
    return left, top, left + across, top + down


def crop_file(image: Image.Image) -> bytes:
    """The middle of an 8-bit RGB picture as a WebP file."""
    sink = io.BytesIO()
    crop = image.crop(crop_box(*image.size))
    crop.save(sink, "WEBP", quality=QUALITY, method=METHOD)
    return sink.getvalue()
