"""A latent grid: follow one photograph through an autoencoder whose channel count is the rate.

compress:    pixels -> [working scale] -> analysis -> levels -> the first channels -> range coder -> file
decompress:  file -> levels -> synthesis -> [original scale] -> pixels

The second approach of Generative Compression (Vineeth S 2020) with what it lacked: a quantiser, an entropy coder, any
size of picture. Channels are ordered, and a file with more of them begins with the same levels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grid_contexts import CLASSES, LARGEST, GridTables, read_grid, write_grid
from wisp.codecs.latent_file import (
    LatentPicture,
    array_of,
    check_version,
    latent_file,
    latent_header,
    levels_as_bytes,
    number_of,
    verify_latent,
)
from wisp.codecs.pyramid_networks import ANALYSIS_HALO, SYNTHESIS_HALO, is_small, rescale, tiles_of
from wisp.container import Chunk, WispFile
from wisp.entropy.integer_softmax import cumulatives
from wisp.entropy.level_rows import NUM_SYMBOLS, LevelTables
from wisp.entropy.range_coder import TOTAL
from wisp.errors import BudgetError, Corrupt, ModelMismatch, UsageError
from wisp.imaging import MAX_EXPONENT, Picture, downscale_u8, pad_to_multiple, padded_side, upscale_u8
from wisp.rate import Target
from wisp.runtime import Bundle

STRIDE = 8
LEAST = 3  # channels at a scale that a budget chooses: brightness and two directions of colour
ABSENT = -(1 << 15)  # to the synthesis: this channel was not sent


class LatentGridCodec:
    """Runs one bundle. Holds no state but the loaded model; safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        rates = bundle.config.latent.get("rates")
        if not isinstance(rates, list) or not rates or not _rises(rates):
            raise ModelMismatch(f"expected rates in {bundle.folder}, found {rates!r}; reinstall the model")
        self.rates: tuple[int, ...] = tuple(rates)
        self.num_channels = self.rates[-1]
        self.lmbda = number_of(bundle, "lmbda", 0, 10)

    @cached_property
    def tables(self) -> GridTables:
        """What levels are coded under.

        Raises:
            ModelMismatch: the bundle's are not such.
        """
        count = self.num_channels
        thresholds = array_of(self.bundle, "thresholds", (count, 2, CLASSES - 1))
        predicted = array_of(self.bundle, "predicted", (count,))
        if (np.diff(thresholds) < 0).any() or not ((predicted == 0) | (predicted == 1)).all():
            raise ModelMismatch(
                f"expected rising thresholds in {self.bundle.folder}, found others; reinstall the model"
            )
        return GridTables(self._rows("frequencies", 2 * CLASSES * count), thresholds, predicted == 1)

    @cached_property
    def marginals(self) -> LevelTables:
        """A row for each channel by itself: what the writer chooses levels with."""
        return self._rows("marginals", self.num_channels)

    def _rows(self, name: str, count: int) -> LevelTables:
        rows = array_of(self.bundle, name, (count, NUM_SYMBOLS))
        if not ((rows >= 1).all() and (rows.sum(1) == TOTAL).all()):
            raise ModelMismatch(
                f"expected {name} that sum to {TOTAL} in {self.bundle.folder}, found others; reinstall the model"
            )
        frequencies = rows.astype(np.uint32)
        return LevelTables(frequencies, cumulatives(frequencies))

    # ---- compress ----

    def compress(
        self, picture: Picture, target: Target, chunks: Sequence[Chunk] = (), channels: int | None = None
    ) -> bytes:
        """The file with so many channels; with None, as many as the target has room for, at the largest scale that has
        room for three: with fewer a picture has no colours, and looks worse than in fewer bytes at a smaller scale.

        Raises:
            BudgetError: no file of that size exists; it carries the smallest size that works.
            UsageError: there are not so many channels.
        """
        if channels is not None:
            return self._write(picture, 0, self.check_channels(channels), chunks)
        budget = target.budget(picture.width, picture.height)
        if budget is None:
            assert target.quality is not None
            place = max(1, math.ceil(len(self.rates) * target.quality / 100))
            return self._write(picture, 0, self.rates[place - 1], chunks)
        smallest = 1 << 62
        for exponent in range(MAX_EXPONENT + 1):
            least = min(LEAST, self.num_channels) if exponent < MAX_EXPONENT else 1
            levels = self._levels(picture, exponent)
            low = self._write(picture, exponent, least, chunks, levels)
            smallest = min(smallest, len(low))
            if len(low) > budget:
                continue
            first, last, data = least, self.num_channels, low
            while first < last:  # bytes rise with channels
                middle = (first + last + 1) // 2
                found = self._write(picture, exponent, middle, chunks, levels)
                if len(found) <= budget:
                    first, data = middle, found
                else:
                    last = middle - 1
            return data
        raise BudgetError(
            f"expected a budget of at least {smallest} bytes for this picture, found {budget}; ask for {smallest}",
            smallest,
        )

    def check_channels(self, channels: Any) -> int:
        """A caller's number of channels.

        Raises:
            UsageError: it is not from 1 to the model's.
        """
        whole = isinstance(channels, int | np.integer) and not isinstance(channels, bool)
        if not whole or not 1 <= channels <= self.num_channels:
            raise UsageError(f"expected channels from 1 to {self.num_channels}, found {channels!r}")
        return int(channels)

    def _write(
        self,
        picture: Picture,
        exponent: int,
        count: int,
        chunks: Sequence[Chunk],
        levels: NDArray[np.int16] | None = None,
    ) -> bytes:
        sent = (self._levels(picture, exponent) if levels is None else levels)[:count]
        payload = bytes([count]) + write_grid(sent, self.tables)
        header = latent_header(self.bundle, picture, exponent, bool(chunks))
        return latent_file(header, chunks, payload, bytes([count]) + levels_as_bytes(sent))

    def _levels(self, picture: Picture, exponent: int) -> NDArray[np.int16]:
        """(C, h, w) levels of all channels."""
        return self.choose_levels(self.analyse(downscale_u8(picture.pixels_u8, exponent)))

    def choose_levels(self, latent: NDArray[np.float32], first: int = 0) -> NDArray[np.int16]:
        """(c, h, w) in steps, channels from `first` on -> levels by squared error and bits together.

        The nearest level, or the one beside it towards zero if that saves bits enough.
        """
        levels = np.empty(latent.shape, np.int16)
        for number, plane in enumerate(latent):  # one at a time: what grows with a large picture is little
            nearest = np.clip(np.rint(plane), -LARGEST, LARGEST).astype(np.int16)
            levels[number] = nearest
            if not self.lmbda:
                continue
            nearer_zero = (nearest - np.sign(nearest)).astype(np.int16)
            rows = np.full(plane.shape, first + number)
            saved = self.marginals.bits(nearest, rows) - self.marginals.bits(nearer_zero, rows)
            worse = (plane - nearer_zero) ** 2 - (plane - nearest) ** 2
            chosen = worse < self.lmbda * saved
            levels[number][chosen] = nearer_zero[chosen]
        return levels

    def analyse(self, pixels_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 -> (C, ceil(H / 8), ceil(W / 8)) float32 in steps; the last row and column are repeated."""
        height, width = (padded_side(side, STRIDE) for side in pixels_u8.shape[:2])
        latent = np.empty((self.num_channels, height // STRIDE, width // STRIDE), np.float32)
        tiles = tiles_of(height, width, ANALYSIS_HALO, STRIDE)
        with self.bundle.analysis.repeated(len(tiles)) as network:
            for tile in tiles:
                window = pad_to_multiple(pixels_u8[tile.window_rows, tile.window_cols], STRIDE)
                out = network.run({"image": window[None]}, keep=is_small(*window.shape[:2]))
                found = out["latent"][0]
                if found.shape[0] != self.num_channels:
                    raise ModelMismatch(
                        f"expected {self.num_channels} channels from {self.bundle.analysis.path}, "
                        f"found {found.shape[0]}"
                    )
                inner = tuple(rescale(span, STRIDE) for span in tile.core_in_window)
                rows, columns = rescale(tile.core_rows, STRIDE), rescale(tile.core_cols, STRIDE)
                latent[:, rows, columns] = found[:, inner[0], inner[1]]
        return latent

    # ---- decompress ----

    def decode(self, file: WispFile) -> NDArray[np.int16]:
        """Payload -> (c, h, w) levels of the channels that were sent, verified.

        Raises:
            Truncated: bytes are missing at the end.
            Corrupt: the payload is no latent of this model, or the check disagrees.
        """
        check_version(file)
        count = file.payload[0]
        if not 1 <= count <= self.num_channels:
            raise Corrupt(f"expected 1 to {self.num_channels} channels, found {count}; the file is damaged")
        height, width = (
            -(-side // STRIDE) for side in (file.header.working_height, file.header.working_width)
        )
        grid, length = read_grid(file.payload[1:], (count, height, width), self.tables)
        verify_latent(file, 1 + length, bytes([count]) + levels_as_bytes(grid))
        return grid

    def reconstruct(self, file: WispFile) -> LatentPicture:
        """A file's picture. Errors as `decode`."""
        levels, header = self.decode(file), file.header
        pixels = np.empty((header.working_height, header.working_width, 3), np.uint8)
        for rows, columns, core in self._synthesise_tiles(levels):
            here = pixels[rows, columns]
            here[:] = core[: here.shape[0], : here.shape[1]]
        confidence = np.full(levels.shape[1:], len(levels) / self.num_channels, np.float32)
        return LatentPicture(upscale_u8(pixels, (header.height, header.width)), confidence, STRIDE)

    def _synthesise_tiles(
        self, levels: NDArray[np.int16]
    ) -> Iterator[tuple[slice, slice, NDArray[np.uint8]]]:
        """Rows, columns and pixels (h, w, 3) uint8 of one tile after another."""
        count, height, width = levels.shape
        tiles = tiles_of(height * STRIDE, width * STRIDE, SYNTHESIS_HALO, STRIDE)
        with self.bundle.synthesis.repeated(len(tiles)) as network:
            for tile in tiles:
                window = (rescale(tile.window_rows, STRIDE), rescale(tile.window_cols, STRIDE))
                part = levels[:, window[0], window[1]]
                full = np.full((1, self.num_channels, *part.shape[1:]), ABSENT, np.int32)
                full[0, :count] = part
                small = is_small(part.shape[1] * STRIDE, part.shape[2] * STRIDE)
                out = network.run({"levels": full}, keep=small)["image"][0]
                inner = tile.core_in_window
                yield tile.core_rows, tile.core_cols, out[inner[0], inner[1]]


def _rises(rates: list[Any]) -> bool:
    """Whether these are whole numbers from 1 to 255, each above the one before."""
    whole = all(type(rate) is int and 1 <= rate <= 255 for rate in rates)
    return whole and all(a < b for a, b in pairwise(rates))
