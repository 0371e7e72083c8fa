"""A frame by the one before: what lies between two key frames of a sequence (docs/sequences.md).

    what each region is -> vectors of the other blocks -> corrections -> depths and tokens of the coded regions -> check

A region is the frame before, moved; or that and a correction; or, where the model can code single regions, tokens like
those of a picture. What decides bits are integers alone; pixels of the frame before enter the picture and nothing
else, so drift between machines costs a grey level here and there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wisp.codecs import correction_bits, frame_vectors
from wisp.codecs.correction import Correction, add_correction
from wisp.codecs.correction_bits import EmptyBlock, exchange_correction
from wisp.codecs.frame_vectors import exchange_vectors
from wisp.codecs.grain_coding import MapCoder
from wisp.codecs.latent_grid import LatentGridCodec
from wisp.codecs.latent_vector import LatentVectorCodec
from wisp.codecs.pyramid_entropy import checked_bytes, empty_pyramid
from wisp.codecs.pyramid_networks import analyse, pyramid_shape, synthesise
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import CHECK_NUM_BYTES, WispFile, pack_header, token_check
from wisp.entropy.adaptive_bits import BitPort, BitReader, BitWriter, Contexts
from wisp.entropy.range_coder import RangeDecoder, RangeEncoder
from wisp.errors import Corrupt, Truncated
from wisp.imaging.advected import Advected
from wisp.imaging.motion import BLOCK, MAX_VECTOR, Vectors, grid
from wisp.tokens.pyramid import TokenPyramid

FrameCodec = TokenPyramidCodec | LatentGridCodec | LatentVectorCodec

SIDE = 32  # pixels along a region's side
GUESSED_DEPTH = 8  # of the tokens that stand in for moved regions while the coded ones are synthesised
FADE = 8  # pixels over which a coded region fades into its moved neighbours
_CODED, _CORRECTED, _VECTORS = 0, 3, 6  # where each kind of contexts begins
_LEVELS = _VECTORS + frame_vectors.NUM_CONTEXTS
_NUM_CONTEXTS = _LEVELS + correction_bits.NUM_CONTEXTS


class Past:
    """What writer and reader know of the frames before; changed by `write_frame` and `read_frame`.

    Attributes:
        header: of the key frame before.
        check: of the frame before: a frame's check covers it, so that frames of other clips are found out.
        contexts: what bits have taught since the key frame.
    """

    def __init__(self, key: WispFile) -> None:
        self.header = key.header
        self.check = key.check.to_bytes(CHECK_NUM_BYTES, "big")
        self.contexts = Contexts(_NUM_CONTEXTS)


@dataclass(frozen=True, eq=False)
class MovedFrame:
    """What is sent of a frame.

    Attributes:
        vectors: (blocks down, blocks across, 2) int16 half pixels; in coded regions what their neighbours say.
        tokens: the pyramid of the frame; its grain map is 0 where a region is the frame before, moved. None with a
            model that cannot code single regions.
        corrected: (rows, columns) bool: regions to which the correction is added; none is coded.
        correction: its levels, all 0 elsewhere.
    """

    vectors: Vectors
    tokens: TokenPyramid | None
    corrected: NDArray[np.bool_]
    correction: Correction

    @property
    def coded(self) -> NDArray[np.bool_]:
        """(rows, columns): regions that are sent as tokens."""
        return np.zeros_like(self.corrected) if self.tokens is None else self.tokens.grain_map > 0


def region_coder(codec: FrameCodec) -> tuple[TokenPyramidCodec, MapCoder] | None:
    """The codec again and its grain coder, if it can code single regions: a pyramid with a map of depths."""
    if not isinstance(codec, TokenPyramidCodec) or codec.is_uniform or codec.is_routed:
        return None
    grain = codec.entropy_model.grain
    if codec.bundle.config.strides[0] != SIDE or not isinstance(grain, MapCoder):
        return None
    return codec, grain


def regions_of(height: int, width: int) -> tuple[int, int]:
    """Regions down and across."""
    return -(-height // SIDE), -(-width // SIDE)


def no_correction(height: int, width: int) -> Correction:
    """Levels of 0 for a frame of that size."""
    rows, columns = (count * SIDE // 16 for count in regions_of(height, width))
    return Correction(
        0, np.zeros((2 * rows, 2 * columns, 64), np.int16), np.zeros((rows, columns, 2, 64), np.int16)
    )


def write_frame(codec: FrameCodec, past: Past, frame: MovedFrame) -> bytes:
    """A frame's bytes: by the tables or by the prior, whichever is shorter. The past goes on to this frame."""
    before = past.contexts.copy()
    written = [_write(codec, frame, past.contexts, False)]
    known = region_coder(codec)
    if known is not None and known[0].prior_model is not None and frame.coded.any():
        written.append(_write(codec, frame, before, True))
    past.check = _check(past, frame)
    return min(written, key=len) + past.check


