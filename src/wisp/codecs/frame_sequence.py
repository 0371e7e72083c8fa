"""Frames to a sequence and back: key frames, and between them frames that move the one before.

first frame, or a cut -> a file like any picture's -> key frame
else -> each region: move it, move and correct it, or send tokens, whichever costs less -> moved frame
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.frame_choice import choose_frame
from wisp.codecs.looking import SEARCH_EFFORT
from wisp.codecs.moved_frame import FrameCodec, Past, read_frame, show_frame, write_frame
from wisp.codecs.proposal import lmbda_of_quality
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import WispFile, read_header, unpack_file
from wisp.container.header import Header
from wisp.container.sequence import Frame, FrameSequence
from wisp.errors import BitstreamError, Corrupt, ImageError, NotWisp
from wisp.imaging import Picture
from wisp.imaging.advected import Advected, still
from wisp.rate import Target


@dataclass(frozen=True)
class CodedFrame:
    """A frame as it will lie in the sequence, as it will be shown, and how much of it was coded anew."""

    frame: Frame
    shown_u8: NDArray[np.uint8]
    coded_share: float


class SequenceWriter:
    """Codes one frame after another at one quality."""

    def __init__(self, codec: FrameCodec, quality: float, key_every: int) -> None:
        self.codec, self.quality, self.key_every = codec, quality, key_every
        self._before: NDArray[np.uint8] | None = None
        self._state: Advected | None = None
        self._past: Past | None = None
        self._since_key = 0

    def add(self, picture: Picture) -> CodedFrame:
        """The next frame.

        Raises:
            ImageError: it is of another size than the first.
        """
        if self._past is not None and (picture.width, picture.height) != (
            self._past.header.width,
            self._past.header.height,
        ):
            raise ImageError(
                f"expected frames of {self._past.header.width}x{self._past.header.height}, found one of "
                f"{picture.width}x{picture.height}; scale them to one size"
            )
        if self._before is None or self._state is None or self._past is None:
            return self._key(picture)
        if self._since_key + 1 >= self.key_every:
            return self._key(picture)
        if self._past.header.greyscale and not picture.greyscale:
            return self._key(picture)
        frame = choose_frame(self.codec, picture, self._before, self._state, lmbda_of_quality(self.quality))
        if frame is None:
            return self._key(picture)
        data = write_frame(self.codec, self._past, frame)
        self._before, self._state = show_frame(self.codec, self._state, frame)
        self._since_key += 1
        return CodedFrame(Frame(data, False), self._before, float(frame.coded.mean()))

    def _key(self, picture: Picture) -> CodedFrame:
        target = Target(quality=self.quality)
        if isinstance(self.codec, TokenPyramidCodec):
            data = self.codec.compress(
                picture, target, effort=SEARCH_EFFORT
            )  # looking gains nothing for clips
        else:
            data = self.codec.compress(picture, target)
        file = unpack_file(data)
        shown = _shown(self.codec, file)
        self._before, self._state, self._past, self._since_key = shown, still(shown), Past(file), 0
        return CodedFrame(Frame(data, True), shown, 1.0)


def _shown(codec: FrameCodec, file: WispFile) -> NDArray[np.uint8]:
    """A key frame's pixels (H, W, 3)."""
    if isinstance(codec, TokenPyramidCodec):
        return codec.synthesise(file, *codec.decode(file))
    return codec.reconstruct(file).pixels_u8


def read_sequence(
    codec: FrameCodec, sequence: FrameSequence, first: int, max_pixels: int
) -> Iterator[tuple[NDArray[np.uint8], bool]]:
    """Frames (H, W, 3) uint8 from number `first` on, and whether each is grey; decoding starts at the key frame before.

    Raises:
        BitstreamError: a frame's bytes are at fault, or key frames differ in size.
        ModelMismatch: a key frame is of another model.
    """
    start = sequence.key_before(first)
    known, *_ = read_header(sequence.frames[0].data, max_pixels)
    state: Advected | None = None
    past: Past | None = None
    for number, frame in enumerate(sequence.frames[start:], start=start):
        try:
            if frame.is_key:
                file = unpack_file(frame.data, max_pixels)
                _check_alike(known, file.header)
                shown = _shown(codec, file)
                state, past = still(shown), Past(file)
            else:
                assert past is not None
                assert state is not None
                shown, state = show_frame(codec, state, read_frame(codec, past, frame.data))
        except BitstreamError as fault:
            kind = Corrupt if isinstance(fault, NotWisp) else type(fault)
            raise kind(f"frame {number}: {fault}") from None
        if number >= first:
            yield shown, past.header.greyscale


def _check_alike(first: Header, found: Header) -> None:
    """Whether a key frame is like the first.

    Raises:
        Corrupt: it is not.
    """
    wanted = (first.width, first.height, first.model_number, 0)
    if (found.width, found.height, found.model_number, found.scale_exponent) != wanted:
        raise Corrupt("expected key frames of one size, full scale and one model, found another")
