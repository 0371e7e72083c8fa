"""Tokens to payload and back with the masked prior: the same walk for writing, reading and counting.

    grain (as with tables) -> group by group of the order -> stage by stage -> raster over what is sent

At every stage the prior sees the tokens of all earlier groups and stages where they were sent, and the depths; its
logits are added to those of the tables (docs/format.md, section 5.8). Only integers are involved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.masked_prior import LOGIT_LIMIT, MaskedPrior
from wisp.codecs.prior_windows import at_once, bands_of, chosen_features
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

# Positions at the finest level, above which networks have memory of their own: up to 100 MB a level.
LARGE = 1 << 16

Choice = Callable[[NDArray[np.int16], int, NDArray[np.bool_], slice], NDArray[np.uint8]]


@dataclass(frozen=True)
class View:
    """What the prior sees of a level.

    Attributes:
        level: which one.
        known: its planes (G, h, w) int32, 256 where not known.
        depths: (h, w) int32, of the regions.
        context: of all coarser levels, (1, C, h, w) int8; None at the coarsest.
        own_memory: of the networks, until the level is let go.
    """

    level: int
    known: NDArray[np.int32]
    depths: NDArray[np.int32]
    context: NDArray[np.int8] | None
    own_memory: bool = False


@dataclass(frozen=True)
class _Turn:
    """Tokens that do not see one another: those of a stage of a group, at the positions `mask` (h, w)."""

    place: int
    group: int
    mask: NDArray[np.bool_]


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

        self.walk(empty_pyramid(pyramid.shape, pyramid.grain_map), exchange, self._ahead(pyramid))

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

        self.walk(empty_pyramid(pyramid.shape, pyramid.grain_map), exchange, self._ahead(pyramid))
        return bits

    def _where(self, place: int) -> tuple[int, int]:
        level = 0
        while place >= self.prior.groups[level]:
            place -= self.prior.groups[level]
            level += 1
        return level, place

    def walk(
        self,
        pyramid: TokenPyramid,
        exchange: Exchange,
        ahead: Iterable[NDArray[np.float32]] | None = None,
    ) -> None:
        """Visit every sent token in coding order; `exchange` turns frequencies into tokens, which are filled in.

        Args:
            ahead: features (n, C) of each turn, of a caller who knew all tokens.
        """
        shape = pyramid.shape
        looked: Iterator[NDArray[np.float32] | None] = repeat(None) if ahead is None else iter(ahead)

        def choose(
            logits: NDArray[np.int16], place: int, turn: NDArray[np.bool_], part: slice
        ) -> NDArray[np.uint8]:
            return exchange(frequencies(logits), place, turn, part)

        coarser: list[NDArray[np.int32]] = []
        for level in range(len(shape.groups)):
            known = np.full(pyramid.planes[level].shape, NOT_SENT, np.int32)
            turns = self._turns(pyramid, level)
            if turns:
                view = self._view(pyramid, level, known, coarser)
                for turn in turns:
                    tokens = self.visit(pyramid, turn.place, turn.mask, view, choose, next(looked))
                    known[turn.group][turn.mask] = tokens
                    pyramid.planes[level][turn.group][turn.mask] = tokens
                if view.own_memory:
                    self.prior.let_go(level)
            coarser.append(known)

    def _turns(self, pyramid: TokenPyramid, level: int) -> list[_Turn]:
        """The turns of a level with something in them, in coding order."""
        turns = []
        for place, at, group in pyramid.shape.order():
            if at != level:
                continue
            sent = pyramid.sent(place, level)
            stages = stage_map(sent.shape[0], sent.shape[1], self.prior.stages[place])
            for stage in range(self.prior.stages[place]):
                mask = sent & (stages == stage)
                if mask.any():
                    turns.append(_Turn(place, group, mask))
        return turns

    def _view(
        self,
        pyramid: TokenPyramid,
        level: int,
        known: NDArray[np.int32],
        coarser: Sequence[NDArray[np.int32]],
    ) -> View:
        """Of a level whose coarser planes (G, h, w) are known.

        Raises:
            ModelMismatch: the prior computes other logits here than where it was made.
        """
        self.prior.check(level)
        fold = pyramid.shape.fold(level)
        depths = pyramid.grain_map.astype(np.int32).repeat(fold, 0).repeat(fold, 1)
        is_large = pyramid.planes[-1][0].size > LARGE
        return View(level, known, depths, self.prior.context(coarser, is_large), is_large)

    def _ahead(self, pyramid: TokenPyramid) -> list[NDArray[np.float32]] | None:
        """Features of each turn as `walk` comes to it, several turns at once; None where that saves no time.

        Which tokens will be known then is known here, where a reader has to wait for them. The turns of a large picture
        have several windows, which are worked on at once as they are. All turns together, as threads take a while
        to spread over the processors.
        """
        if self.threads == 1 or pyramid.planes[-1][0].size > self.window:
            return None
        planes = pyramid.with_absences()
        seen: list[tuple[_Turn, View]] = []
        for level, plane in enumerate(planes):
            turns = self._turns(pyramid, level)
            if turns:
                view = self._view(pyramid, level, np.full_like(plane, NOT_SENT), planes[:level])
                for turn in turns:
                    seen.append((turn, replace(view, known=view.known.copy())))
                    view.known[turn.group][turn.mask] = plane[turn.group][turn.mask]

        def look(each: tuple[_Turn, View]) -> NDArray[np.float32]:
            turn, view = each
            return np.concatenate([features for _, features in self._features(turn.mask, view, 1)])

        return at_once(look, seen, self.threads)

    def visit(
        self,
        pyramid: TokenPyramid,
        place: int,
        turn: NDArray[np.bool_],
        view: View,
        choose: Choice,
        ahead: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """The tokens of a place at the positions `turn` (h, w), in raster order, as `choose` takes them from logits.

        choose(logits (n, 256) int16 in 1/16 nat, place, turn, part) is asked for the tokens `part` of the turn.

        Args:
            pyramid: what the tables look at.
            view: what the prior sees of the place's level.
            ahead: features (n, C) of the turn, if they are known.
        """
        tokens = np.empty(int(turn.sum()), np.uint8)
        done = 0
        found = self._features(turn, view, self.threads) if ahead is None else [(turn, ahead)]
        for mask, chosen in found:
            tables = self.tables.logits(pyramid, place, view.level, mask)
            for first in range(0, len(chosen), CHUNK):
                part = slice(first, min(first + CHUNK, len(chosen)))
                logits = tables[part] + self.prior.logits(place, chosen[part])
                span = slice(done + part.start, done + part.stop)
                tokens[span] = choose(logits, place, turn, span)
            done += len(chosen)
        return tokens

    def _features(
        self, turn: NDArray[np.bool_], view: View, threads: int
    ) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.float32]]]:
        """Positions (h, w) of a band of the turn and their features (n, C), from the top down.

        The network works on the parts that matter, with exact halos.
        """
        halo = self.prior.halo(view.level)

        def features(rows: slice, columns: slice) -> NDArray[np.float32]:
            context = None if view.context is None else view.context[:, :, rows, columns]
            known, depths = view.known[:, rows, columns], view.depths[rows, columns]
            return self.prior.features(view.level, known, depths, context, view.own_memory)

        for band in bands_of(turn, self.window, halo):
            mask = np.zeros(turn.shape, bool)
            mask[band.rows] = turn[band.rows]
            yield mask, chosen_features(turn, band, halo, features, threads)
