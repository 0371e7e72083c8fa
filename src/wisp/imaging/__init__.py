"""Pixels: reading any picture as 8-bit sRGB, scaling, padding, cutting into tiles, and writing it again."""

from __future__ import annotations

from wisp.imaging.limits import DEFAULT_MAX_PIXELS
from wisp.imaging.padding import crop_to_size, pad_to_multiple, padded_side
from wisp.imaging.reading import PictureFile, open_picture
from wisp.imaging.scaling import MAX_EXPONENT, downscale_u8, scaled_size, upscale_u8
from wisp.imaging.source import AlphaRule, Picture, to_picture
from wisp.imaging.tiles import Tile, plan_tiles
from wisp.imaging.writing import encode_picture, format_of, has_alpha, save_picture
from wisp.imaging.xmp import RECEIVED

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "MAX_EXPONENT",
    "RECEIVED",
    "AlphaRule",
    "Picture",
    "PictureFile",
    "Tile",
    "crop_to_size",
    "downscale_u8",
    "encode_picture",
    "format_of",
    "has_alpha",
    "open_picture",
    "pad_to_multiple",
    "padded_side",
    "plan_tiles",
    "save_picture",
    "scaled_size",
    "to_picture",
    "upscale_u8",
]
