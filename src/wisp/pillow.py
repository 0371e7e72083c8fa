"""Pillow reads and writes wisp files once this module is imported.

    from PIL import Image
    import wisp.pillow

    image = Image.open("photo.wisp")        # reads the header; pixels are decoded when they are first needed
    image.save("photo.wisp", size=2000)     # or bpp=0.1, or quality=0..100

Options of `save`: size, bpp, quality, roi and grain_map (a picture or array), roi_strength, ratios, keep, huffman,
effort, channels, model, threads, alpha ("keep" by default, or "white"), exif (bytes or `PIL.Image.Exif`; nothing is
kept unless it is given).
Everything else that Pillow passes on is ignored, as its own formats do. Files that were cut are shown as far as they
go where `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` is set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from PIL import ExifTags, Image, ImageFile

from wisp.api import compress, read_info, reconstruct
from wisp.container import ChunkType, has_signature, read_header, unpack_header
from wisp.container.limits import MAX_SIDE
from wisp.errors import ImageError, LimitExceeded, Truncated, UsageError, WispError
from wisp.imaging import to_picture
from wisp.imaging.xmp import reconstruction_xmp

FORMAT: Final = "WISP"
SUFFIX: Final = ".wisp"
MIME: Final = "image/x-wisp"

_EXIF_PREFIX: Final = b"Exif\x00\x00"
_OPTIONS: Final = (
    "size", "bpp", "quality", "roi", "roi_strength", "ratios", "grain_map", "keep", "huffman", "effort", "channels",
    "model", "threads",
)  # fmt: skip
_MAX_HEADER_NUM_BYTES: Final = 10  # docs/format.md, section 1
_NO_LIMIT: Final = MAX_SIDE * MAX_SIDE  # Pillow makes its own check between opening and loading


@dataclass(frozen=True)
class _Decoding:
    """How files are decoded: what `register_wisp_opener` was given."""

    model: str | Path | None = None
    threads: int | None = None


_decoding = _Decoding()


class WispImageFile(ImageFile.ImageFile):
    """A wisp file that Pillow has opened.

    Attributes:
        info: "wisp" holds the `wisp.ImageInfo`; "exif" the EXIF block, if there is one. Once the pixels are decoded,
            "partial" and "verified" are as in `wisp.Reconstruction`, and "xmp" says so of a partial picture.
    """

    format = FORMAT
    format_description = "wisp generative codec"
    _data: bytes | None = None

    def _open(self) -> None:
        """Size, mode and metadata; no pixel is decoded, no model is needed.

        Raises:
            SyntaxError: this is no wisp file that this version can read; Pillow tries its next format.
            OSError: the file is cut short.
        """
        assert self.fp is not None
        data = self.fp.read(_MAX_HEADER_NUM_BYTES)
        try:
            unpack_header(data, _NO_LIMIT)  # a file of another format is not read to its end
            data += self.fp.read()
            header, chunks, _ = read_header(data, _NO_LIMIT)
        except Truncated as fault:
            raise OSError(f"image file is truncated: {fault}") from fault
        except WispError as fault:
            raise SyntaxError(str(fault)) from fault
        info = read_info(data, max_pixels=_NO_LIMIT)
        self._data = data
        self._size = (header.width, header.height)
        self._mode = ("L" if info.greyscale else "RGB") + ("A" if info.has_alpha else "")
        self.info["wisp"] = info
        for chunk in chunks:
            if chunk.type == ChunkType.EXIF:
                self.info["exif"] = _EXIF_PREFIX + chunk.data

    def load(self) -> Any:
        """Decode the pixels, once.

        Raises:
            OSError: the file is damaged or cut short, or its model is not installed.
        """
        if self._data is not None:
            try:
                full = reconstruct(
                    self._data,
                    model=_decoding.model,
                    threads=_decoding.threads,
                    max_pixels=self.width * self.height,
                    allow_partial=ImageFile.LOAD_TRUNCATED_IMAGES,
                )
            except Truncated as fault:
                raise OSError(f"image file is truncated: {fault}") from fault
            except WispError as fault:
                raise OSError(str(fault)) from fault
            self.im = full.image.im
            self.info |= {"partial": full.partial, "verified": full.verified}
            if full.partial:
                self.info["xmp"] = reconstruction_xmp(full.generated, partial=True).encode()
            self.readonly = 0
            self._data = None
            if self._exclusive_fp and self.fp is not None:
                self.fp.close()
            self.fp = None
        return super().load()


def _accept(prefix: bytes) -> bool:
    return has_signature(prefix)


def _save(image: Image.Image, stream: IO[bytes], filename: str | bytes | os.PathLike[str]) -> None:
    """Write a picture.

    Raises:
        ValueError: an option's value means nothing, or options contradict each other.
        OSError: the picture cannot be used.
        wisp.BudgetError: no file is that small; it carries the smallest size that works.
        wisp.ModelError: the model is unknown, missing or broken.
    """
    given: dict[str, Any] = getattr(image, "encoderinfo", {})
    options = {name: given[name] for name in _OPTIONS if given.get(name) is not None}
    exif = _exif_block(given.get("exif"))
    alpha = given.get("alpha", "keep")
    try:
        picture = replace(to_picture(image, alpha=alpha), exif=exif)
        data = compress(picture, alpha=alpha, keep_exif=exif is not None, **options)
    except UsageError as fault:
        raise ValueError(str(fault)) from fault
    except (ImageError, LimitExceeded) as fault:
        raise OSError(f"cannot write this picture as {FORMAT}: {fault}") from fault
    stream.write(data)


def _exif_block(exif: Any) -> bytes | None:
    """What was given to `save` as a TIFF block without orientation, which the pixels have been turned by.

    Raises:
        ValueError: it is not EXIF.
    """
    if not exif:
        return None
    if not isinstance(exif, bytes | Image.Exif):
        raise ValueError(f"expected exif as bytes or PIL.Image.Exif, found {type(exif).__name__}")
    kept = Image.Exif()
    try:
        kept.load(exif if isinstance(exif, bytes) else exif.tobytes())
        kept.pop(ExifTags.Base.Orientation, None)
        return kept.tobytes().removeprefix(_EXIF_PREFIX) if len(kept) else None
    except Exception as fault:  # Pillow's parser raises many kinds for damaged EXIF
        raise ValueError(f"expected an EXIF block, found damaged data: {fault}") from fault


def register_wisp_opener(*, model: str | Path | None = None, threads: int | None = None) -> None:
    """Tell Pillow about wisp files; importing this module has done so already.

    Args:
        model: name or path of the model that decodes, instead of the one that each file names.
        threads: for its networks; default WISP_THREADS or all processors, at most 8.
    """
    global _decoding
    _decoding = _Decoding(model, threads)
    Image.register_open(FORMAT, WispImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME)


register_wisp_opener()
