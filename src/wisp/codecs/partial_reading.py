"""What arrived of a file that was cut: docs/format.md, section 5.7.

    grain map (whole, or nothing can be shown) -> tokens in coding order, until a byte is needed that is not there

The check is behind the cut, so nothing vouches for these tokens.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.pyramid_entropy import Exchange, PyramidEntropyModel, empty_pyramid
from wisp.entropy.integer_softmax import cumulatives
from wisp.entropy.range_coder import RangeDecoder, StreamEnded
from wisp.errors import Truncated
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.tokens.torn import tear


class Walker(Protocol):
    """An entropy model that visits the tokens of a pyramid in coding order."""

    def walk(self, pyramid: TokenPyramid, exchange: Exchange) -> None:
        """As PyramidEntropyModel.walk."""


class _Collector:
    """Takes tokens from a stream and puts them where they belong, one by one, so that an end loses none."""

    def __init__(self, decoder: RangeDecoder, pyramid: TokenPyramid) -> None:
        self.decoder, self.pyramid = decoder, pyramid
        self.where = {place: (level, group) for place, level, group in pyramid.shape.order()}
        self.place = -1
        self.arrived = np.zeros(0, np.bool_)

    def __call__(
        self, freqs: NDArray[np.uint32], place: int, turn: NDArray[np.bool_], part: slice
    ) -> NDArray[np.uint8]:
        if place != self.place:
            self.place, self.arrived = place, np.zeros(turn.shape, np.bool_)
        try:
            symbols = self.decoder.decode(cumulatives(freqs))
            self._keep(symbols, turn, part)
        except StreamEnded as end:
            self._keep(end.symbols, turn, part)
            raise
        return symbols

    def _keep(self, symbols: NDArray[np.uint8], turn: NDArray[np.bool_], part: slice) -> None:
        level, group = self.where[self.place]
        at = np.flatnonzero(turn)[part][: len(symbols)]
        self.pyramid.planes[level][group].ravel()[at] = symbols
        self.arrived.ravel()[at] = True


def read_partial(
    tables: PyramidEntropyModel, model: Walker, data: bytes, shape: PyramidShape
) -> TokenPyramid:
    """The tokens at the beginning of a stream that ends too early.

    Args:
        tables: what the grain map is coded with.
        model: what the tokens are coded with; the same, or a masked prior on top of it.
        data: everything behind the chunks.

    Raises:
        Truncated: the grain map is not whole, or no token has arrived.
        Corrupt: no encoder writes these bytes.
    """
    decoder = RangeDecoder(data, partial=True)
    try:
        pyramid = empty_pyramid(shape, tables.grain.read(decoder, shape))
    except StreamEnded:
        raise Truncated(
            f"expected a whole grain map of {shape.num_regions} regions, found {len(data)} bytes behind the header, "
            "in which it does not end; nothing can be shown"
        ) from None
    collector = _Collector(decoder, pyramid)
    try:
        model.walk(pyramid, collector)
    except StreamEnded:
        pass
    else:
        return pyramid
    if collector.place < 0 or (collector.place == 0 and not collector.arrived.any()):
        raise Truncated(
            f"expected a token behind the grain map, found the end after {len(data)} bytes; nothing can be shown"
        )
    return tear(pyramid, collector.place, collector.arrived)
