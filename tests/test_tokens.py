"""The token pyramid: geometry, what a grain map sends, and what a token may be predicted from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wisp.tokens.contexts import Context, context_values
from wisp.tokens.pyramid import NOT_SENT, PyramidShape, TokenPyramid, sum_over_regions


def pyramid(rows: int, columns: int, seed: int) -> TokenPyramid:
    shape = PyramidShape(rows, columns, (32, 16, 8), (4, 3, 2))
    random = np.random.default_rng(seed)
    planes = tuple(
        random.integers(0, 256, (g, *shape.plane_shape(i))).astype(np.uint8)
        for i, g in enumerate(shape.groups)
    )
    return TokenPyramid(shape, planes, random.integers(1, 10, (rows, columns)).astype(np.uint8))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_a_region_gets_the_first_groups_of_the_order(rows: int, columns: int, seed: int) -> None:
    p = pyramid(rows, columns, seed)
    absent = p.with_absences()
    for row in range(rows):
        for column in range(columns):
            depth = 0
            for place, level, group in p.shape.order():
                f = p.shape.fold(level)
                block = absent[level][group][row * f : row * f + f, column * f : column * f + f]
                if place < p.grain_map[row, column]:
                    assert (block != NOT_SENT).all()
                    depth += 1
                else:
                    assert (block == NOT_SENT).all()
            assert depth == p.grain_map[row, column]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_equality_is_of_what_is_sent(rows: int, columns: int, seed: int) -> None:
    p = pyramid(rows, columns, seed)
    cut = p.cut_to_map()
    assert cut == cut.cut_to_map()
    for a, b in zip(p.with_absences(), cut.with_absences(), strict=True):
        assert np.array_equal(a, b)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_contexts_stay_inside_the_region(rows: int, columns: int, seed: int) -> None:
    p = pyramid(rows, columns, seed)
    changed = pyramid(rows, columns, seed)
    for level, plane in enumerate(changed.planes):
        f = p.shape.fold(level)
        plane[:, f:, :] = 0  # every region below the first row
        plane[:, :, f:] = 0  # every region right of the first column
    for level, context in (
        (0, Context(0, 0)),
        (1, Context(0, 1, True)),
        (2, Context(1, 0, True)),
        (2, Context(0, 2)),
    ):
        f = p.shape.fold(level)
        before, after = context_values(p, level, context), context_values(changed, level, context)
        assert before.shape == p.shape.plane_shape(level)
        assert np.array_equal(before[:f, :f], after[:f, :f])
        assert before.max() < context.num_values(f // p.shape.fold(context.level))


def test_phase_tells_the_four_children_apart() -> None:
    p = pyramid(1, 1, 3)
    values = context_values(p, 1, Context(0, 0, True))
    token = int(p.planes[0][0, 0, 0])
    assert values.tolist() == [[token, token + 256], [token + 512, token + 768]]


def test_sum_over_regions() -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert sum_over_regions(values, 2).tolist() == [[10, 18], [42, 50]]