def _write(codec: FrameCodec, frame: MovedFrame, contexts: Contexts, by_prior: bool) -> bytes:
    encoder = RangeEncoder()
    port = BitWriter(encoder, contexts)
    known = region_coder(codec)
    if known is not None:
        port.equal(by_prior, 2)
    coded = frame.coded
    _exchange_kinds(port, coded, frame.corrected, known is not None)
    moved = moved_blocks(coded, frame.vectors.shape[:2])
    exchange_vectors(port, frame.vectors, moved, _VECTORS)
    if frame.corrected.any():
        exchange_correction(port, frame.correction, frame.corrected, SIDE, _LEVELS)
    if known is not None and frame.tokens is not None:
        pyramids, grain = known
        grain.write(encoder, frame.tokens.grain_map)
        model = pyramids.prior_model if by_prior else pyramids.entropy_model
        assert model is not None
        model.write_tokens(encoder, frame.tokens)
    return encoder.finish()


def read_frame(codec: FrameCodec, past: Past, data: bytes) -> MovedFrame:
    """The frame of `write_frame`, verified. The past goes on to this frame.

    Raises:
        Truncated, Corrupt: the bytes are at fault.
    """
    known, header = region_coder(codec), past.header
    decoder = RangeDecoder(data)
    port = BitReader(decoder, past.contexts)
    by_prior = known is not None and port.equal(0, 2)
    nothing = np.zeros(regions_of(header.height, header.width), np.bool_)
    coded, corrected = _exchange_kinds(port, nothing, nothing, known is not None)
    blocks = grid(header.height, header.width)
    moved = moved_blocks(coded, blocks)
    vectors = exchange_vectors(port, np.zeros((*blocks, 2), np.int16), moved, _VECTORS)
    if np.abs(vectors).max(initial=0) > MAX_VECTOR:
        raise decoder.fault("a vector beyond any search")
    correction = no_correction(header.height, header.width)
    if corrected.any():
        try:
            correction = exchange_correction(port, correction, corrected, SIDE, _LEVELS)
        except EmptyBlock as fault:
            raise decoder.fault(str(fault)) from None
    tokens: TokenPyramid | None = None
    if known is not None:
        pyramids, grain = known
        model = pyramids.prior_model if by_prior else pyramids.entropy_model
        if model is None:
            raise Corrupt("expected a frame coded with tables, found one with a prior, which the model lacks")
        shape = pyramid_shape(codec.bundle.config, header.height, header.width)
        if by_prior and not coded.any():
            raise decoder.fault("a prior for no tokens")
        tokens = empty_pyramid(shape, grain.read(decoder, shape, coded))
        model.read_tokens(decoder, tokens)
    wanted, found = decoder.finish(), len(data) - CHECK_NUM_BYTES
    if found < wanted:
        raise Truncated(f"expected {wanted} bytes of a frame, found {found}; the end is missing")
    frame = MovedFrame(vectors, tokens, corrected, correction)
    past.check = _check(past, frame)
    if found > wanted or past.check != data[wanted:]:
        raise Corrupt(
            f"expected a frame of {wanted} bytes and its check, found others; the file is damaged, or put together "
            "from several"
        )
    return frame


