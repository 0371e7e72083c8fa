"""A file for CompressAI's strings: the library makes strings, and leaves a file's layout to its users.

Big-endian: number of strings (1 byte), quality (1), width and height of the picture (4 + 4), height and width
of the latent that the decoder starts from (4 + 4), the lengths of all strings but the last (4 each), the strings.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct(">BBIIII")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class CompressaiFile:
    """What a decoder needs.

    Attributes:
        quality: which of the architecture's models, from 1.
        size: the picture's width and height in pixels, before padding.
        latent_shape: height and width, as the model reports them.
        strings: the entropy-coded latents in the model's order, at least one.
    """

    quality: int
    size: tuple[int, int]
    latent_shape: tuple[int, int]
    strings: tuple[bytes, ...]


def pack(file: CompressaiFile) -> bytes:
    """The file's bytes: 18 + 4 x (strings - 1) more than the strings have."""
    header = _HEADER.pack(len(file.strings), file.quality, *file.size, *file.latent_shape)
    lengths = (_LENGTH.pack(len(string)) for string in file.strings[:-1])
    return b"".join((header, *lengths, *file.strings))


def unpack(data: bytes) -> CompressaiFile:
    """Read back what `pack` wrote. For files of this process: nothing is checked."""
    num_strings, quality, width, height, latent_height, latent_width = _HEADER.unpack_from(data)
    at = _HEADER.size + _LENGTH.size * (num_strings - 1)
    strings = []
    for (length,) in _LENGTH.iter_unpack(data[_HEADER.size : at]):
        strings.append(data[at : at + length])
        at += length
    strings.append(data[at:])
    return CompressaiFile(quality, (width, height), (latent_height, latent_width), tuple(strings))
