"""A frame by the one before: what lies between two key frames of a sequence (docs/sequences.md).

    which regions are coded -> vectors of the other blocks -> depths and tokens of the coded regions -> check

A region is either the frame before, moved, or tokens like those of a picture. What decides bits are integers alone;
pixels of the frame before enter the picture and nothing else, so drift between machines costs a grey level here and
there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grain_coding import MapCoder
from wisp.codecs.pyramid_entropy import checked_bytes, empty_pyramid
from wisp.codecs.pyramid_networks import analyse, pyramid_shape, synthesise
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import CHECK_NUM_BYTES, Header, pack_header, token_check
from wisp.entropy.gaussian_levels import best_scale
from wisp.entropy.gaussian_tables import NUM_SCALES, scale_cumulatives
from wisp.entropy.level_rows import REACH
from wisp.entropy.range_coder import TOTAL, RangeDecoder, RangeEncoder
from wisp.errors import Corrupt, Truncated, UsageError
from wisp.imaging.advected import Advected
from wisp.imaging.motion import BLOCK, MAX_VECTOR, Vectors, grid
from wisp.tokens.pyramid import TokenPyramid

CODED_SHARES = (
    TOTAL * 3 // 16,
    TOTAL // 2,
    TOTAL * 13 // 16,
)  # of coded regions, by how many of left and upper are
GUESSED_DEPTH = 8  # of the tokens that stand in for moved regions while the coded ones are synthesised
_ROWS = 512  # of tables at once: half a megabyte
FADE = 8  # pixels over which a coded region fades into its moved neighbours


@dataclass(frozen=True, eq=False)
class MovedFrame:
    """What is sent of a frame.

    Attributes:
        vectors: (blocks down, blocks across, 2) int16 half pixels; 0 in coded regions.
        tokens: the pyramid of the frame; its grain map is 0 where a region is the frame before, moved.
    """

    vectors: Vectors
    tokens: TokenPyramid

    @property
    def coded(self) -> NDArray[np.bool_]:
        """(rows, columns): regions that are sent as tokens."""
        return self.tokens.grain_map > 0


def check_model(codec: TokenPyramidCodec) -> MapCoder:
    """The grain coder of a model that can code frames.

    Raises:
        UsageError: its grain is no map of depths.
    """
    side = codec.bundle.config.strides[0]
    if (
        codec.is_uniform
        or codec.is_routed
        or side % BLOCK
        or not isinstance(codec.entropy_model.grain, MapCoder)
    ):
        raise UsageError(
            f"expected a model with a grain map of depths for sequences, found "
            f"{codec.bundle.config.name}; use wisp_small"
        )
    return codec.entropy_model.grain


def write_frame(codec: TokenPyramidCodec, header: Header, frame: MovedFrame) -> bytes:
    """A frame's bytes: by the tables or by the prior, whichever is shorter."""
    written = [_write(codec, header, frame, False)]
    if codec.prior_model is not None:
        written.append(_write(codec, header, frame, True))
    return min(written, key=len)


