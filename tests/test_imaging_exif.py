"""EXIF: all eight orientations, damaged data, and what is kept."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from wisp.imaging import open_picture, to_picture
from wisp.imaging.exif import as_stored

SCENE = np.random.default_rng(5).integers(0, 256, (5, 8, 3)).astype(np.uint8)
DAMAGED_NOTE = "the EXIF data is damaged: the picture is taken to be upright"


def file_with(
    exif: bytes | Image.Exif, format: str = "PNG", pixels: np.ndarray = SCENE, **options: Any
) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, exif=exif, **options)
    return buffer.getvalue()


def oriented(value: Any) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_all_orientations_agree_with_pillow(orientation: int, format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    data = file_with(oriented(orientation), format, **options)
    picture = open_picture(data)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(picture.pixels_u8, np.asarray(upright))
    assert picture.pixels_u8.shape[:2] == ((5, 8) if orientation < 5 else (8, 5))
    assert picture.pixels_u8.flags.c_contiguous
    assert picture.notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_by_their_definition(orientation: int) -> None:
    """EXIF says where the stored row 0 and column 0 belong in the upright picture."""
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    displayed = np.zeros((4, 6) if orientation < 5 else (6, 4), np.uint8)
    stored = as_stored(displayed, orientation)
    assert stored.shape == (4, 6)
    stored[0, 0] = 1
    stored[0, 1:] = 2
    assert displayed[corner[orientation]] == 1
    edge_is_row = orientation < 5
    row, column = corner[orientation]
    edge = displayed[row] if edge_is_row else displayed[:, column]
    assert (edge > 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_alpha_turns_with_the_picture(orientation: int) -> None:
    rgba = np.random.default_rng(6).integers(0, 256, (5, 8, 4)).astype(np.uint8)
    data = file_with(oriented(orientation), "PNG", rgba)
    picture = open_picture(data, alpha="keep")
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert picture.alpha_u8 is not None
    assert np.array_equal(np.dstack([picture.pixels_u8, picture.alpha_u8]), upright)


@pytest.mark.parametrize("value", [0, 9, 60000])
def test_orientation_out_of_range_means_upright(value: int) -> None:
    assert np.array_equal(open_picture(file_with(oriented(value))).pixels_u8, SCENE)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage that is no TIFF block",
        b"Exif\0\0II*\0\x08\0\0\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\xff\xff\x7f\x06\0\0\0\0\0\0\0",
        b"Exif\0\0",
        b"\0",
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_never_stops_reading(
    exif: bytes, format: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = file_with(exif, format, np.full((5, 8, 3), 77, np.uint8))
    for keep in (False, True):
        picture = open_picture(data, keep_exif=keep)
        assert sorted(picture.pixels_u8.shape[:2]) == [5, 8]
        assert np.abs(picture.pixels_u8.astype(int) - 77).max() <= 1
        assert all("\n" not in note for note in picture.notes)
    assert capfd.readouterr() == ("", "")


def test_garbage_exif_has_a_note() -> None:
    picture = open_picture(file_with(b"Exif\0\0garbage that is no TIFF block"))
    assert picture.notes == (DAMAGED_NOTE,)
    assert np.array_equal(picture.pixels_u8, SCENE)


def rich_exif() -> Image.Exif:
    exif = oriented(6)
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.DateTime] = "2024:05:06 07:08:09"
    exif[ExifTags.Base.StripOffsets] = 1234
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] = 400
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"secret sauce"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_kept_exif_has_no_orientation_and_no_layout(format: str) -> None:
    exif = rich_exif()
    if format == "TIFF":
        del exif[ExifTags.Base.StripOffsets]
    data = file_with(exif.tobytes(), format)
    assert open_picture(data).exif is None
    picture = open_picture(data, keep_exif=True)
    assert picture.notes == ()
    assert picture.exif is not None
    assert picture.exif[:2] in (b"II", b"MM")
    kept = Image.Exif()
    kept.load(picture.exif)
    assert dict(kept).keys() == {
        ExifTags.Base.Make,
        ExifTags.Base.DateTime,
        ExifTags.IFD.Exif,
        ExifTags.IFD.GPSInfo,
    }
    assert kept[ExifTags.Base.Make] == "Maker"
    details = kept.get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.ISOSpeedRatings] == 400
    assert details[ExifTags.Base.MakerNote] == b"secret sauce"
    assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


def test_nothing_to_keep() -> None:
    assert to_picture(Image.fromarray(SCENE), keep_exif=True).exif is None
    assert open_picture(file_with(oriented(3)), keep_exif=True).exif is None


def test_the_callers_exif_is_not_changed() -> None:
    image = Image.open(io.BytesIO(file_with(rich_exif().tobytes())))
    before = dict(image.getexif())
    to_picture(image, keep_exif=True)
    assert dict(image.getexif()) == before
