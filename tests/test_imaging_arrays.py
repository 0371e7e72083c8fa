"""Arrays as pictures: what is accepted, and one-line errors for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from wisp.errors import ImageError, LimitExceeded, UsageError
from wisp.imaging import to_picture
from wisp.imaging.arrays import reduce_16_to_8

EXPECTED = r"\A[^\n]*uint8 array \(H, W, 3\) or \(H, W\)[^\n]*found[^\n]*;[^\n]*\Z"


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (1, 4000), (4000, 1)])
def test_colour_passes_unchanged_and_uncopied(height: int, width: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    picture = to_picture(array)
    assert np.array_equal(picture.pixels_u8, array)
    assert (picture.height, picture.width) == (height, width)
    assert np.shares_memory(picture.pixels_u8, array)
    assert array.flags.writeable
    assert not picture.pixels_u8.flags.writeable
    assert (picture.greyscale, picture.alpha_u8, picture.exif, picture.notes) == (False, None, None, ())


@given(arrays_of.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_grey_is_replicated(array: np.ndarray) -> None:
    for given_array in (array, array[:, :, None]):
        picture = to_picture(given_array)
        assert picture.greyscale
        assert np.array_equal(picture.pixels_u8, np.stack([array] * 3, axis=-1))
    assert to_picture(np.stack([array] * 3, axis=-1)).greyscale


def test_one_coloured_pixel_makes_it_colour() -> None:
    array = np.full((50, 70, 3), 9, dtype=np.uint8)
    assert to_picture(array).greyscale
    array[49, 69, 2] = 10
    assert not to_picture(array).greyscale


def test_strided_array_becomes_contiguous() -> None:
    array = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)[::-1, ::2]
    picture = to_picture(array)
    assert picture.pixels_u8.flags.c_contiguous
    assert np.array_equal(picture.pixels_u8, array)


@given(arrays_of.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(4))))
def test_alpha_on_white_and_kept(array: np.ndarray) -> None:
    colour, alpha = array[..., :3].astype(int), array[..., 3:].astype(int)
    white = to_picture(array)
    blended = (colour * alpha + 255 * (255 - alpha)) / 255
    assert np.abs(white.pixels_u8 - blended).max() <= 0.5
    assert white.alpha_u8 is None
    kept = to_picture(array, alpha="keep")
    assert np.array_equal(kept.pixels_u8, colour)
    if (alpha == 255).all():
        assert white.notes == kept.notes == ()
        assert kept.alpha_u8 is None
    else:
        assert white.notes == ("transparent parts were composited on white",)
        assert kept.notes == ()
        assert kept.alpha_u8 is not None
        assert np.array_equal(kept.alpha_u8, alpha[..., 0])


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_are_rounded_with_a_note(dtype: str) -> None:
    array = np.array([[0, 127, 128, 129, 385, 386, 32768, 65406, 65407, 65535]], dtype=dtype)
    picture = to_picture(array)
    assert picture.pixels_u8[0, :, 0].tolist() == [0, 0, 0, 1, 1, 2, 128, 254, 255, 255]
    assert picture.notes == ("16-bit samples (0 to 65535) were reduced to 8 bits",)


def test_every_sixteen_bit_value_goes_to_the_nearest() -> None:
    values = np.arange(65536)
    assert np.array_equal(reduce_16_to_8(values.astype(np.uint16)), np.rint(values / 257))
    eight = np.arange(256)
    assert np.array_equal(reduce_16_to_8((eight * 257).astype(np.uint16)), eight)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4), np.float16), "float16"),
        (np.zeros((4, 4), bool), "bool"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4), np.int16), "int16"),
        (np.zeros((4, 4), np.uint32), "uint32"),
        (np.zeros((4, 4), complex), "complex128"),
        (np.full((4, 4), None), "object"),
        (np.full((4, 4), "x"), "<U1"),
        (np.zeros((), np.uint8), r"\(\)"),
        (np.zeros(12, np.uint8), r"\(12,\)"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((4, 4, 0), np.uint8), r"\(4, 4, 0\)"),
        (np.zeros((3, 40, 40), np.uint8), "transpose"),
        (np.zeros((1, 40, 40, 3), np.uint8), "one picture at a time"),
    ],
)
def test_other_arrays_are_refused_on_one_line(array: np.ndarray, says: str) -> None:
    with pytest.raises(ImageError, match=EXPECTED) as caught:
        to_picture(array)
    caught.match(says)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0), (0, 4)])
def test_empty_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="at least 1x1"):
        to_picture(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("thing", [None, "photo.jpg", [[0, 1], [2, 3]], b"\xff\xd8"])
def test_other_objects_are_refused(thing: Any) -> None:
    with pytest.raises(ImageError, match=EXPECTED):
        to_picture(thing)


def test_limit_and_options() -> None:
    array = np.zeros((10, 10, 3), np.uint8)
    assert to_picture(array, max_pixels=100).width == 10
    with pytest.raises(LimitExceeded, match=r"at most 99 pixels, found 10x10 = 100"):
        to_picture(array, max_pixels=99)
    with pytest.raises(UsageError, match="max_pixels"):
        to_picture(array, max_pixels=0)
    with pytest.raises(UsageError, match="black"):
        to_picture(array, alpha="black")  # type: ignore[arg-type]


def test_a_matrix_is_an_array() -> None:
    """np.matrix keeps two axes whatever is done to it, and ended the process instead of becoming grey."""
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(to_picture(grey.view(np.matrix)).pixels_u8, to_picture(grey).pixels_u8)
