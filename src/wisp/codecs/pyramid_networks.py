"""Pixels to tokens and tokens to pixels with a bundle's networks, whole or in tiles.

Pictures above WHOLE pixels are worked on in tiles whose surroundings (the halo) overlap, so memory stays
bounded; padding to whole regions happens inside the tiles, so that no padded picture is ever whole. No
layer's statistics depend on the picture's size; a tile differs from the whole only through what lies beyond
its halo.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grain_coding import ROUTED
from wisp.errors import ModelMismatch
from wisp.imaging import Tile, pad_to_multiple, padded_side, plan_tiles
from wisp.runtime import Bundle, BundleConfig, Network
from wisp.tokens.choices import chosen_at
from wisp.tokens.pyramid import PyramidShape, TokenPyramid, sum_over_regions

CORE = 1536  # pixels along each side of a tile's own part
# Pixels of surroundings on each side. Tokens next to a seam may be other ones than the whole picture's, which costs
# nothing but is kept rare; pixels may differ by a grey level (docs/experiments.md, section on tiles).
ANALYSIS_HALO = 96
SYNTHESIS_HALO = 64
PROBE_HALO = 32  # of what is decoded for its errors' sums alone
WHOLE = 1536 * 1024  # pictures up to this many pixels are not tiled
SMALL = 1024 * 576  # networks keep the memory that pictures up to this many pixels need


@dataclass(frozen=True)
class Analysed:
    """What the analysis network says of a picture.

    Attributes:
        tokens: the full pyramid; its grain map sends everything.
        errors: for each level (G + 1, rows, cols): squared distance of the latent to the sum of its first
            0..G codewords, summed over each region.
        choices: for each level (G (G + 1) / 2, h, w) uint8: tokens where one group of it is sent, those where two are,
            and so on, the last of which are those of `tokens`; nothing where each prefix of `tokens` is what is sent.
    """

    tokens: TokenPyramid
    errors: tuple[NDArray[np.float32], ...]
    choices: tuple[NDArray[np.uint8], ...] = ()

    def at(self, grain_map: NDArray[np.uint8]) -> TokenPyramid:
        """The tokens that are sent with a grain map (rows, cols)."""
        return chosen_at(self.tokens, self.choices, grain_map)

    def window(self, rows: slice, columns: slice) -> Analysed:
        """The same of some regions."""
        shape = self.tokens.shape
        folds = [shape.fold(level) for level in range(len(self.choices))]
        return Analysed(
            self.tokens.window(rows, columns),
            tuple(level[:, rows, columns] for level in self.errors),
            tuple(
                level[:, rows.start * fold : rows.stop * fold, columns.start * fold : columns.stop * fold]
                for fold, level in zip(folds, self.choices, strict=True)
            ),
        )


def pyramid_shape(config: BundleConfig, height: int, width: int) -> PyramidShape:
    """The pyramid that a model makes of so many pixels at the working scale."""
    rows, columns = (-(-side // config.strides[0]) for side in (height, width))
    return PyramidShape(rows, columns, config.strides, config.groups, config.grain == ROUTED)


def tiles_of(height: int, width: int, halo: int, region: int) -> tuple[Tile, ...]:
    """The tiles of a padded picture: one if it is small enough for memory."""
    core = max(height, width) if height * width <= WHOLE else CORE
    return plan_tiles(height, width, core=core, halo=halo, region=region)


def analyse(bundle: Bundle, pixels_u8: NDArray[np.uint8], search: bool = False) -> Analysed:
    """(H, W, 3) uint8 -> tokens and errors of every level; the last row and column are repeated as padding.

    With `search` tokens are found together, for each depth by themselves; the bundle must be able to.
    """
    strides, groups = bundle.config.strides, bundle.config.groups
    height, width = (padded_side(side, strides[0]) for side in pixels_u8.shape[:2])
    shape = pyramid_shape(bundle.config, height, width)
    counts = [g * (g + 1) // 2 if search else g for g in groups]
    planes = tuple(np.empty((count, *shape.plane_shape(i)), np.uint8) for i, count in enumerate(counts))
    errors = tuple(np.empty((g + 1, shape.rows, shape.columns), np.float32) for g in groups)
    tiles = tiles_of(height, width, ANALYSIS_HALO, strides[0])
    kind = "choices" if search else "tokens"
    # In memory of its own, a large picture's network takes half of what it asks the system for layer by layer.
    times = len(tiles) if is_small(height, width) else max(len(tiles), 2)
    with (bundle.search if search else bundle.analysis).repeated(times) as network:
        for tile in tiles:
            window = pad_to_multiple(pixels_u8[tile.window_rows, tile.window_cols], strides[0])
            out = network.run({"image": window[None]}, keep=is_small(*window.shape[:2]))
            for i, stride in enumerate(strides):
                inner = tuple(rescale(span, stride) for span in tile.core_in_window)
                rows, columns = rescale(tile.core_rows, stride), rescale(tile.core_cols, stride)
                planes[i][:, rows, columns] = out[f"{kind}_{i}"][0][:, inner[0], inner[1]]
                rows, columns = rescale(tile.core_rows, strides[0]), rescale(tile.core_cols, strides[0])
                for g in range(groups[i] + 1):
                    here = out[f"errors_{i}"][0, g, inner[0], inner[1]]
                    errors[i][g, rows, columns] = sum_over_regions(here, strides[0] // stride)
    full = np.full((shape.rows, shape.columns), shape.num_depths, np.uint8)
    if not search:
        return Analysed(TokenPyramid(shape, planes, full), errors)
    whole = tuple(plane[-g:] for plane, g in zip(planes, groups, strict=True))
    return Analysed(TokenPyramid(shape, whole, full), errors, planes)


def synthesise(
    bundle: Bundle, pyramid: TokenPyramid, height: int | None = None, width: int | None = None
) -> NDArray[np.uint8]:
    """Tokens -> (height, width, 3) uint8, C-contiguous: the padded working size, or its upper left part."""
    shape = pyramid.shape
    height = shape.rows * shape.strides[0] if height is None else height
    width = shape.columns * shape.strides[0] if width is None else width
    pixels = np.empty((height, width, 3), np.uint8)
    for rows, columns, core in synthesise_tiles(bundle, pyramid):
        here = pixels[rows, columns]
        here[:] = core[: here.shape[0], : here.shape[1]]
    return pixels


def synthesise_tiles(
    bundle: Bundle, pyramid: TokenPyramid, halo: int | None = None, network: Network | None = None
) -> Iterator[tuple[slice, slice, NDArray[np.uint8]]]:
    """Rows, columns and pixels (h, w, 3) uint8 of one tile after another, which cover the padded size.

    `network` is a synthesis that the caller keeps for several pictures.
    """
    tiles = tiles_of_pyramid(pyramid.shape, SYNTHESIS_HALO if halo is None else halo)
    kept = bundle.synthesis.repeated(len(tiles)) if network is None else nullcontext(network)
    with kept as synthesis:
        for tile in tiles:
            yield tile.core_rows, tile.core_cols, synthesise_tile(bundle, pyramid, tile, synthesis)


def tiles_of_pyramid(shape: PyramidShape, halo: int) -> tuple[Tile, ...]:
    """The tiles in which a pyramid is shown."""
    side = shape.strides[0]
    return tiles_of(shape.rows * side, shape.columns * side, halo, side)


def synthesise_tile(bundle: Bundle, pyramid: TokenPyramid, tile: Tile, network: Network) -> NDArray[np.uint8]:
    """Pixels (h, w, 3) uint8 of one tile's own part, by a synthesis that the caller keeps."""
    side = pyramid.shape.strides[0]
    window = pyramid.window(rescale(tile.window_rows, side), rescale(tile.window_cols, side))
    feeds: dict[str, NDArray[Any]] = {
        f"tokens_{i}": tokens[None] for i, tokens in enumerate(window.with_absences())
    }
    if bundle.config.noise:
        feeds["origin"] = np.array([tile.window_rows.start, tile.window_cols.start], np.int64)
    small = is_small(window.shape.rows * side, window.shape.columns * side)
    out = network.run(feeds, keep=small)["image"][0]
    if out.dtype != np.uint8 or out.shape[2:] != (3,):
        raise ModelMismatch(f"expected uint8 RGB from {bundle.synthesis.path}, found {out.dtype} {out.shape}")
    core: NDArray[np.uint8] = out[tile.core_in_window]
    return core


def is_small(height: int, width: int) -> bool:
    """Whether networks may keep the memory that they need for so many pixels."""
    return height * width <= SMALL


def rescale(span: slice, stride: int) -> slice:
    """Pixels to positions of a stride that divides both ends."""
    return slice(span.start // stride, span.stop // stride)
