"""From a picture's own colour space to sRGB.

Embedded ICC profiles are applied with LittleCMS (through Pillow), perceptual intent. A profile that moves no
colour by more than two of 256 levels is taken to be sRGB, and pixels are left exactly as they are. Grey is
converted by one table, so that grey stays grey. A profile that is damaged, or made for another kind of
picture, is left out with a note: a picture in slightly wrong colours is better than none.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageCms

ColourStep = Callable[[Image.Image], Image.Image]
"""Takes a piece of a picture in the mode that the step was made for and returns it in mode L or RGB, sRGB."""

_PROFILE_SPACES: Final = {"L": ("GRAY", "RGB"), "RGB": ("RGB",), "CMYK": ("CMYK",), "LAB": ("Lab",)}
_TOLERANCE: Final = 2  # levels of 256

# Unless told not to, LittleCMS replaces a transform by a coarse table: white in Lab comes out tinted, and the
# shadows of a grey profile lose many levels. In RGB and CMYK the table is harmless, and much faster.
_EXACT: Final = ImageCms.Flags.NOOPTIMIZE


def colour_step(mode: str, icc_profile: bytes | None, notes: list[str]) -> ColourStep:
    """Make the step that brings pixels of `mode` (L, RGB, CMYK or LAB) to sRGB.

    `notes` gets a line when a profile could not be used, or when colours had to be guessed without one.
    """
    if icc_profile:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            space = profile.profile.xcolor_space.strip()
            if space in _PROFILE_SPACES[mode]:
                return _profile_step(profile, mode, space)
            notes.append(f"the ICC profile is for {space}, not for a picture in {mode}, and was ignored")
        except Exception:  # LittleCMS and Pillow raise many kinds for damaged profiles
            notes.append("the ICC profile is damaged and was ignored")
    if mode == "LAB":
        return _transform_step(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB", _EXACT)
    if mode == "CMYK":
        notes.append("CMYK without a usable ICC profile: colours are approximate")
        return lambda piece: piece.convert("RGB")
    return lambda piece: piece


def _profile_step(profile: ImageCms.ImageCmsProfile, mode: str, space: str) -> ColourStep:
    if mode == "L":
        return _grey_step(profile, "L" if space == "GRAY" else "RGB")
    step = _transform_step(profile, mode)
    if mode == "RGB" and _largest_move(_colour_lattice(), step) <= _TOLERANCE:
        return lambda piece: piece
    return step


def _transform_step(
    profile: ImageCms.ImageCmsProfile, mode: str, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> ColourStep:
    transform = ImageCms.buildTransform(
        profile, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL, flags
    )

    def step(piece: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(piece, transform)
        if converted is None:  # only when converting in place
            raise ValueError("the colour transform returned nothing")
        return converted

    return step


def _grey_step(profile: ImageCms.ImageCmsProfile, ramp_mode: str) -> ColourStep:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
    step = _transform_step(profile, ramp_mode, _EXACT)
    table = np.asarray(step(ramp.convert(ramp_mode)).getchannel("G"))[0].tolist()
    if max(abs(value - level) for level, value in enumerate(table)) <= _TOLERANCE:
        return lambda piece: piece
    return lambda piece: piece.point(table)


def _colour_lattice() -> Image.Image:
    levels = np.array([0, 16, 32, 64, 96, 128, 160, 192, 224, 255], dtype=np.uint8)
    red, green, blue = np.meshgrid(levels, levels, levels, indexing="ij")
    return Image.fromarray(np.stack([red, green, blue], axis=-1).reshape(len(levels), -1, 3))


def _largest_move(colours: Image.Image, step: ColourStep) -> int:
    before = np.asarray(colours).astype(np.int16)
    after = np.asarray(step(colours)).astype(np.int16)
    return int(np.abs(after - before).max())