def show_frame(codec: FrameCodec, before: Advected, frame: MovedFrame) -> tuple[NDArray[np.uint8], Advected]:
    """(H, W, 3) uint8: the frame before, moved, corrected, and over it the regions sent as tokens; and its sources."""
    moved, shown = before.move(frame.vectors)
    height, width = shown.shape[:2]
    fresh = np.zeros((height, width), np.bool_)
    if frame.corrected.any():
        shown = add_correction(shown, frame.correction)
        fresh |= frame.correction.touched().repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width]
    if frame.tokens is not None and frame.coded.any():
        weight = _weights(frame.coded, SIDE, height, width)[..., None]
        synthesised = _among_moved(codec, shown, frame.coded, frame.tokens)
        mixed = (synthesised * weight + shown * (FADE - weight) + FADE // 2) // FADE
        shown = mixed.astype(np.uint8)
        fresh |= 2 * weight[..., 0] >= FADE
    return shown, moved.renew(shown, fresh) if fresh.any() else moved


def _among_moved(
    codec: FrameCodec, moved_u8: NDArray[np.uint8], coded: NDArray[np.bool_], tokens: TokenPyramid
) -> NDArray[np.uint8]:
    """(H, W, 3): coded regions synthesised among those tokens that the moved picture would have."""
    guessed, shape = analyse(codec.bundle, moved_u8).tokens, tokens.shape
    planes = []
    for level, plane in enumerate(tokens.planes):
        fold = shape.fold(level)
        planes.append(np.where(coded.repeat(fold, 0).repeat(fold, 1), plane, guessed.planes[level]))
    depths = np.where(coded, tokens.grain_map, min(GUESSED_DEPTH, shape.num_groups)).astype(np.uint8)
    whole = replace(tokens, planes=tuple(planes), grain_map=depths)
    return synthesise(codec.bundle, whole, *moved_u8.shape[:2])


def _weights(coded: NDArray[np.bool_], side: int, height: int, width: int) -> NDArray[np.int32]:
    """(height, width) of FADE: how much of a pixel is synthesised, all where regions are coded, fading outwards."""
    reached = coded.repeat(side, 0).repeat(side, 1)[:height, :width]
    weight = np.zeros(reached.shape, np.int32)
    for _ in range(FADE):
        weight += reached
        wide = np.pad(reached, 1)
        tall = wide[:-2, 1:-1] | wide[1:-1, 1:-1] | wide[2:, 1:-1]
        tall = np.pad(tall, ((0, 0), (1, 1)))
        reached = tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]
    return weight


def _exchange_kinds(
    port: BitPort, coded: NDArray[np.bool_], corrected: NDArray[np.bool_], can_code: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which regions (rows, columns) are coded, and which of the others are corrected: written, or read."""
    rows, columns = coded.shape
    found = np.zeros((2, rows + 1, columns + 1), np.int64)  # one row and column of 0 before
    for row in range(rows):
        for column in range(columns):
            near = found[:, row, column + 1] + found[:, row + 1, column]
            if can_code and port.bit(_CODED + int(near[0]), int(coded[row, column])):
                found[0, row + 1, column + 1] = 1
            elif port.bit(_CORRECTED + int(near[1]), int(corrected[row, column])):
                found[1, row + 1, column + 1] = 1
    inner = found[:, 1:, 1:].astype(np.bool_)
    return inner[0], inner[1]


def moved_blocks(coded: NDArray[np.bool_], blocks: tuple[int, ...]) -> NDArray[np.bool_]:
    """(blocks down, blocks across): those of regions that are not coded."""
    fold = SIDE // BLOCK
    moved: NDArray[np.bool_] = ~coded.repeat(fold, 0).repeat(fold, 1)[: blocks[0], : blocks[1]]
    return moved


def _check(past: Past, frame: MovedFrame) -> bytes:
    """Over the key frame's header, the check before, vectors of moved blocks, the correction, depths and tokens."""
    moved = moved_blocks(frame.coded, frame.vectors.shape[:2])
    parts = [past.check, frame.vectors[moved].astype("<i2").tobytes()]
    if frame.corrected.any():
        correction = frame.correction
        parts += [levels.astype("<i2").tobytes() for levels in (correction.luma, correction.chroma)]
        parts.append(bytes([correction.step]))
    tokens = () if frame.tokens is None else checked_bytes(frame.tokens)
    return token_check(pack_header(past.header), *parts, *tokens).to_bytes(CHECK_NUM_BYTES, "big")