def _write(codec: TokenPyramidCodec, header: Header, frame: MovedFrame, by_prior: bool) -> bytes:
    encoder = RangeEncoder()
    _put(encoder, by_prior * TOTAL // 2, TOTAL // 2)
    coded = frame.coded
    _exchange_coded(coded, lambda share, is_coded: _put_flag(encoder, share, is_coded))
    moved = moved_blocks(coded, frame.vectors.shape[:2], codec.bundle.config.strides[0])
    levels = _differences(frame.vectors, moved)
    for axis in (0, 1):
        scale = best_scale(levels[:, axis])
        _put(encoder, scale * (TOTAL // NUM_SCALES), TOTAL // NUM_SCALES)
        table, symbols = scale_cumulatives()[scale], levels[:, axis].astype(np.intp) + REACH
        encoder.encode(table[symbols].tolist(), (table[symbols + 1] - table[symbols]).tolist())
    check_model(codec).write(encoder, frame.tokens.grain_map)
    model = codec.prior_model if by_prior else codec.entropy_model
    assert model is not None
    model.write_tokens(encoder, frame.tokens)
    check = token_check(pack_header(header), *_checked(frame, moved))
    return encoder.finish() + check.to_bytes(CHECK_NUM_BYTES, "big")


def read_frame(codec: TokenPyramidCodec, header: Header, data: bytes) -> MovedFrame:
    """The frame of `write_frame`, verified; `header` is that of the key frame before.

    Raises:
        Truncated, Corrupt: the bytes are at fault.
    """
    try:
        grain = check_model(codec)
    except UsageError as fault:
        raise Corrupt(f"expected a model that moves frames, found another: {fault}") from None
    shape = pyramid_shape(codec.bundle.config, header.height, header.width)
    decoder = RangeDecoder(data)
    by_prior = bool(_take(decoder, [TOTAL // 2]))
    model = codec.prior_model if by_prior else codec.entropy_model
    if model is None:
        raise Corrupt("expected a frame coded with tables, found one with a prior, which the model lacks")
    coded = np.zeros((shape.rows, shape.columns), np.bool_)
    _exchange_coded(coded, lambda share, _: bool(_take(decoder, [TOTAL - share])))
    blocks = grid(header.height, header.width)
    moved = moved_blocks(coded, blocks, shape.strides[0])
    count = int(moved.sum())
    parts = []
    for _ in (0, 1):
        scale = _take(decoder, [(i + 1) * (TOTAL // NUM_SCALES) for i in range(NUM_SCALES)])
        if scale >= NUM_SCALES:
            raise decoder.fault("a scale that does not exist")
        sizes = [min(_ROWS, count - done) for done in range(0, count, _ROWS)]
        symbols = [decoder.decode(np.repeat(scale_cumulatives()[scale][None], n, 0)) for n in sizes]
        parts.append(np.concatenate([np.empty(0, np.uint8), *symbols]).astype(np.int32) - REACH)
    vectors = _vectors(np.stack(parts, -1), moved)
    if np.abs(vectors).max(initial=0) > MAX_VECTOR:
        raise decoder.fault("a vector beyond any search")
    pyramid = empty_pyramid(shape, grain.read(decoder, shape, coded))
    model.read_tokens(decoder, pyramid)
    wanted, found = decoder.finish(), len(data) - CHECK_NUM_BYTES
    if found < wanted:
        raise Truncated(f"expected {wanted} bytes of a frame, found {found}; the end is missing")
    frame = MovedFrame(vectors, pyramid)
    check = token_check(pack_header(header), *_checked(frame, moved))
    if found > wanted or check.to_bytes(CHECK_NUM_BYTES, "big") != data[wanted:]:
        raise Corrupt(f"expected a frame of {wanted} bytes and its check, found others; the file is damaged")
    return frame


def show_frame(
    codec: TokenPyramidCodec, before: Advected, frame: MovedFrame
) -> tuple[NDArray[np.uint8], Advected]:
    """(H, W, 3) uint8: the frame before, moved, and over it the regions sent as tokens; and its pixels' sources."""
    moved, predicted = before.move(frame.vectors)
    coded = frame.coded
    if not coded.any():
        return predicted, moved
    height, width = predicted.shape[:2]
    guessed = analyse(codec.bundle, predicted).tokens
    shape = frame.tokens.shape
    planes = []
    for level, plane in enumerate(frame.tokens.planes):
        fold = shape.fold(level)
        planes.append(np.where(coded.repeat(fold, 0).repeat(fold, 1), plane, guessed.planes[level]))
    depths = np.where(coded, frame.tokens.grain_map, min(GUESSED_DEPTH, shape.num_groups)).astype(np.uint8)
    tokens = replace(frame.tokens, planes=tuple(planes), grain_map=depths)
    synthesised = synthesise(codec.bundle, tokens, height, width)
    weight = _weights(coded, shape.strides[0], height, width)[..., None]
    mixed = (synthesised * weight + predicted * (FADE - weight) + FADE // 2) // FADE
    shown = mixed.astype(np.uint8)
    return shown, moved.renew(shown, 2 * weight[..., 0] >= FADE)


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


def _exchange_coded(coded: NDArray[np.bool_], exchange: Callable[[int, bool], bool]) -> None:
    """Visit regions in raster order; exchange(share, is coded) gives the flag, which is filled in."""
    rows, columns = coded.shape
    for row in range(rows):
        for column in range(columns):
            near = int(row > 0 and coded[row - 1, column]) + int(column > 0 and coded[row, column - 1])
            coded[row, column] = exchange(CODED_SHARES[near], bool(coded[row, column]))


def _put(encoder: RangeEncoder, start: int, width: int) -> None:
    encoder.encode([start], [width])


def _put_flag(encoder: RangeEncoder, share: int, is_coded: bool) -> bool:
    """A flag that is set with probability share / 2^16."""
    _put(encoder, TOTAL - share if is_coded else 0, share if is_coded else TOTAL - share)
    return is_coded


def _take(decoder: RangeDecoder, ends: list[int]) -> int:
    """A symbol whose intervals end at `ends` and at 2^16."""
    return int(decoder.decode(np.array([[0, *ends, TOTAL]], np.int32))[0])


def moved_blocks(coded: NDArray[np.bool_], blocks: tuple[int, ...], side: int) -> NDArray[np.bool_]:
    """(blocks down, blocks across): those of regions, of `side` pixels, that are not coded."""
    fold = side // BLOCK
    moved: NDArray[np.bool_] = ~coded.repeat(fold, 0).repeat(fold, 1)[: blocks[0], : blocks[1]]
    return moved


def _predictors(
    vectors: NDArray[np.int32], row: int, column: int, moved: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """What a vector is expected to be: the median of its left, upper and upper right neighbours that are moved."""
    places = [(row, column - 1), (row - 1, column), (row - 1, column + 1)]
    inside = [(y, x) for y, x in places if y >= 0 and 0 <= x < moved.shape[1] and moved[y, x]]
    if not inside:
        return np.zeros(2, np.int32)
    found = np.sort(np.stack([vectors[place] for place in inside]), 0)
    return found[(len(found) - 1) // 2]  # type: ignore[no-any-return]


def _differences(vectors: Vectors, moved: NDArray[np.bool_]) -> NDArray[np.int16]:
    """(n, 2) of the moved blocks in raster order: each vector less what it is expected to be."""
    whole = vectors.astype(np.int32)
    levels = [whole[y, x] - _predictors(whole, y, x, moved) for y, x in zip(*np.nonzero(moved), strict=True)]
    return np.array(levels, np.int16).reshape(-1, 2)


def _vectors(levels: NDArray[np.int32], moved: NDArray[np.bool_]) -> Vectors:
    vectors = np.zeros((*moved.shape, 2), np.int32)
    for level, y, x in zip(levels, *np.nonzero(moved), strict=True):
        vectors[y, x] = level + _predictors(vectors, int(y), int(x), moved)
    return vectors.astype(np.int16)


def _checked(frame: MovedFrame, moved: NDArray[np.bool_]) -> tuple[bytes, ...]:
    """What a frame's check covers, behind the header: vectors of moved blocks, depths, tokens."""
    return (frame.vectors[moved].astype("<i2").tobytes(), *checked_bytes(frame.tokens))
