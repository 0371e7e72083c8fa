"""The door: compress, decompress, reconstruct, read_info. Everything public goes through here."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.codecs import ENTRIES, Roi, codec_for_file, codec_for_model
from wisp.codecs.generation import check_generation, generate, make_generation
from wisp.container import MAX_PIXELS, Chunk, ChunkType, read_header, unpack_file, unwrap_text, wrap_text
from wisp.container.header import Header
from wisp.errors import BitstreamError, Corrupt, UsageError
from wisp.imaging import Picture, open_picture, to_picture
from wisp.rate import make_target
from wisp.types import Fill, ImageInfo, Reconstruction

ImageLike = Image.Image | NDArray[Any]
Alpha = Literal["white", "keep"]
FillName = Fill | Literal["smooth", "generate"]


def compress(
    image: ImageLike | Picture,
    *,
    size: int | str | None = None,
    bpp: float | None = None,
    quality: float | None = None,
    roi: ImageLike | None = None,
    roi_strength: float = 8.0,
    keep: float | None = None,
    model: str | Path | None = None,
    alpha: Alpha = "white",
    keep_exif: bool = False,
    threads: int | None = None,
) -> bytes:
    """Compress a picture to a wisp file.

    Args:
        image: a PIL image, or a uint8 array (H, W, 3) or (H, W).
        size: the most bytes the whole file may have, such as 2000 or "2kB": a promise.
        bpp: the same, as bits per pixel of the original.
        quality: 0..100 (default 50, if nothing else is given): the size follows the content.
        roi: mask of the picture's shape, white where it matters.
        roi_strength: how many times an error weighs inside the mask, 1..1000.
        keep: for models of uniform grain (pq_mim): the share of the positions at which tokens are sent, 1/16..1, to the
            nearest sixteenth; default 1. The rest can be generated on decompressing.
        model: name of a model, or path of a bundle.
        alpha: "white" composites on white, "keep" stores the alpha plane (losslessly, inside `size`).
        keep_exif: store the picture's EXIF block (inside `size`).
        threads: for the networks; default WISP_THREADS or all processors, at most 8.

    Returns:
        the file's bytes; len(data) <= size, always.

    Raises:
        ImageError: the picture cannot be used.
        BudgetError: no file is that small; it carries the smallest size that works.
        ModelError: the model is unknown, missing or broken.
        LimitExceeded: too many pixels, or more metadata than a file may hold.
        UsageError: options contradict each other, or are out of range.
    """
    target = make_target(size, bpp, quality)
    picture = image if isinstance(image, Picture) else to_picture(image, alpha=alpha, keep_exif=keep_exif)
    codec = codec_for_model(model, threads)
    chunks = []
    if picture.exif is not None and keep_exif:
        chunks.append(Chunk(ChunkType.EXIF, picture.exif))
    if picture.alpha_u8 is not None and alpha == "keep":
        chunks.append(Chunk(ChunkType.ALPHA, _pack_alpha(picture.alpha_u8)))
    mask = None if roi is None else Roi(_mask_u8(roi), roi_strength)
    return codec.compress(picture, target, chunks, mask, keep)


def decompress(
    data: bytes,
    *,
    fill: FillName = "smooth",
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    fill_depth: int | None = None,
    model: str | Path | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
) -> Image.Image:
    """The picture of a wisp file: mode RGB or L, or with alpha RGBA or LA, at its original size.

    Args:
        data: the whole file.
        fill, seed, temperature, top_p, fill_depth: as in `reconstruct`.
        model: name of a model, or path of a bundle; default the one that the file names.
        max_pixels: larger pictures are refused before anything is allocated; for files from strangers, set it to
            what you are ready to show.
        threads: for the networks; default WISP_THREADS or all processors, at most 8.

    Raises:
        BitstreamError: the bytes are at fault (its subclasses say how).
        ModelError: the file's model is unknown, missing or broken.
        UsageError: options of the fill are out of range, or the model cannot generate.
    """
    return reconstruct(
        data,
        fill=fill,
        seed=seed,
        temperature=temperature,
        top_p=top_p,
        fill_depth=fill_depth,
        model=model,
        max_pixels=max_pixels,
        threads=threads,
    ).image


def reconstruct(
    data: bytes,
    *,
    fill: FillName = "smooth",
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    fill_depth: int | None = None,
    model: str | Path | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
) -> Reconstruction:
    """Like `decompress`, and tells how much of each region was received.

    Args:
        data: the whole file.
        fill: "smooth" shows what was sent; "generate" draws tokens that were not sent from the model's masked prior.
            The same file, seed and options give the same tokens on every machine.
        seed: 0..2^64 - 1.
        temperature: 0..4, counted in thousandths; 0 takes the likeliest token.
        top_p: above 0, at most 1, in thousandths: only the likeliest tokens that together have this share are drawn.
        fill_depth: groups of the order to which every region is filled; default the end of the coarsest level that
            is not whole everywhere, or with a uniform grain its depth.
        max_pixels: larger pictures are refused before anything is allocated.

    Raises:
        as `decompress`.
    """
    chosen = _fill(fill)
    options = make_generation(seed, temperature, top_p, fill_depth)
    data = _as_bytes(data)
    file = unpack_file(data, max_pixels)
    codec = codec_for_file(file.header.model_number, model, threads)
    if chosen is Fill.generate:
        check_generation(codec.bundle, options)
    received = codec.decode_tokens(file)
    alpha = _unpack_alpha(file.chunks, file.header)
    shown, num_generated = received, 0
    if chosen is Fill.generate and codec.prior_model is not None:
        filled = generate(codec.prior_model, received, options)
        shown, num_generated = filled.pyramid, filled.num_generated
    image = _as_image(codec.synthesise(file, shown), file.header.greyscale)
    if alpha is not None:
        image.putalpha(alpha)
    exif = next((c.data for c in file.chunks if c.type == ChunkType.EXIF), None)
    info = read_info(data, max_pixels=max_pixels)
    confidence = codec.confidence(received)
    return Reconstruction(
        image,
        confidence,
        info,
        exif,
        fill=chosen,
        num_generated=num_generated,
        region_side=codec.bundle.config.strides[0],
    )


def read_info(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageInfo:
    """What a file says of itself; no pixels are decoded and no model is needed.

    Raises:
        BitstreamError: the front of the file is at fault.
    """
    data = _as_bytes(data)
    header, chunks, payload_num_bytes = read_header(data, max_pixels)
    names = {entry.number: entry.name for entry in ENTRIES}
    overhead = sum(len(c.data) for c in chunks)
    return ImageInfo(
        width=header.width,
        height=header.height,
        greyscale=header.greyscale,
        model_number=header.model_number,
        model_name=names.get(header.model_number),
        scale_exponent=header.scale_exponent,
        format_version=header.version,
        num_bytes=len(data),
        payload_num_bytes=payload_num_bytes,
        header_num_bytes=len(data) - payload_num_bytes - overhead,
        chunks=tuple((c.name, len(c.data)) for c in chunks),
        has_alpha=any(c.type == ChunkType.ALPHA for c in chunks),
    )


def to_text(data: bytes) -> str:
    """A file as one line of letters and digits that survives being pasted; 200 bytes become 274 characters."""
    return wrap_text(_as_bytes(data))


def from_text(text: str) -> bytes:
    """The file that `to_text` wrote; white space anywhere in the text is ignored.

    Raises:
        NotWisp: the text does not begin with "wisp:".
        Corrupt: characters are missing, foreign or too many.
    """
    return unwrap_text(text)


def open_image(
    source: str | os.PathLike[str] | bytes | IO[bytes], *, alpha: Alpha = "white", keep_exif: bool = False
) -> Picture:
    """Read a picture file of any format that Pillow knows, ready for `compress`.

    Raises:
        ImageError: unreadable, empty or of an unsupported kind; one line that says what was found.
    """
    return open_picture(source, alpha=alpha, keep_exif=keep_exif)


def _as_bytes(data: object) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        kind = type(data).__name__
        raise UsageError(f"expected the bytes of a wisp file, found {kind}; read the file first")
    return bytes(data)


def _fill(name: Any) -> Fill:
    try:
        return Fill(name)
    except ValueError:
        raise UsageError(
            f"expected fill 'smooth' or 'generate', found {name!r}; choose one of them"
        ) from None


def _as_image(pixels_u8: NDArray[np.uint8], greyscale: bool) -> Image.Image:
    """(H, W, 3) uint8 -> mode RGB or L. In its own function, so that the array ends before alpha is added."""
    image = Image.fromarray(pixels_u8)
    return image.convert("L") if greyscale else image


def _mask_u8(roi: ImageLike) -> NDArray[np.uint8]:
    if isinstance(roi, Image.Image):
        return np.asarray(roi.convert("L"))
    array = np.asarray(roi)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype != np.uint8 or array.ndim != 2:
        raise UsageError(f"expected a mask as uint8 or bool (H, W), found {array.dtype} {array.shape}")
    return array


def _pack_alpha(alpha_u8: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(alpha_u8).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _unpack_alpha(chunks: tuple[Chunk, ...], header: Header) -> Image.Image | None:
    data = next((c.data for c in chunks if c.type == ChunkType.ALPHA), None)
    if data is None:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
            if opened.size != (header.width, header.height) or opened.mode != "L" or data[24:26] != b"\x08\0":
                raise Corrupt(
                    f"expected an alpha plane of {header.width}x{header.height}, 8-bit grey, "
                    f"found {opened.mode} {opened.width}x{opened.height} of {data[24]} bits; the file is damaged"
                )
            opened.load()
            return Image.fromarray(np.asarray(opened))
    except BitstreamError:
        raise
    except Exception as fault:  # Pillow's decoder raises a dozen kinds for damaged data
        text = " ".join(str(fault).split())
        raise Corrupt(f"expected an alpha plane as PNG, found: {text}; the file is damaged") from None
