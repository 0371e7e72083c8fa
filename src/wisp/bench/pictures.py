"""The test pictures: a folder of files, read as 8-bit RGB."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from PIL import Image

from wisp.errors import ImageError, UsageError

# What Pillow's readers raise on bytes that are at fault.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

SUFFIXES = frozenset({".png", ".webp", ".jpg", ".jpeg", ".ppm", ".tif", ".tiff", ".bmp"})


def picture_paths(folder: Path) -> list[Path]:
    """Files with a picture's suffix, in the order of their names.

    Raises:
        UsageError: `folder` is no folder, holds no picture, or two pictures share a stem.
    """
    if not folder.is_dir():
        raise UsageError(f"--images: expected a folder of pictures, found {folder}; give an existing folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UsageError(f"--images: expected pictures in {folder}, found none; give a folder with PNG files")
    if len({path.stem for path in paths}) < len(paths):
        raise UsageError(f"--images: two pictures in {folder} differ only in their suffix; rename one")
    return paths


def read_picture(path: Path) -> Image.Image:
    """The picture as 8-bit RGB, pixels loaded.

    Raises:
        ImageError: not a picture, cut short, or too large for Pillow.
    """
    try:
        with Image.open(path) as opened:
            return opened.convert("RGB")
    except _UNREADABLE as fault:
        reason = " ".join(str(fault).replace(str(path), path.name).split())  # on one line, without folders
        raise ImageError(f"{path.name}: expected a picture, found {reason}; give a readable file") from fault


def picture_hash(image: Image.Image) -> str:
    """Twelve hexadecimal digits of the SHA-256 of size and pixels."""
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height} ".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()[:12]
