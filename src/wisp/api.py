"""The door: compress, decompress, reconstruct, read_info. Everything public goes through here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.allocation.saliency import saliency
from wisp.codecs import ENTRIES, Roi, TokenPyramidCodec, any_codec_for_file, any_codec_for_model
from wisp.codecs import latent_options as latents
from wisp.codecs.by_hand import compress_by_hand, greys_of_depths, make_granularity, refuse_company
from wisp.codecs.generation import check_generation, generate, make_generation
from wisp.codecs.looking import USUAL_EFFORT
from wisp.codecs.packet_reading import repair_regions
from wisp.codecs.refinement import SHARES, check_effort
from wisp.codecs.shown import exif_of, picture_of
from wisp.container import MAX_PIXELS, Chunk, ChunkType, read_header, unpack_file, unwrap_text, wrap_text
from wisp.errors import UsageError
from wisp.imaging import Picture, open_picture, to_picture
from wisp.imaging.alpha_plane import pack_alpha
from wisp.imaging.planes import to_plane
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
    roi: ImageLike | Literal["auto"] | None = None,
    roi_strength: float = 8.0,
    ratios: Sequence[float] | None = None,
    grain_map: ImageLike | None = None,
    keep: float | None = None,
    huffman: bool = False,
    channels: int | None = None,
    model: str | Path | None = None,
    alpha: Alpha = "white",
    keep_exif: bool = False,
    effort: int = USUAL_EFFORT,
    threads: int | None = None,
) -> bytes:
    """Compress a picture to a wisp file.

    Args:
        image: a PIL image, or a uint8 array (H, W, 3) or (H, W).
        size: the most bytes the whole file may have, such as 2000 or "2kB": a promise.
        bpp: the same, as bits per pixel of the original.
        quality: 0..100 (default 50, if nothing else is given): the size follows the content.
        roi: mask of the picture's shape, white where it matters; "auto" takes what is unusual in the picture.
        roi_strength: how many times an error weighs inside the mask, 1..1000.
        ratios: instead of a size, a bpp or a quality: shares of the picture's area that are sent to the end of each
            level, finest first, such as (0.1, 0.4, 0.5); regions are ranked by patch entropy. The size follows. With
            control_gic, of the area that is sent at each level alone.
        grain_map: instead of these: how deep each region is sent, 0 for one group of tokens, 255 for all of them; of
            the picture's shape in any resolution, or as `Reconstruction.grain_map` has it (docs/control.md, 3).
        keep: for models of uniform grain (pq_mim): the share of the positions at which tokens are sent, 1/16..1, to the
            nearest sixteenth; default 1. The rest can be generated on decompressing.
        huffman: code tokens by the model's static Huffman code, as Control-GIC was published (control_gic only);
            default the shorter of its tables and its prior.
        channels: of a latent grid (vae_gan), instead of these: how many are sent, 1..28. The size follows.
        model: name of a model, or path of a bundle.
        alpha: "white" composites on white, "keep" stores the alpha plane (losslessly, inside `size`).
        keep_exif: store the picture's EXIF block (inside `size`).
        effort: 0..9; from 4 on tokens are searched for that go together; 5 looks at three depths of a region first
            (from .044 bpp on; four of a quality), 6 at seven, 7 and more at all, and may refine (no tokens: up to 6).
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
    granularity = make_granularity(ratios, None if grain_map is None else to_plane(grain_map, "grain map"))
    if granularity is not None:
        refuse_company(granularity, size=size, bpp=bpp, quality=quality, roi=roi, keep=keep)
    target, effort = make_target(size, bpp, quality), check_effort(effort)
    latents.refuse_company_of_channels(channels, size=size, bpp=bpp, quality=quality)
    picture = image if isinstance(image, Picture) else to_picture(image, alpha=alpha, keep_exif=keep_exif)
    codec = any_codec_for_model(model, threads)
    chunks = []
    if picture.exif is not None and keep_exif:
        chunks.append(Chunk(ChunkType.EXIF, picture.exif))
    if picture.alpha_u8 is not None and alpha == "keep":
        chunks.append(Chunk(ChunkType.ALPHA, pack_alpha(picture.alpha_u8)))
    if not isinstance(codec, TokenPyramidCodec):
        wanted = effort if effort in SHARES else None
        latents.refuse_options(
            codec, ratios=ratios, grain_map=grain_map, roi=roi, keep=keep, huffman=huffman, effort=wanted
        )
        return latents.compress_latent(codec, picture, target, chunks, channels)
    latents.refuse_options(codec, channels=channels)
    if granularity is not None:
        return compress_by_hand(codec, picture, granularity, chunks, huffman)
    mask = None if roi is None else Roi(_roi_mask(roi, picture), roi_strength)
    return codec.compress(picture, target, chunks, mask, keep, huffman, effort)


