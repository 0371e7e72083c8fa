"""Frames to a sequence and back: key frames, and between them frames that move the one before.

first frame, or a cut -> a file like any picture's -> key frame
else -> motion, analysis -> each region: move it, or send tokens, whichever costs less -> moved frame
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import region_distortions, region_weights
from wisp.allocation.lagrange import choose_depths
from wisp.codecs.moved_frame import (
    MovedFrame,
    check_model,
    moved_blocks,
    read_frame,
    show_frame,
    write_frame,
)
from wisp.codecs.proposal import lmbda_of_quality, propose
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import read_header, unpack_file
from wisp.container.header import Header
from wisp.container.sequence import Frame, FrameSequence
from wisp.errors import Corrupt, ImageError
from wisp.imaging import Picture, pad_to_multiple
from wisp.imaging.advected import Advected, still
from wisp.imaging.motion import BLOCK, search
from wisp.rate import Target

VECTOR_BITS = 4.0  # about what a block's vector costs
CUT_SHARE = 0.6  # of the regions coded anew: then it is another scene
ANEW = 2.0  # times as costly must moving be before a region is coded anew


@dataclass(frozen=True)
class CodedFrame:
    """A frame as it will lie in the sequence, as it will be shown, and how much of it was coded anew."""

    frame: Frame
    shown_u8: NDArray[np.uint8]
    coded_share: float


class SequenceWriter:
    """Codes one frame after another at one quality."""

    def __init__(self, codec: TokenPyramidCodec, quality: float, key_every: int) -> None:
        check_model(codec)
        self.codec, self.quality, self.key_every = codec, quality, key_every
        self._before: NDArray[np.uint8] | None = None
        self._state: Advected | None = None
        self._header: Header | None = None
        self._since_key = 0

    def add(self, picture: Picture) -> CodedFrame:
        """The next frame.

        Raises:
            ImageError: it is of another size than the first.
        """
        if self._header is not None and (picture.width, picture.height) != (
            self._header.width,
            self._header.height,
        ):
            raise ImageError(
                f"expected frames of {self._header.width}x{self._header.height}, found one of "
                f"{picture.width}x{picture.height}; scale them to one size"
            )
        if self._before is None or self._header is None or self._since_key + 1 >= self.key_every:
            return self._key(picture)
        if self._header.greyscale and not picture.greyscale:
            return self._key(picture)
        moved, state = self._moved(picture)
        if moved.coded_share > CUT_SHARE:
            return self._key(picture)
        self._before, self._state = moved.shown_u8, state
        self._since_key += 1
        return moved

    def _key(self, picture: Picture) -> CodedFrame:
        data = self.codec.compress(picture, Target(quality=self.quality))
        file = unpack_file(data)
        shown = self.codec.synthesise(file, *self.codec.decode(file))
        self._before, self._state, self._header, self._since_key = shown, still(shown), file.header, 0
        return CodedFrame(Frame(data, True), shown, 1.0)

    def _moved(self, picture: Picture) -> tuple[CodedFrame, Advected]:
        assert self._before is not None
        assert self._state is not None
        assert self._header is not None
        codec, pixels = self.codec, picture.pixels_u8
        lmbda = lmbda_of_quality(self.quality)
        vectors = search(self._before, pixels)
        _, predicted = self._state.move(vectors)
        proposal = propose(codec.bundle, codec.entropy_model, codec.settings, picture, 0, None, None)
        demand = proposal.demand
        cumulative = demand.cumulative_bits()
        depths = choose_depths(demand, cumulative, lmbda)
        here = depths[None].astype(np.intp)
        coded_cost = (
            np.take_along_axis(demand.distortions, here, 0) + lmbda * np.take_along_axis(cumulative, here, 0)
        )[0]
        side = codec.bundle.config.strides[0]
        padded = [pad_to_multiple(frame, side) for frame in (pixels, predicted)]
        errors = region_distortions(padded[0], padded[1], side)
        moved_cost = errors * region_weights(pixels, codec.settings.masking, side)
        moved_cost += lmbda * VECTOR_BITS * (side // BLOCK) ** 2
        coded = moved_cost > ANEW * coded_cost
        vectors[~moved_blocks(coded, vectors.shape[:2], side)] = 0
        tokens = replace(proposal.analysed.tokens, grain_map=np.where(coded, depths, 0).astype(np.uint8))
        frame = MovedFrame(vectors, tokens.cut_to_map())
        data = write_frame(codec, self._header, frame)
        shown, state = show_frame(codec, self._state, frame)
        return CodedFrame(Frame(data, False), shown, float(coded.mean())), state


def read_sequence(
    codec: TokenPyramidCodec, sequence: FrameSequence, first: int, max_pixels: int
) -> Iterator[tuple[NDArray[np.uint8], bool]]:
    """Frames (H, W, 3) uint8 from number `first` on, and whether each is grey; decoding starts at the key frame before.

    Raises:
        BitstreamError: a frame's bytes are at fault, or key frames differ in size.
        ModelMismatch: a key frame is of another model.
    """
    start = sequence.key_before(first)
    known, *_ = read_header(sequence.frames[0].data, max_pixels)
    state: Advected | None = None
    header: Header | None = None
    for number, frame in enumerate(sequence.frames[start:], start=start):
        if frame.is_key:
            file = unpack_file(frame.data, max_pixels)
            header = file.header
            if (header.width, header.height, header.model_number, header.scale_exponent) != (
                known.width,
                known.height,
                known.model_number,
                0,
            ):
                raise Corrupt(
                    f"expected key frames of one size, full scale and one model, found another at {number}"
                )
            shown = codec.synthesise(file, *codec.decode(file))
            state = still(shown)
        else:
            assert header is not None
            assert state is not None
            shown, state = show_frame(codec, state, read_frame(codec, header, frame.data))
        if number >= first:
            yield shown, header.greyscale
