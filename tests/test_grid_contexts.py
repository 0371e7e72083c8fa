"""Levels of a latent grid to bytes and back: what a level is coded under, a reader knows before it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wisp.codecs.grid_contexts import CLASSES, LARGEST, GridTables, grid_parts, read_grid, write_grid
from wisp.entropy.integer_softmax import cumulatives
from wisp.entropy.level_rows import NUM_SYMBOLS, LevelTables, RowReader, RowWriter, read_rows, write_rows
from wisp.errors import Corrupt, Truncated, UsageError
from wisp.train.fit_grid import fit_grid_tables, to_total


def some_tables(channels: int, seed: int = 0) -> GridTables:
    random = np.random.default_rng(seed)
    counts = random.exponential(1.0, (2 * CLASSES * channels, NUM_SYMBOLS)) ** 6
    rows = np.stack([to_total(count) for count in counts]).astype(np.uint32)
    thresholds = np.sort(random.integers(0, 200, (channels, 2, CLASSES - 1)), -1)
    return GridTables(LevelTables(rows, cumulatives(rows)), thresholds, random.random(channels) < 0.5)


def some_levels(shape: tuple[int, int, int], seed: int, spread: float) -> NDArray[np.int16]:
    noise = np.random.default_rng(seed).standard_cauchy(shape) * spread
    return np.clip(np.rint(noise), -LARGEST, LARGEST).astype(np.int16)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 11), st.integers(1, 9), st.integers(1, 9)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.1, 2.0, 60.0]),
)
def test_any_levels_come_back(shape: tuple[int, int, int], seed: int, spread: float) -> None:
    tables, levels = some_tables(shape[0], seed % 7), some_levels(shape, seed, spread)
    data = write_grid(levels, tables)
    found, length = read_grid(data + b"more", shape, tables)
    assert np.array_equal(found, levels)
    assert length == len(data)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 8))
def test_a_part_looks_at_earlier_parts_only(seed: int, height: int, width: int) -> None:
    tables, levels = some_tables(5), some_levels((5, height, width), seed, 3.0)
    known = np.zeros_like(levels)
    for wanted, part in zip(
        grid_parts(levels, tables.predicted), grid_parts(known, tables.predicted), strict=True
    ):
        assert np.array_equal(wanted.expected, part.expected)
        assert np.array_equal(wanted.activity, part.activity)
        known[part.channel][part.mask] = levels[part.channel][part.mask]
    assert np.array_equal(known, levels)


def test_fewer_channels_are_a_prefix_of_the_levels() -> None:
    tables, levels = some_tables(6), some_levels((6, 8, 12), 3, 2.0)
    for count in range(1, 7):
        found, _ = read_grid(write_grid(levels[:count], tables), (count, 8, 12), tables)
        assert np.array_equal(found, levels[:count])


def test_every_cut_is_told() -> None:
    tables, levels = some_tables(3), some_levels((3, 6, 6), 1, 2.0)
    data = write_grid(levels, tables)
    for length in range(len(data)):
        with pytest.raises(Truncated):
            read_grid(data[:length], levels.shape, tables)


def test_a_difference_beyond_the_range_is_damage() -> None:
    """Rows that give a far level to any bytes: what is expected and what is coded then sum to too much."""
    tables = some_tables(1)
    far = np.full(NUM_SYMBOLS, 1, np.int64)
    far[-2] += 65536 - far.sum()  # level 127
    rows = np.broadcast_to(far, (2 * CLASSES, NUM_SYMBOLS)).astype(np.uint32)
    broken = GridTables(LevelTables(rows, cumulatives(rows)), tables.thresholds, np.array([True]))
    writer = RowWriter(broken.rows)
    writer.write(np.full(64, 127, np.int16), np.zeros(64, np.int64))  # 127 beside neighbours of 127: 254
    with pytest.raises(Corrupt, match="range"):
        read_grid(writer.finish() + bytes(64), (1, 8, 8), broken)


def test_fitted_tables_are_shorter_than_any() -> None:
    random = np.random.default_rng(0)
    activity = random.exponential(2.0, (12, 16))
    grids = [np.rint(random.normal(0, 1, (4, 12, 16)) * activity).astype(np.int16) for _ in range(6)]
    fitted = fit_grid_tables(grids)
    assert (fitted.rows.frequencies.sum(1) == 65536).all()
    assert (fitted.rows.frequencies >= 1).all()
    assert (np.diff(fitted.thresholds) >= 0).all()
    assert len(write_grid(grids[0], fitted)) < 0.8 * len(write_grid(grids[0], some_tables(4)))


def test_prediction_is_chosen_where_neighbours_agree() -> None:
    y, x = np.mgrid[0:24, 0:24]
    random = np.random.default_rng(1)
    ramps = [np.rint(x * a + y * b).astype(np.int16) for a, b in random.uniform(-2, 2, (8, 2))]
    noise = [np.rint(random.normal(0, 3, (24, 24))).astype(np.int16) for _ in range(8)]
    fitted = fit_grid_tables([np.stack(pair) for pair in zip(ramps, noise, strict=True)])
    assert fitted.predicted.tolist() == [True, False]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-255, 255), min_size=1, max_size=60), st.integers(1, 5))
def test_rows_in_several_calls(levels: list[int], pieces: int) -> None:
    tables = some_tables(1).rows
    parts = np.array_split(np.array(levels, np.int16), pieces)
    writer = RowWriter(tables)
    for number, part in enumerate(parts):
        writer.write(part, np.full(len(part), number))
    data = writer.finish()
    reader = RowReader(data, tables)
    for number, part in enumerate(parts):
        assert np.array_equal(reader.read(np.full(len(part), number)), part)
    assert reader.finish() == len(data)


def test_one_call_is_the_plain_payload() -> None:
    tables = some_tables(1).rows
    levels, rows = np.array([0, -3, 200, -255], np.int16), np.array([0, 1, 2, 3])
    data = write_rows(levels, rows, tables)
    found, length = read_rows(data, rows, tables)
    assert (found.tolist(), length) == (levels.tolist(), len(data))
    with pytest.raises(UsageError, match="255"):
        write_rows(np.array([256], np.int16), np.array([0]), tables)
