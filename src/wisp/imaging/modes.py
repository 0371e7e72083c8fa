"""What each Pillow mode means: its samples in 8 bits, its colour, and its alpha.

    1 L I I;16*          grey                    -> L
    LA La                grey and alpha          -> L, alpha
    P PA                 palette                 -> RGB, alpha
    RGB RGBX YCbCr HSV   colour                  -> RGB
    RGBA RGBa            colour and alpha        -> RGB, alpha
    CMYK LAB             need a colour transform -> as they are (see colour.py)
    F and all others     refused: their range is not known

A single transparent colour or palette entry (`info["transparency"]`, as PNG and GIF have it) counts as alpha.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from wisp.errors import ImageError
from wisp.imaging.arrays import SIXTEEN_BIT_NOTE, reduce_16_to_8

_DEEP: Final = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_KNOWN: Final = frozenset(
    {*_DEEP, "1", "L", "LA", "La", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "YCbCr", "HSV", "CMYK", "LAB"}
)


def check_mode(mode: str) -> None:
    """Raise ImageError for a mode whose samples have no agreed range."""
    if mode not in _KNOWN:
        kind = "floating point" if mode == "F" else "which wisp does not know"
        raise ImageError(
            f"expected a picture of 8 or 16 bits a channel, found mode {mode} ({kind}); "
            "scale its samples to 0..255 and convert it to mode L or RGB"
        )


def is_stored_deep(image: Image.Image) -> bool:
    """Whether a file that is open but not yet loaded holds 16-bit samples.

    Pillow has no 16-bit colour: it keeps the upper bytes and says so only in the raw mode of the tiles that
    wait to be decoded, such as "RGB;16B".
    """
    tiles = getattr(image, "tile", None) or []
    return any(";16" in str(tile[3]) for tile in tiles)


def note_depth(image: Image.Image, stored_deep: bool, notes: list[str]) -> None:
    """Add a note if a loaded picture has, or its file had, 16 bits a sample.

    Raises ImageError if mode I (32-bit integers in memory, always read as 16-bit) leaves 0..65535.
    """
    if image.mode in _DEEP or stored_deep:
        notes.append(SIXTEEN_BIT_NOTE)
    if image.mode == "I":
        low, high = (int(value) for value in image.getextrema())  # type: ignore[arg-type]  # one band
        if low < 0 or high > 65535:
            raise ImageError(
                f"expected samples from 0 to 65535 in mode I, found {low} to {high}; "
                "scale them to 0..255 and convert the picture to mode L"
            )


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Separate a loaded picture of a known mode into 8-bit colour and alpha.

    Returns:
        colour: mode L, RGB, CMYK or LAB.
        alpha: mode L (0 transparent, 255 opaque), or None if the mode has none.
    """
    if image.mode in _DEEP:
        return _split_deep(image)
    if image.mode in ("CMYK", "LAB"):
        return image, None
    if image.mode in ("1", "L", "LA", "La"):
        if image.mode.upper() != "LA" and "transparency" not in image.info:
            return image.convert("L"), None
        if image.mode == "1":
            image = _one_bit_with_key(image)
        grey, alpha = image.convert("LA").split()
        return grey, alpha
    if not image.has_transparency_data:
        return image.convert("RGB"), None
    *colour, alpha = image.convert("RGBA").split()
    return Image.merge("RGB", colour), alpha


def _one_bit_with_key(image: Image.Image) -> Image.Image:
    # White is 255 in memory, but older Pillows give the transparent colour as PNG stores it: 1.
    grey = image.convert("L")
    grey.info["transparency"] = 255 if image.info["transparency"] else 0
    return grey


def _split_deep(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    samples = np.asarray(image)
    grey = Image.fromarray(reduce_16_to_8(samples))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey, None
    return grey, Image.fromarray(np.where(samples == key, 0, 255).astype(np.uint8))
