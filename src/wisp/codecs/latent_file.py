"""What the codecs of continuous latents share: the file around a payload, options that they lack, what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.container import Chunk, Header, WispFile, pack_file, pack_header, token_check
from wisp.errors import Corrupt, ModelMismatch
from wisp.imaging import Picture
from wisp.runtime import Bundle


@dataclass(frozen=True, eq=False)
class LatentPicture:
    """A decoded picture of a codec of continuous latents.

    Attributes:
        pixels_u8: (H, W, 3), at the original size.
        confidence: (rows, columns) float32, 0..1: the share of the latent's channels that was received.
        region_side: pixels along a region's side at the working scale.
    """

    pixels_u8: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    region_side: int


def latent_header(bundle: Bundle, picture: Picture, exponent: int, has_chunks: bool) -> Header:
    """The header of a picture's file."""
    return Header(
        model_number=bundle.config.model_number,
        width=picture.width,
        height=picture.height,
        greyscale=picture.greyscale,
        scale_exponent=exponent,
        has_chunks=has_chunks,
    )


def levels_as_bytes(levels: NDArray[np.int16]) -> bytes:
    """Levels as the check covers them: two bytes each, the higher first."""
    return levels.astype(">i2").tobytes()


def latent_file(header: Header, chunks: Sequence[Chunk], payload: bytes, checked: bytes) -> bytes:
    """The file of a payload; `checked` is what its reader decodes of it."""
    return pack_file(header, chunks, payload, token_check(pack_header(header), checked))


def verify_latent(file: WispFile, length: int, checked: bytes) -> None:
    """Whether a payload was as long as it should be, and what was decoded is what the check was made of.

    Raises:
        Corrupt: it was not.
    """
    if length != len(file.payload):
        raise Corrupt(
            f"expected {length} bytes of payload, found {len(file.payload)}; the file is damaged or cut"
        )
    check = token_check(file.header_bytes, checked)
    if check != file.check:
        raise Corrupt(
            f"expected check {file.check:04x}, found {check:04x} after decoding; the file is damaged"
        )


def check_version(file: WispFile) -> None:
    """Latents are coded in one way.

    Raises:
        Corrupt: the header names another.
    """
    if file.header.version:
        raise Corrupt(
            f"expected format version 0 with this model, found {file.header.version}; the file is damaged"
        )


def number_of(bundle: Bundle, name: str, least: float, most: float) -> float:
    """One of the numbers of config.json's `latent`.

    Raises:
        ModelMismatch: it is missing, or not between the two.
    """
    value = bundle.config.latent.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ModelMismatch(
            f"expected {name} from {least} to {most} in {bundle.folder}, found {value!r}; reinstall the model"
        )
    return value


def whole_number_of(bundle: Bundle, name: str, least: int, most: int) -> int:
    """As `number_of`, a whole one."""
    value = number_of(bundle, name, least, most)
    if value != int(value):
        raise ModelMismatch(
            f"expected a whole {name} in {bundle.folder}, found {value!r}; reinstall the model"
        )
    return int(value)


def array_of(bundle: Bundle, name: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """One of the integer arrays of tables.npz.

    Raises:
        ModelMismatch: it is missing, or of another shape or kind.
    """
    found = bundle.tables.get(name)
    if found is None or found.shape != shape or found.dtype.kind not in "iu" or found.dtype.itemsize > 4:
        raise ModelMismatch(
            f"expected integers {name} {shape} in {bundle.folder}, found others; reinstall the model"
        )
    return found.astype(np.int64)
