"""The test pictures: a folder of files, read as 8-bit RGB."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

from PIL import Image

from wisp.errors import ImageError, LimitExceeded, UsageError
from wisp.imaging import open_picture

SUFFIXES = frozenset({".png", ".webp", ".jpg", ".jpeg", ".ppm", ".tif", ".tiff", ".bmp"})


def picture_paths(folder: Path) -> list[Path]:
    """Files with a picture's suffix, in the order of their names.

    Raises:
        UsageError: `folder` is no folder, holds no picture, two pictures share a stem, or a name is no line of text.
    """
    if not folder.is_dir():
        raise UsageError(f"--images: expected a folder of pictures, found {folder}; give an existing folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UsageError(f"--images: expected pictures in {folder}, found none; give a folder with PNG files")
    if len({path.stem for path in paths}) < len(paths):
        raise UsageError(f"--images: two pictures in {folder} differ only in their suffix; rename one")
    for path in paths:
        # Half of a surrogate pair stands for a byte that is no UTF-8; results could not be written with it.
        if {unicodedata.category(letter) for letter in path.name} & {"Cc", "Cs"}:
            raise UsageError(f"--images: expected names of text on one line, found {path.name!r}; rename it")
    return paths


def read_picture(path: Path) -> Image.Image:
    """The picture as 8-bit RGB, pixels loaded, with nothing but its pixels.

    It is brought to sRGB as wisp brings its input: upright, on white where it is transparent, by its colour profile,
    16 bits reduced to 8. Every codec then gets the same pixels, and no profile or EXIF that only some would heed.

    Raises:
        ImageError: not a picture, cut short, or too large.
    """
    try:
        return Image.fromarray(open_picture(path).pixels_u8)
    except (ImageError, LimitExceeded) as fault:
        reason = str(fault).removeprefix(f"{os.fspath(path)!r}: ")
        raise ImageError(f"{path.name}: {reason}") from fault


def picture_hash(image: Image.Image) -> str:
    """Twelve hexadecimal digits of the SHA-256 of size and pixels."""
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height} ".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()[:12]
