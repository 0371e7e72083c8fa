"""Writing decoded pictures: the format from the suffix, the origin in the metadata, and whole files only."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from PIL import Image

from wisp.atomic import write_bytes_atomic
from wisp.errors import ImageError, UsageError
from wisp.imaging.quiet import quiet_pillow
from wisp.imaging.wording import one_line
from wisp.imaging.xmp import reconstruction_xmp

_EXIF_PREFIX: Final = b"Exif\x00\x00"
_JPEG_EXIF_BYTES: Final = 65533 - len(_EXIF_PREFIX)  # a JPEG segment's length field has 16 bits
_XMP_TIFF_TAG: Final = 700


@dataclass(frozen=True, slots=True)
class _Format:
    """What a file format can hold; `options` are passed to Pillow."""

    pillow_name: str
    modes: frozenset[str]
    metadata: bool
    options: tuple[tuple[str, Any], ...] = ()


_ALL_MODES: Final = frozenset({"L", "LA", "RGB", "RGBA"})
_NO_ALPHA: Final = frozenset({"L", "RGB"})

# What was lost was lost in the wisp file; these qualities are high enough to lose nothing more that shows.
_FORMATS: Final = {
    "png": _Format("PNG", _ALL_MODES, True),
    "jpeg": _Format("JPEG", _NO_ALPHA, True, (("quality", 95), ("subsampling", 0))),
    "webp": _Format("WEBP", _ALL_MODES, True, (("quality", 95),)),
    "avif": _Format("AVIF", _ALL_MODES, True, (("quality", 90), ("subsampling", "4:4:4"))),
    "tiff": _Format("TIFF", _ALL_MODES, True),  # not compressed: libtiff cannot write EXIF directories
    "bmp": _Format("BMP", _NO_ALPHA, False),
    "ppm": _Format("PPM", _NO_ALPHA, False),
}
_SUFFIXES: Final = {
    **{f".{name}": name for name in _FORMATS},
    **{".jpg": "jpeg", ".jpe": "jpeg", ".tif": "tiff", ".pgm": "ppm", ".pnm": "ppm"},
}


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a path's suffix asks for: png, jpeg, webp, avif, tiff, bmp or ppm.

    Raises:
        UsageError: the suffix is unknown or missing.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(
            f"expected a name that ends in .{', .'.join(_FORMATS)}, found {os.fspath(path)!r}; "
            "change the suffix or name the format"
        )
    return _SUFFIXES[suffix]


def has_alpha(format: str) -> bool:
    """Whether a format, as `encode_picture` takes it, keeps transparency."""
    return "RGBA" in _FORMATS[_SUFFIXES["." + format.lower()]].modes


def encode_picture(
    image: Image.Image,
    format: str,
    *,
    generated: bool = False,
    partial: bool = False,
    exif: bytes | None = None,
) -> bytes:
    """A picture as the bytes of a file.

    Args:
        image: mode L, LA, RGB or RGBA, sRGB. Its `info` is not written. Alpha is composited on white where
            the format has none (JPEG, BMP, PPM).
        format: png, jpeg (or jpg), webp, avif, tiff (or tif), bmp or ppm, in any case.
        generated: say in the metadata (IPTC digital source type) that a model made up part of the picture.
        partial: say that the file which the picture was decoded from arrived in part.
        exif: a TIFF block, as `Picture.exif` has it, with or without the prefix "Exif" and two zero bytes.
            Ignored for BMP and PPM, which have no place for it.

    Raises:
        UsageError: an unknown format.
        ImageError: the picture's mode, its size or the EXIF does not fit in the format.
    """
    name = _SUFFIXES.get("." + format.lower())
    if name is None:
        raise UsageError(f"expected one of {', '.join(_FORMATS)}, found {format!r}; choose another format")
    if image.mode not in _ALL_MODES:
        raise ImageError(f"expected mode L, LA, RGB or RGBA, found {image.mode}; convert the picture to RGB")
    if name == "jpeg" and exif is not None and len(exif.removeprefix(_EXIF_PREFIX)) > _JPEG_EXIF_BYTES:
        raise ImageError(
            f"expected at most {_JPEG_EXIF_BYTES} bytes of EXIF for a JPEG, found {len(exif)}; "
            "write PNG, or leave the EXIF out"
        )
    kind = _FORMATS[name]
    options = dict(kind.options)
    if kind.metadata:
        options |= _metadata(name, reconstruction_xmp(generated, partial), exif)
    buffer = io.BytesIO()
    with quiet_pillow():
        try:
            _fitting(image, kind.modes).save(buffer, kind.pillow_name, **options)
        except Exception as error:  # Pillow's encoders raise many kinds, as for a side over 65535
            raise ImageError(
                f"cannot write {image.width}x{image.height} pixels as {kind.pillow_name}: {one_line(error)}; "
                "choose another format"
            ) from error
    return buffer.getvalue()


def save_picture(
    image: Image.Image,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    generated: bool = False,
    exif: bytes | None = None,
) -> None:
    """Write a picture to `path`, replacing what is there; the file appears whole or not at all.

    `format` defaults to what the suffix says; the rest is as in `encode_picture`.

    Raises:
        UsageError: an unknown suffix or format, or a place that cannot be written to.
        ImageError: the picture does not fit in the format.
        CodecError: the disk failed or is full.
    """
    chosen = format if format is not None else format_of(path)
    write_bytes_atomic(path, encode_picture(image, chosen, generated=generated, exif=exif))


def _metadata(name: str, xmp: str, exif: bytes | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if name == "png":
        from PIL import PngImagePlugin  # one format's, which `import wisp` can do without

        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", xmp)
        options["pnginfo"] = chunks
    elif name == "tiff":
        tags = Image.Exif()
        if exif:
            tags.load(exif)
        tags[_XMP_TIFF_TAG] = xmp.encode()
        options["tiffinfo"] = tags
    else:
        options["xmp"] = xmp.encode()
    if exif and name != "tiff":
        options["exif"] = _EXIF_PREFIX + exif.removeprefix(_EXIF_PREFIX)
    return options


def _fitting(image: Image.Image, modes: frozenset[str]) -> Image.Image:
    """The picture in a mode that the format has, without anything that Pillow would write unasked."""
    if image.mode in modes:
        if not image.info:
            return image  # a copy of a hundred megapixels is 400 MB
        fitting = image.copy()
    else:
        *_, alpha = image.split()
        colour = image.convert(image.mode.removesuffix("A"))
        fitting = Image.new(colour.mode, colour.size, "white")
        fitting.paste(colour, mask=alpha)
    fitting.info = {}
    return fitting
