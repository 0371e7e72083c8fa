"""Is a file whole and undamaged? Its tokens are decoded and compared with its check; no pixels are made."""

from __future__ import annotations

from pathlib import Path

from wisp.codecs import any_codec_for_file
from wisp.container import MAX_PIXELS, ChunkType, unpack_file
from wisp.errors import UsageError
from wisp.imaging.alpha_plane import unpack_alpha


def check(
    data: bytes, *, model: str | Path | None = None, max_pixels: int = MAX_PIXELS, threads: int | None = None
) -> None:
    """Return if `wisp.decompress` would show the picture, in a third of its time; raise what it would if not.

    The check has 16 bits (docs/format.md, 6): of files that were damaged, one in 65,536 passes. Nothing is said of
    intent: whoever can write a file can write its check.

    Args:
        data, model, max_pixels, threads: as for `wisp.decompress`.

    Raises:
        BitstreamError: the bytes are at fault: Truncated, Corrupt, NotWisp or another.
        ModelError: the file's model is unknown, missing or broken.
        UsageError: `data` is not bytes, or `model` is not the file's.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UsageError(
            f"expected the bytes of a wisp file, found {type(data).__name__}; read the file first"
        )
    file = unpack_file(bytes(data), max_pixels)
    any_codec_for_file(file.header.model_number, model, threads).decode(file)
    for chunk in file.chunks:
        if chunk.type == ChunkType.ALPHA:
            unpack_alpha(chunk.data, file.header.width, file.header.height)
