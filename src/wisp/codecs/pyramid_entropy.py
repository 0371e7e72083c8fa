"""Tokens to payload and back: the pyramid's order, its contexts, integer tables, and the range coder.

    grain -> group by group of the order, raster over the positions that are sent

Compression and decompression walk the same list (docs/format.md, section "Payload"). What a token's
frequencies depend on has always been decoded before it, and only integers are involved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grain_coding import ROUTED, UNIFORM, GrainCoder, MapCoder, UniformCoder
from wisp.entropy.context_tables import CHUNK, GroupTables
from wisp.entropy.integer_softmax import cumulatives
from wisp.entropy.range_coder import RangeDecoder, RangeEncoder
from wisp.errors import ModelMismatch
from wisp.tokens.contexts import Context, context_values
from wisp.tokens.pyramid import PyramidShape, TokenPyramid, sum_over_regions

TOKENS = 256  # size of every codebook


# exchange(freqs (n, 256), place, turn (h, w) bool, part) gives the tokens `part` of those at the positions `turn`.
Exchange = Callable[[NDArray[np.uint32], int, NDArray[np.bool_], slice], NDArray[np.uint8]]


@dataclass(frozen=True)
class Payload:
    """Range-coded bytes, and the raw bytes that the check covers."""

    data: bytes
    checked: tuple[bytes, ...]


class PyramidEntropyModel:
    """The context tables of one model, arranged by place in the order."""

    def __init__(
        self,
        tables: Mapping[str, NDArray[Any]],
        contexts: Sequence[Sequence[tuple[int, int, bool]]],
        groups: Sequence[int],
        strides: Sequence[int] | None = None,
        grain: str = "map",
    ) -> None:
        """Check and arrange.

        Args:
            tables: bias_P int16 (256,), table_P_I int8 (values, 256) and, for a map, grain int16 by name.
            contexts: for each place P of the order, (level, group, phase) of its tables.
            groups: groups of each level.
            strides: if given, the tables' numbers of rows are compared with what they call for.
            grain: "map", "uniform" or "routed" (wisp.codecs.grain_coding).

        Raises:
            ModelMismatch: a table is missing, of another kind or shape, too large for 16 bits, or looks at
                tokens that are not decoded before.
        """
        count = sum(groups)
        order = [(level, group) for level, many in enumerate(groups) for group in range(many)]
        self.contexts = [tuple(Context(*c) for c in place) for place in contexts]
        try:
            self.places = [
                GroupTables(
                    tables[f"bias_{place}"].astype(np.int16, casting="safe"),
                    tuple(
                        tables[f"table_{place}_{i}"].astype(np.int8, casting="safe")
                        for i in range(len(self.contexts[place]))
                    ),
                )
                for place in range(count)
            ]
            self.is_uniform = grain == UNIFORM
            logits = None if self.is_uniform else tables["grain"].astype(np.int16, casting="safe")
        except (KeyError, IndexError) as fault:
            raise ModelMismatch(
                f"expected integer tables for {count} groups, found none for {fault}"
            ) from None
        except TypeError as fault:
            raise ModelMismatch(f"expected 8- and 16-bit integer tables, found: {fault}") from None
        for place, (level, group) in enumerate(order):
            known = set(order[:place])
            _check_place(self.places[place], self.contexts[place], (level, group), known, strides)
        depths = len(groups) if grain == ROUTED else count
        self.grain: GrainCoder = UniformCoder(count) if logits is None else MapCoder(logits, depths)

    @property
    def grain_bits(self) -> NDArray[np.float64]:
        """(N + 1, N + 1, N): bits of a depth, given those of the left and the upper neighbour."""
        return self.grain.bits

    def _values(
        self, pyramid: TokenPyramid, place: int, level: int, mask: NDArray[np.bool_]
    ) -> list[NDArray[np.intp]]:
        return [context_values(pyramid, level, context)[mask] for context in self.contexts[place]]

    def logits(
        self, pyramid: TokenPyramid, place: int, level: int, mask: NDArray[np.bool_]
    ) -> NDArray[np.int16]:
        """(n, 256) logits in 1/16 nat of the tokens of a place at the positions (h, w) of a mask."""
        values = self._values(pyramid, place, level, mask)
        if not values:
            return np.repeat(self.places[place].bias[None], int(mask.sum()), 0)
        return self.places[place].logits(values)

    def token_bits(self, pyramid: TokenPyramid) -> NDArray[np.float64]:
        """(N, rows, cols): bits of each group in each region, were it sent; exact but for the coder's rounding."""
        shape = pyramid.shape
        bits = np.empty((shape.num_groups, shape.rows, shape.columns))
        for place, level, group in shape.order():
            bits[place] = self.group_bits(pyramid, place, level, group)
        return bits

    def group_bits(self, pyramid: TokenPyramid, place: int, level: int, group: int) -> NDArray[np.float64]:
        """(rows, cols): of `token_bits` one place of the order, which is a group of a level."""
        shape = pyramid.shape
        everywhere = np.ones(shape.plane_shape(level), np.bool_)
        estimate = self.position_bits(pyramid, place, level, group, everywhere)
        found: NDArray[np.float64] = sum_over_regions(
            estimate.reshape(shape.plane_shape(level)), shape.fold(level)
        ).astype(np.float64)
        return found

    def position_bits(
        self, pyramid: TokenPyramid, place: int, level: int, group: int, mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(n,): bits of a group's tokens at the positions (h, w) of a mask."""
        values = self._values(pyramid, place, level, mask)
        return self.places[place].estimated_bits(pyramid.planes[level][group][mask], values)

    def write(self, pyramid: TokenPyramid) -> Payload:
        """The payload of a pyramid whose grain map is at least 1 everywhere, or that of a uniform grain."""
        encoder = RangeEncoder()
        self.grain.write(encoder, pyramid.grain_map)
        self.write_tokens(encoder, pyramid)
        return Payload(encoder.finish(), checked_bytes(pyramid))

    def write_tokens(self, encoder: RangeEncoder, pyramid: TokenPyramid) -> None:
        """Append the tokens that the grain map sends."""
        for place, level, group in pyramid.shape.order():
            mask = pyramid.sent(place, level)
            if not mask.any():
                continue
            tokens = pyramid.planes[level][group][mask]
            values = self._values(pyramid, place, level, mask)
            begins, widths = self.places[place].intervals(tokens, values)
            encoder.encode(begins.tolist(), widths.tolist())

    def read(self, data: bytes, shape: PyramidShape) -> tuple[TokenPyramid, int, tuple[bytes, ...]]:
        """Decode a payload; `data` is the payload and whatever follows it.

        Returns:
            the tokens, the payload's exact length in bytes, and the raw bytes that the check covers.

        Raises:
            Truncated, Corrupt: as the range decoder finds.
        """
        decoder = RangeDecoder(data)
        pyramid = empty_pyramid(shape, self.grain.read(decoder, shape))
        self.read_tokens(decoder, pyramid)
        return pyramid, decoder.finish(), checked_bytes(pyramid)

    def read_tokens(self, decoder: RangeDecoder, pyramid: TokenPyramid) -> None:
        """Fill in the tokens that the grain map sends."""
        self.walk(pyramid, lambda freqs, *_: decoder.decode(cumulatives(freqs)))

    def walk(self, pyramid: TokenPyramid, exchange: Exchange) -> None:
        """Visit every sent token in coding order; `exchange` turns frequencies into tokens, which are filled in."""
        for place, level, group in pyramid.shape.order():
            mask = pyramid.sent(place, level)
            if not mask.any():
                continue
            values = self._values(pyramid, place, level, mask)
            tokens = np.empty(int(mask.sum()), np.uint8)
            for first in range(0, len(tokens), CHUNK):
                part = slice(first, min(first + CHUNK, len(tokens)))
                freqs = self.places[place].frequencies([v[part] for v in values], part.stop - first)
                tokens[part] = exchange(freqs, place, mask, part)
            pyramid.planes[level][group][mask] = tokens


def empty_pyramid(shape: PyramidShape, grain_map: NDArray[np.uint8]) -> TokenPyramid:
    """Planes to be filled in."""
    planes = tuple(np.zeros((g, *shape.plane_shape(i)), np.uint8) for i, g in enumerate(shape.groups))
    return TokenPyramid(shape, planes, grain_map)


def checked_bytes(pyramid: TokenPyramid) -> tuple[bytes, ...]:
    """The raw bytes that the file's check covers, in the order of docs/format.md, section 6."""
    parts = [pyramid.grain_map.tobytes()]
    for place, level, group in pyramid.shape.order():
        mask = pyramid.sent(place, level)
        if not mask.any():
            continue
        parts.append(pyramid.planes[level][group][mask].tobytes())
    return tuple(parts)


def _check_place(
    tables: GroupTables,
    contexts: Sequence[Context],
    place: tuple[int, int],
    known: set[tuple[int, int]],
    strides: Sequence[int] | None,
) -> None:
    where = f"level {place[0]}, group {place[1]}"
    peak = int(np.abs(tables.bias.astype(np.int32)).max(initial=0))
    if tables.bias.shape != (TOKENS,) or 2 * peak + 255 * len(contexts) > np.iinfo(np.int16).max:
        raise ModelMismatch(
            f"expected {TOKENS} logits whose sums and differences fit 16 bits at {where}, "
            f"found shape {tables.bias.shape} and {peak}"
        )
    for context, table in zip(contexts, tables.tables, strict=True):
        if (context.level, context.group) not in known:
            raise ModelMismatch(f"expected contexts that are decoded before {where}, found {context}")
        if strides is None:
            fits = len(table) % TOKENS == 0
        else:
            fits = len(table) == context.num_values(strides[context.level] // strides[place[0]])
        if table.shape[1:] != (TOKENS,) or not fits:
            raise ModelMismatch(f"expected a table for {context} at {where}, found shape {table.shape}")
