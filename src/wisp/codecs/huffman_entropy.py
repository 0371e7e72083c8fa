"""Tokens to payload and back with a static Huffman code, as Control-GIC codes them (docs/format.md, section 5.10).

    grain map (range coded, finished) -> level by level, raster over the positions that are sent: one code an index

An index is the two tokens of a position, 256 * first + second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grain_coding import GrainCoder
from wisp.codecs.pyramid_entropy import Payload, checked_bytes, empty_pyramid
from wisp.entropy.huffman import HuffmanCode
from wisp.entropy.range_coder import RangeDecoder, RangeEncoder
from wisp.tokens.pyramid import PyramidShape, TokenPyramid

SHELF = 256  # indices that share a first token
LENGTHS = "huffman"  # the table's name in a bundle


class HuffmanEntropyModel:
    """One code for the indices of all levels, and the map's coder."""

    def __init__(self, lengths: NDArray[np.uint8], grain: GrainCoder) -> None:
        self.code, self.grain = HuffmanCode(lengths), grain

    def write(self, pyramid: TokenPyramid) -> Payload:
        """The payload of a routed pyramid."""
        encoder = RangeEncoder()
        self.grain.write(encoder, pyramid.grain_map)
        indices = np.concatenate(
            [
                indices_of(pyramid, level)[pyramid.sent(place, level)]
                for place, level in _levels(pyramid.shape)
            ]
        )
        return Payload(encoder.finish() + self.code.encode(indices), checked_bytes(pyramid))

    def read(self, data: bytes, shape: PyramidShape) -> tuple[TokenPyramid, int, tuple[bytes, ...]]:
        """Decode a payload; as PyramidEntropyModel.read."""
        decoder = RangeDecoder(data)
        pyramid = empty_pyramid(shape, self.grain.read(decoder, shape))
        first = decoder.finish()
        masks = [pyramid.sent(place, level) for place, level in _levels(shape)]
        indices, num_bytes = self.code.decode(data[first:], sum(int(mask.sum()) for mask in masks))
        done = 0
        for plane, mask in zip(pyramid.planes, masks, strict=True):
            here = indices[done : done + int(mask.sum())]
            plane[0][mask], plane[1][mask] = here // SHELF, here % SHELF
            done += len(here)
        return pyramid, first + num_bytes, checked_bytes(pyramid)


def indices_of(pyramid: TokenPyramid, level: int) -> NDArray[np.intp]:
    """(h, w) indices of a level's codewords: 256 * first token + second."""
    first, second = pyramid.planes[level].astype(np.intp)
    indices: NDArray[np.intp] = SHELF * first + second
    return indices


def _levels(shape: PyramidShape) -> list[tuple[int, int]]:
    """(place of its first group, level) of every level."""
    return [(place, level) for place, level, group in shape.order() if not group]
