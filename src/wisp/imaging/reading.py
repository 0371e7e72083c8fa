"""Opening picture files, with one-line errors for everything that turns out not to be one."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from PIL import Image, UnidentifiedImageError

from wisp.errors import ImageError, LimitExceeded, UsageError, WispError
from wisp.imaging.limits import DEFAULT_MAX_PIXELS, check_size
from wisp.imaging.quiet import quiet_pillow
from wisp.imaging.source import AlphaRule, Picture, to_picture
from wisp.imaging.wording import guess_kind, one_line

PictureFile = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A path, a file's bytes, or a binary file object (read from its beginning, and left open)."""

# Pillow would hand these to another program (Ghostscript), which is not safe with files from strangers.
_REFUSED_FORMATS: Final = frozenset({"EPS"})
_PREFIX_BYTES: Final = 512


def open_picture(
    source: PictureFile,
    *,
    alpha: AlphaRule = "white",
    keep_exif: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Picture:
    """Read a picture file in any format that Pillow knows, and bring it to 8-bit sRGB.

    The options are those of `to_picture`; so are the errors, with the file's name in front. In addition,
    ImageError is raised for a file that is missing, empty, a directory, unreadable, cut short, or no picture, and
    UsageError for a source that is neither a name nor bytes nor an open file.
    """
    is_stored = isinstance(source, str | os.PathLike | bytes | bytearray | memoryview)
    if not is_stored and not hasattr(source, "read"):
        raise UsageError(f"expected a path, bytes or an open file, found {type(source).__name__}")
    name = _name(source)
    try:
        with quiet_pillow(), _opened(source, max_pixels) as image:
            if image.format in _REFUSED_FORMATS:
                raise ImageError(f"expected a picture, found {image.format}; convert it to PNG first")
            return to_picture(image, alpha=alpha, keep_exif=keep_exif, max_pixels=max_pixels)
    except (ImageError, LimitExceeded) as error:
        raise type(error)(f"{name}: {error}") from error
    except WispError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{name}: expected a picture file, found nothing there; check the name") from error
    except IsADirectoryError as error:
        raise ImageError(
            f"{name}: expected a picture file, found a directory; name a file in it, or for a sequence of its "
            "pictures an output that ends in .wisps"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: expected a picture, found {_found(source)}") from error
    except Image.DecompressionBombError as error:  # a plugin's own check, which cannot be passed by
        raise LimitExceeded(
            f"{name}: expected no more pixels than Pillow allows, found {one_line(error)!r}; "
            "scale the picture down, or raise PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    except Exception as error:  # Pillow's plugins raise a dozen kinds for damaged headers
        raise ImageError(
            f"{name}: expected a readable picture, found {one_line(error)!r}; check the file"
        ) from error


def _name(source: PictureFile) -> str:
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    return f"{len(source)} bytes" if isinstance(source, bytes | bytearray | memoryview) else "the stream"


@contextmanager
def _opened(source: PictureFile, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture without decoding it, under our limit instead of Pillow's process-wide one."""
    own: IO[bytes] | None = None
    if isinstance(source, bytes | bytearray | memoryview):
        source = own = io.BytesIO(source)
    elif not isinstance(source, str | os.PathLike) and not _can_seek(source):
        source = own = io.BytesIO(source.read())
    try:
        try:
            image: Image.Image = Image.open(source)
        except Image.DecompressionBombError:
            # More pixels than Pillow allows. Find out how many, and whether our caller allows them.
            if isinstance(source, str | os.PathLike):
                source = own = io.FileIO(source)
            image = _open_unlimited(source)
        with image:
            check_size(image.height, image.width, max_pixels)
            yield image
    finally:
        if own is not None:
            own.close()


def _can_seek(stream: IO[bytes]) -> bool:
    return bool(getattr(stream, "seekable", lambda: False)())


def _open_unlimited(stream: IO[bytes]) -> Image.Image:
    """Let Pillow's plugins read the header one after another, as Image.open does, without its pixel limit.

    The limit is a global variable of Pillow's; changing it for a moment would lift it for other threads too.
    """
    Image.init()
    stream.seek(0)
    prefix = stream.read(16)
    for factory, accept in (Image.OPEN[name] for name in list(Image.ID)):
        if accept is not None and accept(prefix) is not True:
            continue
        try:
            stream.seek(0)
            return factory(stream, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    raise UnidentifiedImageError("no plugin accepts the data")


def _found(source: PictureFile) -> str:
    """What a file that is no picture seems to be, and what to do about it."""
    prefix = b""
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            prefix = file.read(_PREFIX_BYTES)
    elif isinstance(source, bytes | bytearray | memoryview):
        prefix = bytes(source[:_PREFIX_BYTES])
    elif _can_seek(source):
        source.seek(0)
        prefix = source.read(_PREFIX_BYTES)
    else:
        return "data of another kind; give a JPEG, PNG, WebP, AVIF, TIFF or GIF"
    return guess_kind(prefix)
