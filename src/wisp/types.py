"""What the public functions return."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wisp.rate import rate_bpp

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class ImageInfo:
    """What a file says of itself, read without decoding a pixel.

    Attributes:
        width, height: of the original picture, in pixels.
        greyscale: the picture has one grey channel.
        model_number, model_name: the model that decodes it; the name is None if this version does not know it.
        scale_exponent: s; the network worked at 1 / 2^s of the size.
        format_version: of the container.
        num_bytes: the whole file.
        payload_num_bytes: tokens and grain map.
        header_num_bytes: everything else: header, check, and what frames the chunks.
        chunks: (name, bytes of data) of every metadata chunk.
        has_alpha: an alpha plane is among them.
    """

    width: int
    height: int
    greyscale: bool
    model_number: int
    model_name: str | None
    scale_exponent: int
    format_version: int
    num_bytes: int
    payload_num_bytes: int
    header_num_bytes: int
    chunks: tuple[tuple[str, int], ...]
    has_alpha: bool

    @property
    def rate_bpp(self) -> float:
        """Bits per pixel: 8 x whole file bytes / (width x height)."""
        return rate_bpp(self.num_bytes, self.width, self.height)


@dataclass(frozen=True)
class SequenceInfo:
    """What a sequence of frames says of itself, read without decoding a pixel.

    Attributes:
        width, height: of every frame, in pixels.
        model_number: the model that decodes it.
        rate: (frames, seconds).
        num_bytes: the whole sequence.
        frame_num_bytes: of each frame, in order.
        keys: numbers of the key frames, rising; the first is 0.
    """

    width: int
    height: int
    model_number: int
    rate: tuple[int, int]
    num_bytes: int
    frame_num_bytes: tuple[int, ...]
    keys: tuple[int, ...]

    @property
    def rate_kbps(self) -> float:
        """Thousands of bits a second, at the frame rate that is written down."""
        frames, seconds = self.rate
        return 8 * self.num_bytes / len(self.frame_num_bytes) * frames / seconds / 1000


class Fill(StrEnum):
    """What is shown where nothing was sent."""

    smooth = "smooth"  # nothing is made up
    generate = "generate"  # tokens drawn from the model's masked prior


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A decoded picture, and how far to trust it.

    Attributes:
        image: mode L, RGB, LA or RGBA, at the original size.
        confidence: (rows, cols) float32, 0..1: share of each region's tokens that was received.
        info: what the file says.
        exif: EXIF block that the file carries, or None.
        partial: the file was cut, and what arrived was decoded.
        grain_map: (rows, cols) uint8, how many groups of tokens each region was sent, as `wisp.compress` takes it: 0
            for one, 255 for all of the model's; at a smaller working scale a region is larger.
        verified: the check at the end agreed. Of a cut file there is none to compare: damage in what arrived may show.
        fill: what was asked for where nothing was sent. `confidence` counts what was received in either case.
        num_generated: tokens that were made up: 0 unless `fill` is `Fill.generate`, or regions got lost on the way.
        region_side: pixels along a region's side at the working scale, 1 / 2^s of the picture's.
        drawn: a generator drew all of it from one vector (models of latent vectors).
    """

    image: Image.Image
    confidence: NDArray[np.float32]
    info: ImageInfo
    grain_map: NDArray[np.uint8]
    exif: bytes | None = None
    partial: bool = False
    fill: Fill = Fill.smooth
    num_generated: int = 0
    verified: bool = True
    region_side: int = 32
    drawn: bool = False

    @property
    def generated(self) -> bool:
        """Whether a model made up part of the picture."""
        return self.drawn or self.num_generated > 0


@dataclass(frozen=True)
class DroppedPacket:
    """One of the things handed in as packets that was not used.

    Attributes:
        place: its place among what was handed in, from 0.
        error: name of the error that it would be alone, such as "Corrupt" or "NotWisp".
        reason: what was wrong, on one line.
    """

    place: int
    error: str
    reason: str


@dataclass(frozen=True, eq=False)
class PacketReconstruction(Reconstruction):
    """A picture decoded from packets; `partial` if some of them did not arrive.

    Attributes:
        picture_id: 0..65535, which all packets of the picture carry.
        received: the packets used, by rising index.
        count: how many packets the picture was sent in.
        dropped: what was handed in and not used, and why.
        num_duplicates: further copies of packets, which do no harm.
    """

    picture_id: int = 0
    received: tuple[int, ...] = ()
    count: int = 1
    dropped: tuple[DroppedPacket, ...] = ()
    num_duplicates: int = 0
