"""Pixels of a loaded Pillow picture, converted one band of rows at a time.

Pillow holds colour in four bytes a pixel, and each conversion makes another such copy. A hundred megapixels
would need gigabytes; in bands, only the source and the result are ever whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.imaging.colour import ColourStep, colour_step
from wisp.imaging.exif import as_stored
from wisp.imaging.modes import split_alpha

_BAND_PIXELS: Final = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Upright sRGB samples.

    Attributes:
        pixels_u8: uint8 (H, W, 3), 0-255; composited on white unless alpha was kept.
        greyscale: all three channels are equal everywhere.
        alpha_u8: uint8 (H, W), 0 transparent to 255 opaque, or None if not kept or opaque everywhere.
        translucent: some pixel was not opaque, kept or not.
    """

    pixels_u8: NDArray[np.uint8]
    greyscale: bool
    alpha_u8: NDArray[np.uint8] | None
    translucent: bool


def read_samples(image: Image.Image, orientation: int, keep_alpha: bool, notes: list[str]) -> Samples:
    """Convert a loaded picture of a known mode (modes.check_mode) to upright sRGB samples.

    Args:
        image: loaded, at least 1x1; its `info["icc_profile"]` is applied.
        orientation: EXIF orientation, 1 to 8.
        keep_alpha: return alpha beside the pixels instead of compositing on white.
        notes: gets a line for each thing about colour that the user should know.
    """
    step, as_grey = _choose_step(image, notes)
    width, height = image.size
    shape = (height, width) if orientation < 5 else (width, height)
    pixels = np.empty((*shape, 3), dtype=np.uint8)
    alpha_plane = np.full(shape, 255, dtype=np.uint8) if keep_alpha and image.has_transparency_data else None
    translucent = False
    for rows, band in _bands(image):
        colour, alpha = split_alpha(band)
        if as_grey and colour.mode != "L":
            colour = colour.getchannel(0)
        colour = step(colour)
        if alpha is not None and np.asarray(alpha).min() < 255:
            translucent = True
            if alpha_plane is not None:
                as_stored(alpha_plane, orientation)[rows] = np.asarray(alpha)
            else:
                colour = _on_white(colour, alpha)
        samples = np.asarray(colour)
        as_stored(pixels, orientation)[rows] = samples if samples.ndim == 3 else samples[..., None]
    return Samples(pixels, as_grey or is_grey(pixels), alpha_plane if translucent else None, translucent)


def is_grey(pixels_u8: NDArray[np.uint8]) -> bool:
    """Whether all three channels of a uint8 array (H, W, 3) are equal everywhere."""
    rows = max(1, _BAND_PIXELS // pixels_u8.shape[1])
    return all(
        bool((piece[..., :1] == piece[..., 1:]).all())
        for piece in (pixels_u8[top : top + rows] for top in range(0, pixels_u8.shape[0], rows))
    )


def _choose_step(image: Image.Image, notes: list[str]) -> tuple[ColourStep, bool]:
    """The colour step for a picture, and whether its pixels are to be handed to it as mode L.

    Colour pictures that hold only grey are found before a profile is applied: rounding in the profile would
    tint them by a level.
    """
    profile = image.info.get("icc_profile")
    mode = split_alpha(image.crop((0, 0, 1, 1)))[0].mode
    as_grey = mode == "L" or (bool(profile) and mode == "RGB" and _holds_only_grey(image))
    return colour_step("L" if as_grey else mode, profile, notes), as_grey


def _holds_only_grey(image: Image.Image) -> bool:
    return all(is_grey(np.asarray(split_alpha(band)[0])) for _, band in _bands(image))


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    width, height = image.size
    # Cropping is under Pillow's own limit, which the process may have set very low.
    rows = max(1, min(_BAND_PIXELS, Image.MAX_IMAGE_PIXELS or _BAND_PIXELS) // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield slice(top, bottom), image.crop((0, top, width, bottom))


def _on_white(colour: Image.Image, alpha: Image.Image) -> Image.Image:
    white = Image.new(colour.mode, colour.size, "white")
    white.paste(colour, mask=alpha)
    return white
