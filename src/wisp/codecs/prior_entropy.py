"""Tokens to payload and back with the masked prior: the same walk for writing, reading and counting.

    grain (as with tables) -> group by group of the order -> stage by stage -> raster over what is sent

At every stage the prior sees the tokens of all earlier groups and stages where they were sent, and the depths; its
logits are added to those of the tables (docs/format.md, section 5.8). Only integers are involved.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.masked_prior import LOGIT_LIMIT, MaskedPrior
from wisp.codecs.prior_windows import bands_of, chosen_features
from wisp.codecs.pyramid_entropy import (
    Exchange,
    Payload,
    PyramidEntropyModel,
    checked_bytes,
    empty_pyramid,
)
from wisp.entropy.context_tables import CHUNK
from wisp.entropy.integer_softmax import cumulatives, frequencies
from wisp.entropy.range_coder import TOTAL_BITS, RangeDecoder, RangeEncoder
from wisp.errors import ModelMismatch
from wisp.tokens.pyramid import NOT_SENT, PyramidShape, TokenPyramid
from wisp.tokens.stages import stage_map

WINDOW = (
    96 * 96
)  # positions that a network works on at once: bounds memory; in squares of 96, halos cost a third more

Choice = Callable[[NDArray[np.int16], int, NDArray[np.bool_], slice], NDArray[np.uint8]]


class PriorEntropyModel:
    """The tables and the masked prior of one model; `threads` networks at once, of `window` positions each."""

    def __init__(
        self, tables: PyramidEntropyModel, prior: MaskedPrior, window: int = WINDOW, threads: int = 1
    ) -> None:
        self.tables, self.prior, self.window, self.threads = tables, prior, window, threads
        for place, group in enumerate(tables.places):
            peak = 2 * int(np.abs(group.bias.astype(np.int32)).max()) + 255 * len(group.tables)
            if peak + 2 * LOGIT_LIMIT > np.iinfo(np.int16).max:
                raise ModelMismatch(f"expected logits that fit 16 bits at place {place}, found {peak}")

    def write(self, pyramid: TokenPyramid) -> Payload:
        """The payload of a pyramid; as PyramidEntropyModel.write."""
        encoder = RangeEncoder()
        self.tables.grain.write(encoder, pyramid.grain_map)
        self.write_tokens(encoder, pyramid)
        return Payload(encoder.finish(), checked_bytes(pyramid))

    def write_tokens(self, encoder: RangeEncoder, pyramid: TokenPyramid) -> None:
        """Append the tokens that the grain map sends."""

        def exchange(
            freqs: NDArray[np.uint32], place: int, turn: NDArray[np.bool_], part: slice
        ) -> NDArray[np.uint8]:
            level, group = self._where(place)
            tokens: NDArray[np.uint8] = pyramid.planes[level][group][turn][part]
            chosen = tokens.astype(np.intp)
            before = np.arange(freqs.shape[1])[None] < chosen[:, None]
            starts = (freqs * before).sum(1)
            encoder.encode(starts.tolist(), freqs[np.arange(len(chosen)), chosen].tolist())
            return tokens

        self.walk(empty_pyramid(pyramid.shape, pyramid.grain_map), exchange)

    def read(self, data: bytes, shape: PyramidShape) -> tuple[TokenPyramid, int, tuple[bytes, ...]]:
        """Decode a payload; as PyramidEntropyModel.read."""
        decoder = RangeDecoder(data)
        pyramid = empty_pyramid(shape, self.tables.grain.read(decoder, shape))
        self.read_tokens(decoder, pyramid)
        return pyramid, decoder.finish(), checked_bytes(pyramid)

    def read_tokens(self, decoder: RangeDecoder, pyramid: TokenPyramid) -> None:
        """Fill in the tokens that the grain map sends."""
        self.walk(pyramid, lambda freqs, *_: decoder.decode(cumulatives(freqs)))

    def place_bits(self, pyramid: TokenPyramid) -> NDArray[np.float64]:
        """(N,) ideal bits of the sent tokens of every place, without the grain map."""
        bits = np.zeros(pyramid.shape.num_groups)

        def exchange(
            freqs: NDArray[np.uint32], place: int, turn: NDArray[np.bool_], part: slice
        ) -> NDArray[np.uint8]:
            level, group = self._where(place)
            tokens: NDArray[np.uint8] = pyramid.planes[level][group][turn][part]
            chosen = freqs[np.arange(len(tokens)), tokens].astype(np.float64)
            bits[place] += (TOTAL_BITS - np.log2(chosen)).sum()
            return tokens

        copy = empty_pyramid(pyramid.shape, pyramid.grain_map)
        self.walk(copy, exchange)
        return bits

    def _where(self, place: int) -> tuple[int, int]:
        level = 0
        while place >= self.prior.groups[level]:
            place -= self.prior.groups[level]
            level += 1
        return level, place

    def walk(self, pyramid: TokenPyramid, exchange: Exchange) -> None:
        """Visit every sent token in coding order; `exchange` turns frequencies into tokens, which are filled in."""
        shape = pyramid.shape
        coarser: list[NDArray[np.int32]] = []
        place = 0

        def choose(
            logits: NDArray[np.int16], place: int, turn: NDArray[np.bool_], part: slice
        ) -> NDArray[np.uint8]:
            return exchange(frequencies(logits), place, turn, part)

        for level, count in enumerate(shape.groups):
            known = np.full((count, *shape.plane_shape(level)), NOT_SENT, np.int32)
            if not pyramid.sent(place, level).any():
                coarser.append(known)
                place += count
                continue
            self.prior.check(level)
            fold = shape.fold(level)
            depths = pyramid.grain_map.astype(np.int32).repeat(fold, 0).repeat(fold, 1)
            context = self.prior.context(coarser)
            for group in range(count):
                sent = pyramid.sent(place, level)
                stages = stage_map(sent.shape[0], sent.shape[1], self.prior.stages[place])
                for stage in range(self.prior.stages[place]):
                    turn = sent & (stages == stage)
                    if turn.any():
                        tokens = self.visit(pyramid, place, level, turn, known, depths, context, choose)
                        known[group][turn] = tokens
                        pyramid.planes[level][group][turn] = tokens
                place += 1
            coarser.append(known)

    def visit(
        self,
        pyramid: TokenPyramid,
        place: int,
        level: int,
        turn: NDArray[np.bool_],
        known: NDArray[np.int32],
        depths: NDArray[np.int32],
        context: NDArray[np.float32] | None,
        choose: Choice,
    ) -> NDArray[np.uint8]:
        """The tokens of a place at the positions `turn` (h, w), in raster order, as `choose` takes them from logits.

        The network works on the parts that matter, with exact halos. choose(logits (n, 256) int16 in 1/16 nat, place,
        turn, part) is asked for the tokens `part` of the turn.

        Args:
            pyramid: what the tables look at. known: the level's planes, 256 where not known. depths: (h, w), of
                the regions. context: of the level, or None at the coarsest.
        """
        halo = self.prior.halo(level)
        tokens = np.empty(int(turn.sum()), np.uint8)
        done = 0

        def features(rows: slice, columns: slice) -> NDArray[np.float32]:
            here = None if context is None else context[:, :, rows, columns]
            return self.prior.features(level, known[:, rows, columns], depths[rows, columns], here)

        for band in bands_of(turn, self.window, halo):
            mask = np.zeros(turn.shape, bool)
            mask[band.rows] = turn[band.rows]
            chosen = chosen_features(turn, band, halo, features, self.threads)
            tables = self.tables.logits(pyramid, place, level, mask)
            for first in range(0, len(chosen), CHUNK):
                part = slice(first, min(first + CHUNK, len(chosen)))
                logits = tables[part] + self.prior.logits(place, chosen[part])
                span = slice(done + part.start, done + part.stop)
                tokens[span] = choose(logits, place, turn, span)
            done += len(chosen)
        return tokens
