"""Join the rooms: a codec turns a picture into a file and back with one bundle."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from wisp.codecs.latent_grid import LatentGridCodec
from wisp.codecs.latent_vector import LatentVectorCodec
from wisp.codecs.proposal import Roi
from wisp.codecs.registry import DEFAULT_MODEL, ENTRIES, ModelEntry, entry_by_name, entry_by_number
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import MAX_PIXELS, unpack_file
from wisp.errors import ModelMismatch, ModelNotFound, UsageError
from wisp.runtime import CONFIG_NAME, Bundle, find_bundle, settle_threads
from wisp.tokens.pyramid import TokenPyramid

__all__ = [
    "DEFAULT_MODEL",
    "ENTRIES",
    "AnyCodec",
    "LatentCodec",
    "LatentGridCodec",
    "LatentVectorCodec",
    "ModelEntry",
    "Roi",
    "TokenPyramidCodec",
    "any_codec_for_file",
    "any_codec_for_model",
    "codec_for_file",
    "codec_for_model",
    "decode_tokens",
    "entry_by_name",
    "entry_by_number",
    "forget_bundles",
]


LatentCodec = LatentGridCodec | LatentVectorCodec
AnyCodec = TokenPyramidCodec | LatentCodec
_CODECS: dict[str, type[AnyCodec]] = {
    "token_pyramid": TokenPyramidCodec,
    "latent_grid": LatentGridCodec,
    "latent_vector": LatentVectorCodec,
}


@lru_cache(maxsize=8)
def _codec_of_folder(folder: Path, threads: int) -> AnyCodec:
    bundle = Bundle(folder, threads)
    if bundle.config.codec not in _CODECS:
        raise ModelMismatch(
            f"expected a bundle for one of {sorted(_CODECS)} in {folder}, found {bundle.config.codec!r}; upgrade wisp"
        )
    if bool(bundle.config.latent) != (bundle.config.codec != "token_pyramid"):
        raise ModelMismatch(
            f"expected numbers that suit {bundle.config.codec} in {folder}, found others; reinstall the model"
        )
    return _CODECS[bundle.config.codec](bundle)


def forget_bundles() -> None:
    """Open all bundles anew from now on: for whoever has changed one, as an open codec stays what it is."""
    _codec_of_folder.cache_clear()


def any_codec_for_model(model: str | Path | None = None, threads: int | None = None) -> AnyCodec:
    """The codec of a registered model's name or a bundle's path; the default model when None.

    Raises:
        UnknownModel, ModelNotFound, ModelMismatch: as the registry and the bundle find.
        UsageError: `model` is no name or path, or `threads` out of range.
    """
    number = settle_threads(threads)  # before it is a key, for which 2.0 and 2 are the same
    if not isinstance(model, str | Path | None):
        raise UsageError(f"expected a model's name or path, found {type(model).__name__}")
    if isinstance(model, Path) or (model and os.path.isfile(os.path.join(model, CONFIG_NAME))):
        folder = Path(model)
        if not os.path.isdir(folder):
            raise ModelNotFound(f"expected a model bundle at {folder}, found nothing")
        return _codec_of_folder(folder.resolve(), number)
    entry = entry_by_name(DEFAULT_MODEL if model is None else model)
    codec = _codec_of_folder(find_bundle(entry.name).folder, number)
    found = codec.bundle.config.model_number
    if found != entry.number:
        raise ModelMismatch(
            f"expected model number {entry.number} in {codec.bundle.folder}, found {found}; reinstall {entry.name}"
        )
    return codec


def any_codec_for_file(
    model_number: int, model: str | Path | None = None, threads: int | None = None
) -> AnyCodec:
    """The codec for a file's model number; `model` overrides where the bundle is looked for.

    Raises:
        ModelMismatch: the bundle given has another number than the file.
    """
    if model is None:
        model = entry_by_number(model_number).name
    codec = any_codec_for_model(model, threads)
    if codec.bundle.config.model_number != model_number:
        raise ModelMismatch(
            f"expected model number {model_number}, found {codec.bundle.config.model_number} in {codec.bundle.folder}; "
            "leave the model out, or give the one that made the file"
        )
    return codec


def codec_for_model(model: str | Path | None = None, threads: int | None = None) -> TokenPyramidCodec:
    """As `any_codec_for_model`, where only a model of tokens will do: packets, sequences, maps.

    Raises:
        UsageError: the model has no tokens.
    """
    return _with_tokens(any_codec_for_model(model, threads))


def codec_for_file(
    model_number: int, model: str | Path | None = None, threads: int | None = None
) -> TokenPyramidCodec:
    """As `any_codec_for_file`, where only a model of tokens will do.

    Raises:
        UsageError: the model has no tokens.
    """
    return _with_tokens(any_codec_for_file(model_number, model, threads))


def _with_tokens(codec: AnyCodec) -> TokenPyramidCodec:
    if not isinstance(codec, TokenPyramidCodec):
        raise UsageError(
            f"expected a model of tokens for this, found {codec.bundle.config.name}; use {DEFAULT_MODEL}"
        )
    return codec


def decode_tokens(
    data: bytes, *, model: str | Path | None = None, threads: int | None = None
) -> TokenPyramid:
    """A whole file's tokens, verified, without synthesis. Errors as `wisp.decompress`."""
    file = unpack_file(data, MAX_PIXELS)
    return codec_for_file(file.header.model_number, model, threads).decode_tokens(file)
