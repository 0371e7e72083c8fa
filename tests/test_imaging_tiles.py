"""Tile plans: every pixel once, halos where the picture has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.errors import UsageError
from wisp.imaging import plan_tiles

sides = st.integers(1, 40).map(lambda regions: 32 * regions)
cores = st.integers(1, 12).map(lambda regions: 32 * regions)
halos = st.integers(0, 5).map(lambda regions: 32 * regions)


@given(sides, sides, cores, halos)
def test_cores_cover_every_pixel_once_within_their_windows(
    height: int, width: int, core: int, halo: int
) -> None:
    covered = np.zeros((height // 32, width // 32), dtype=int)
    for tile in plan_tiles(height, width, core, halo):
        slices = (tile.core_rows, tile.core_cols, tile.window_rows, tile.window_cols)
        assert all(edge % 32 == 0 for piece in slices for edge in (piece.start, piece.stop))
        covered[regions(tile.core_rows), regions(tile.core_cols)] += 1
        pairs = ((tile.core_rows, tile.window_rows, height), (tile.core_cols, tile.window_cols, width))
        for inner, outer, side in pairs:
            assert 0 < inner.stop - inner.start <= core
            assert outer.start == max(0, inner.start - halo)
            assert outer.stop == min(side, inner.stop + halo)
        rows, cols = tile.core_in_window
        assert (tile.window_rows.start + rows.start, tile.window_rows.start + rows.stop) == (
            tile.core_rows.start,
            tile.core_rows.stop,
        )
        assert tile.window_cols.start + cols.start == tile.core_cols.start
        assert cols.stop - cols.start == tile.core_cols.stop - tile.core_cols.start
    assert (covered == 1).all()


def regions(pixels: slice) -> slice:
    return slice(pixels.start // 32, pixels.stop // 32)


@given(sides, sides, cores, halos)
def test_reassembly(height: int, width: int, core: int, halo: int) -> None:
    picture = np.random.default_rng(height + width).integers(0, 256, (height, width)).astype(np.uint8)
    result = np.zeros_like(picture)
    for tile in plan_tiles(height, width, core, halo):
        window = picture[tile.window_rows, tile.window_cols]
        result[tile.core_rows, tile.core_cols] = window[tile.core_in_window]
    assert np.array_equal(result, picture)


@given(sides, sides, cores)
def test_as_few_tiles_as_possible_and_of_nearly_equal_size(height: int, width: int, core: int) -> None:
    tiles = plan_tiles(height, width, core, 0)
    assert len(tiles) == -(-height // core) * -(-width // core)
    heights = {tile.core_rows.stop - tile.core_rows.start for tile in tiles}
    widths = {tile.core_cols.stop - tile.core_cols.start for tile in tiles}
    assert max(heights) - min(heights) <= 32
    assert max(widths) - min(widths) <= 32


def test_small_picture_is_one_tile_and_order_is_raster() -> None:
    (only,) = plan_tiles(512, 768)
    assert (only.window_rows, only.window_cols) == (slice(0, 512), slice(0, 768))
    corners = [(tile.core_rows.start, tile.core_cols.start) for tile in plan_tiles(2048, 3072, 1024, 64)]
    assert corners == sorted(corners)
    assert len(corners) == 6


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ((0, 32, 32, 0), "height"),
        ((33, 32, 32, 0), "height"),
        ((32, 40, 32, 0), "width"),
        ((32, 32, 0, 0), "core"),
        ((32, 32, 48, 0), "core"),
        ((32, 32, 32, -32), "halo"),
        ((32, 32, 32, 16), "halo"),
    ],
)
def test_numbers_that_are_no_whole_regions_are_refused(numbers: tuple[int, int, int, int], name: str) -> None:
    with pytest.raises(UsageError, match=rf"\A[^\n]*{name}[^\n]*multiple of 32[^\n]*\Z"):
        plan_tiles(*numbers)