def decompress(
    data: bytes,
    *,
    fill: FillName = "smooth",
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    fill_depth: int | None = None,
    allow_partial: bool = False,
    model: str | Path | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
) -> Image.Image:
    """The picture of a wisp file: mode RGB or L, or with alpha RGBA or LA, at its original size.

    Args:
        data: the whole file.
        fill, seed, temperature, top_p, fill_depth, allow_partial: as in `reconstruct`.
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
        allow_partial=allow_partial,
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
    allow_partial: bool = False,
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
        allow_partial: of a file that was cut behind its grain map, show what arrived; the result says `partial`, and
            is not verified. Regions of which nothing arrived are filled as with lost packets. Whole files are not
            affected. Models without tokens show nothing of a cut file.
        max_pixels: larger pictures are refused before anything is allocated.

    Raises:
        as `decompress`.
    """
    chosen = _fill(fill)
    options = make_generation(seed, temperature, top_p, fill_depth)
    data = _as_bytes(data)
    file = unpack_file(data, max_pixels)
    codec = any_codec_for_file(file.header.model_number, model, threads)
    if not isinstance(codec, TokenPyramidCodec):
        info = read_info(data, max_pixels=max_pixels)
        return latents.reconstruct_latent(codec, file, info, chosen, allow_partial)
    if chosen is Fill.generate:
        check_generation(codec.bundle, options)
    received, detail, is_whole = codec.decode_arrived(file) if allow_partial else (*codec.decode(file), True)
    shown, num_generated = received, 0
    if chosen is Fill.generate and codec.prior_model is not None and not file.header.has_detail:
        filled = generate(codec.prior_model, received, options)
        shown, num_generated = filled.pyramid, filled.num_generated
    elif not (is_whole or codec.is_uniform or received.grain_map.all()):
        repaired = repair_regions(codec, received, received.grain_map > 0)
        shown, num_generated = repaired.pyramid, repaired.num_generated
    image = picture_of(file, codec.synthesise(file, shown, detail))
    info = read_info(data, max_pixels=max_pixels)
    confidence = codec.confidence(received)
    return Reconstruction(
        image=image,
        confidence=confidence,
        info=info,
        grain_map=greys_of_depths(received.grain_map, received.shape.num_depths),
        exif=exif_of(file),
        partial=not is_whole,
        fill=chosen,
        num_generated=num_generated,
        verified=is_whole,
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
        UsageError: it is no text.
    """
    return unwrap_text(text)


def open_image(
    source: str | os.PathLike[str] | bytes | IO[bytes], *, alpha: Alpha = "white", keep_exif: bool = False
) -> Picture:
    """Read a picture file of any format that Pillow knows, ready for `compress`.

    Raises:
        ImageError: unreadable, empty or of an unsupported kind; one line that says what was found.
        UsageError: `source` is nothing that can be read.
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


def _roi_mask(roi: ImageLike | str, picture: Picture) -> NDArray[np.uint8]:
    if not isinstance(roi, str):
        return to_plane(roi, "mask")
    if roi != "auto":
        raise UsageError(f"expected a mask or 'auto', found {roi!r}; read the mask first")
    return saliency(picture.pixels_u8)
