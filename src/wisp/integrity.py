"""Is a file whole and undamaged? Its tokens are decoded and compared with its check; no picture is made."""

from __future__ import annotations

from pathlib import Path

from wisp.codecs import TokenPyramidCodec, any_codec_for_file
from wisp.codecs.detail import open_detail
from wisp.container import MAX_PIXELS, ChunkType, unpack_file
from wisp.errors import UsageError
from wisp.imaging.alpha_plane import unpack_alpha


def check(
    data: bytes, *, model: str | Path | None = None, max_pixels: int = MAX_PIXELS, threads: int | None = None
) -> None:
    """Return if the file's bytes are whole and undamaged; raise what `wisp.decompress` would if they are not.

    What its tokens, its detail and its alpha plane hold is opened, and no picture is made of it, so it says nothing of
    the model's synthesis. The check has 16 bits (docs/format.md, 6): of files that were damaged, one in 65,536 passes.
    It is no signature: whoever can write a file can write its check.

    Args:
        data, model, max_pixels, threads: as for `wisp.decompress`.

    Raises:
        BitstreamError: the bytes are at fault: Truncated, Corrupt, NotWisp or another.
        ModelError: the file's model is unknown or missing, or what decodes its tokens is broken.
        UsageError: `data` is not bytes, `model` is not the file's, or the installed Pillow cannot read WebP.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UsageError(
            f"expected the bytes of a wisp file, found {type(data).__name__}; read the file first"
        )
    file = unpack_file(bytes(data), max_pixels)
    codec = any_codec_for_file(file.header.model_number, model, threads)
    if isinstance(codec, TokenPyramidCodec):
        _, detail = codec.decode(file)
        if detail:
            open_detail(detail, file.header.height, file.header.width)
    else:
        codec.decode(file)
    for chunk in file.chunks:
        if chunk.type == ChunkType.ALPHA:
            unpack_alpha(chunk.data, file.header.width, file.header.height)
