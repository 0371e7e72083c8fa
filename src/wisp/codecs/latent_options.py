"""Options of the codecs of continuous latents, and what a caller is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wisp.codecs import AnyCodec, LatentCodec, any_codec_for_model
from wisp.codecs.latent_grid import LatentGridCodec
from wisp.codecs.latent_vector import LatentVectorCodec
from wisp.codecs.shown import exif_of, picture_of
from wisp.container import Chunk, WispFile
from wisp.errors import Truncated, UsageError
from wisp.imaging import Picture
from wisp.rate import Target
from wisp.types import Fill, ImageInfo, Reconstruction


def refuse_options(codec: AnyCodec, **options: object) -> None:
    """Refuse what a model cannot do; an option that is None or False is not asked for.

    Raises:
        UsageError: one is asked for.
    """
    for option, value in options.items():
        if value is not None and value is not False:
            raise UsageError(
                f"expected no {option} with {codec.bundle.config.name}, which has no such thing; leave it out"
            )


def refuse_company_of_channels(channels: object, **others: object) -> None:
    """Refuse options that would decide the size as well as a number of channels.

    Raises:
        UsageError: one of them is given.
    """
    for other, value in others.items():
        if channels is not None and value is not None:
            raise UsageError(
                f"expected channels without {other}, found both; the size follows from the channels, leave one out"
            )


def compress_latent(
    codec: LatentCodec, picture: Picture, target: Target, chunks: Sequence[Chunk], channels: int | None
) -> bytes:
    """The file; only a grid has channels to choose.

    Raises:
        as the codecs' `compress`.
    """
    if isinstance(codec, LatentGridCodec):
        return codec.compress(picture, target, chunks, channels)
    refuse_options(codec, channels=channels)
    return codec.compress(picture, target, chunks)


def reconstruct_latent(
    codec: LatentCodec, file: WispFile, info: ImageInfo, fill: Fill, allow_partial: bool
) -> Reconstruction:
    """A file's picture. There is nothing to fill, and a cut file is an error.

    Raises:
        UsageError: something is to be generated.
        BitstreamError: the bytes are at fault.
    """
    if fill is Fill.generate:
        refuse_options(codec, fill="generate")
    try:
        shown = codec.reconstruct(file)
    except Truncated as fault:
        told = f"; a file of {codec.bundle.config.name} cannot be shown in part" if allow_partial else ""
        raise Truncated(f"{fault}{told}") from None
    return Reconstruction(
        image=picture_of(file, shown.pixels_u8),
        confidence=shown.confidence,
        info=info,
        grain_map=np.rint(255 * shown.confidence).astype(np.uint8),
        exif=exif_of(file),
        region_side=shown.region_side,
        drawn=isinstance(codec, LatentVectorCodec),
    )


def note_on_domain(picture: Picture, model: str | Path | None, threads: int | None = None) -> str | None:
    """A sentence if a model draws only what it was trained on, and this is something else; None otherwise."""
    codec = any_codec_for_model(model, threads)
    if not isinstance(codec, LatentVectorCodec) or (error := codec.domain_error(picture)) <= 1:
        return None
    return (
        f"out of the domain of {codec.bundle.config.name}: its error is {error:.1f} times what 99 of 100 of its "
        "training pictures stay below; expect little likeness, or use wisp_small"
    )
