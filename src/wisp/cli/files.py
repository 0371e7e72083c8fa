"""The two ends of a command: files, or `-` for stdin and stdout."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from wisp.api import from_text, to_text
from wisp.atomic import refuse_existing, write_bytes_atomic
from wisp.cli.console import write_stdout
from wisp.container import has_signature
from wisp.container.packet import has_packet_signature
from wisp.errors import BitstreamError, CodecError, ModelError, NotWisp, UsageError
from wisp.imaging import format_of

STREAM = "-"
_PREFIX_NUM_BYTES = 64
_TEXT_PREFIX = "wisp:"
# Suffixes of pictures that wisp does not write: none of them is overwritten with a wisp file by a slip.
_OTHER_PICTURES = frozenset({
    ".gif", ".apng", ".jp2", ".j2k", ".jpx", ".jxl", ".heic", ".heif", ".hif", ".tga", ".ico", ".icns", ".psd", ".dng",
    ".cr2", ".nef", ".arw", ".raf", ".svg", ".pdf", ".dds", ".exr", ".hdr",
})  # fmt: skip


def read_wisp(path: str, limit: int | None = None) -> tuple[bytes, bool]:
    """The bytes of a wisp file, taken out of its text armour if it has one, and whether it had.

    With `limit`, the first so many of them; no more is read than is needed.
    A file that begins like neither is not read to its end: the few bytes that are returned are enough for
    whoever unpacks them to say what they are.

    Raises:
        CodecError: the file cannot be read.
        NotWisp: it is a packet, or the text is damaged.
        Corrupt: the text is damaged.
    """
    try:
        with _opened(path) as stream:
            prefix = stream.read(_PREFIX_NUM_BYTES)
            is_text = _begins_like_text(prefix)
            data = prefix
            if is_text or (has_signature(prefix) and limit is None):
                data += stream.read()
            elif has_signature(prefix) and limit is not None:
                data += stream.read(max(0, limit - len(prefix)))
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise CodecError(
            f"{path!r}: expected a wisp file to read, found: {reason}; check the name"
        ) from fault
    if is_text:
        with naming(path):
            data = from_text(decode_text(data))
    if has_packet_signature(data):
        raise NotWisp(
            f"{path!r}: expected a wisp file, found a packet; join packets by `wisp packets --join`"
        )
    return data[:limit], is_text


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the file's name in front of what is wrong with its bytes, or with the model that they name."""
    try:
        yield
    except (BitstreamError, ModelError) as fault:
        raise type(fault)(f"{path!r}: {fault}") from fault


def check_output(path: str, force: bool, *, text: bool = False) -> None:
    """Refuse an output before any work is done for it.

    Raises:
        UsageError: it exists and `force` is false, its directory is missing, or it is a terminal and bytes are to be
            written to it.
    """
    if path != STREAM:
        refuse_existing(path, force)
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(folder):
            raise UsageError(
                f"cannot write {path!r}: expected a writable place, found no directory {folder!r}; choose another"
            )
    elif not text and sys.stdout.isatty():
        raise UsageError("expected stdout to be a file or a pipe, found a terminal; redirect it")


def refuse_picture_name(target: str) -> None:
    """`wisp compress a.jpg b.jpg` is a slip, and would cost the second picture if -f were given."""
    if target == STREAM:
        return
    suffix = os.path.splitext(target)[1].lower()
    try:
        found = format_of(target)
    except UsageError:
        if suffix not in _OTHER_PICTURES:
            return
        found = suffix.removeprefix(".").upper()
    raise UsageError(f"expected an output that ends in .wisp, found {target!r}, a {found} name; rename it")


def write_output(path: str, data: bytes) -> None:
    """Write a whole output at once; a file appears complete or not at all."""
    if path == STREAM:
        write_stdout(data)
    else:
        write_bytes_atomic(path, data)


def armoured(data: bytes) -> bytes:
    """A file as one line of ASCII text."""
    return f"{to_text(data)}\n".encode("ascii")


def same_file(one: str, other: str) -> bool:
    """Whether two names mean the same file."""
    if STREAM in (one, other):
        return False
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.abspath(one) == os.path.abspath(other)


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    if path == STREAM:
        yield sys.stdin.buffer
        return
    with open(path, "rb") as stream:
        yield stream


def decode_text(data: bytes) -> str:
    """Text as programs save it: UTF-8, or UTF-16 with a mark at its beginning, as Windows does."""
    return as_utf8(data).decode("utf-8-sig", errors="replace")


def as_utf8(data: bytes) -> bytes:
    """UTF-16 with a mark at its beginning as UTF-8, what is no text of it replaced; anything else as it is."""
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16", errors="replace").encode("utf-8") if is_wide else data


def _begins_like_text(prefix: bytes) -> bool:
    return decode_text(prefix).lstrip()[: len(_TEXT_PREFIX)].lower() == _TEXT_PREFIX
