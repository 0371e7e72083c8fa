"""How the grain of a picture is coded: a map by its neighbours, or two symbols (docs/format.md, section 5.4)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.integer_softmax import cumulatives, frequencies
from wisp.entropy.range_coder import TOTAL_BITS, RangeDecoder, RangeEncoder
from wisp.errors import ModelMismatch, UsageError
from wisp.tokens.pyramid import PyramidShape
from wisp.tokens.uniform_grain import SIXTEENTHS, UniformGrain, grain_of_map

UNIFORM, ROUTED = "uniform", "routed"


class GrainCoder(Protocol):
    """Writes and reads the depths of all regions.

    Attributes:
        bits: (N + 1, N + 1, N) float64, what a depth costs, given those of the left and the upper neighbour.
    """

    bits: NDArray[np.float64]

    def write(self, encoder: RangeEncoder, grain_map: NDArray[np.uint8]) -> None:
        """Append the depths (rows, columns)."""

    def read(self, decoder: RangeDecoder, shape: PyramidShape) -> NDArray[np.uint8]:
        """The depths (rows, columns) uint8 of all regions."""


class MapCoder:
    """A depth (or level) of 1..N for each region, by those of its left and its upper neighbour."""

    def __init__(self, logits: NDArray[np.int16], count: int) -> None:
        """Logits (N + 1, N + 1, N) in 1/16 nat, N = `count`.

        Raises:
            ModelMismatch: they have another shape.
        """
        if logits.shape != (count + 1, count + 1, count):
            raise ModelMismatch(f"expected grain tables for {count} depths, found shape {logits.shape}")
        flat = frequencies(logits.reshape(-1, count))
        self._rows = cumulatives(flat).reshape(count + 1, count + 1, count + 1)
        self.bits = (TOTAL_BITS - np.log2(flat.astype(np.float64))).reshape(count + 1, count + 1, count)

    def write(self, encoder: RangeEncoder, grain_map: NDArray[np.uint8]) -> None:
        """Append the depths (rows, columns), 1..N; a depth of 0 is left out, for whoever reads with the same mask."""
        padded = np.pad(grain_map.astype(np.intp), ((1, 0), (1, 0)))
        coded = grain_map > 0
        rows = self._rows[padded[1:, :-1][coded], padded[:-1, 1:][coded]]
        symbols = grain_map[coded].astype(np.intp) - 1
        every = np.arange(len(symbols))
        starts = rows[every, symbols]
        encoder.encode(starts.tolist(), (rows[every, symbols + 1] - starts).tolist())

    def read(
        self, decoder: RangeDecoder, shape: PyramidShape, coded: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """The depths, 1..N; where `coded` (rows, columns) is false none was written, and it is 0."""
        padded = np.zeros((shape.rows + 1, shape.columns + 1), np.uint8)
        for row in range(1, shape.rows + 1):
            left = 0
            for column in range(1, shape.columns + 1):
                if coded is not None and not coded[row - 1, column - 1]:
                    left = 0
                    continue
                rows = self._rows[left, padded[row - 1, column]][None]
                left = int(decoder.decode(rows)[0]) + 1
                padded[row, column] = left
        return padded[1:, 1:].copy()


class UniformCoder:
    """One depth D and one share k for the whole picture: D - 1 of N and k - 1 of 16, all equally likely."""

    def __init__(self, count: int) -> None:
        """For N = `count` groups."""
        self._rows = [cumulatives(frequencies(np.zeros((1, size), np.int16))) for size in (count, SIXTEENTHS)]
        self.bits = np.zeros((count + 1, count + 1, count))

    def write(self, encoder: RangeEncoder, grain_map: NDArray[np.uint8]) -> None:
        """Append depth and share.

        Raises:
            UsageError: the map is none that one depth and one share give.
        """
        grain = grain_of_map(grain_map)
        if grain is None:
            raise UsageError(
                "expected one depth at a share of the positions, found a grain map; use a model that codes maps"
            )
        for row, symbol in zip(self._rows, (grain.depth - 1, grain.kept - 1), strict=True):
            start, end = int(row[0, symbol]), int(row[0, symbol + 1])
            encoder.encode([start], [end - start])

    def read(self, decoder: RangeDecoder, shape: PyramidShape) -> NDArray[np.uint8]:
        """The depths, D or 0.

        Raises:
            Truncated, Corrupt: a writer would have spelled the share otherwise.
        """
        depth, kept = (int(decoder.decode(row)[0]) + 1 for row in self._rows)
        grain = UniformGrain(depth, kept)
        canonical = grain.canonical(shape.rows, shape.columns)
        if canonical != grain:
            raise decoder.fault(f"a share of {kept} sixteenths whose spelling is {canonical.kept}")
        return grain.map(shape.rows, shape.columns)
