"""Every Pillow mode becomes 8-bit sRGB, or a one-line error."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wisp.errors import ImageError, LimitExceeded
from wisp.imaging import bands, to_picture

DEEP_NOTE = "16-bit samples (0 to 65535) were reduced to 8 bits"
WHITE_NOTE = "transparent parts were composited on white"
CMYK_NOTE = "CMYK without a usable ICC profile: colours are approximate"


def colours(height: int = 7, width: int = 5) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels)


def ramp(width: int = 256) -> Image.Image:
    return Image.fromarray(np.linspace(0, 255, width).astype(np.uint8)[None, :])


def through(image: Image.Image, format: str, **options: Any) -> Image.Image:
    """The picture as Pillow reads it back from a file: open and not yet decoded."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (4000, 1), (1, 4000)])
@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "LAB"]
)
def test_every_mode_and_shape(mode: str, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (200, 200, 200))
    image = Image.new(mode, size) if mode in ("I", "LAB") else image.convert("RGBA").convert(mode)
    picture = to_picture(image)
    assert picture.pixels_u8.shape == (size[1], size[0], 3)
    assert picture.pixels_u8.dtype == np.uint8
    assert picture.pixels_u8.flags.c_contiguous
    assert picture.alpha_u8 is None
    if mode in ("L", "LA", "RGB", "RGBA", "RGBX", "YCbCr", "HSV", "CMYK"):
        assert np.abs(picture.pixels_u8.astype(int) - 200).max() <= 1
        assert picture.greyscale


@pytest.mark.parametrize("mode", ["RGB", "RGBX", "P"])
def test_colour_is_exact(mode: str) -> None:
    image = colours()
    picture = to_picture(image.quantize(35) if mode == "P" else image.convert(mode))
    expected = image.quantize(35).convert("RGB") if mode == "P" else image
    assert np.array_equal(picture.pixels_u8, np.asarray(expected))
    assert not picture.greyscale
    assert picture.notes == ()


def test_grey_modes_stay_grey() -> None:
    for image in (ramp(), ramp().convert("LA"), ramp().convert("RGB"), ramp().convert("P")):
        picture = to_picture(image)
        assert picture.greyscale
        assert picture.notes == ()
        assert np.array_equal(picture.pixels_u8[0, :, 1], np.arange(256))
    two = to_picture(ramp().point(lambda level: 255 * (level > 127)).convert("1"))
    assert two.greyscale
    assert two.pixels_u8[0, :, 2].tolist() == [0] * 128 + [255] * 128


def test_transparent_palette_entry_and_palette_alpha() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for column in range(3):
        image.putpixel((column, 0), column)
    one_entry = through(image, "GIF", transparency=1)
    kept = to_picture(one_entry, alpha="keep")
    assert kept.alpha_u8 is not None
    assert kept.alpha_u8.tolist() == [[255, 0, 255]]
    by_entry = through(image, "PNG", transparency=b"\x00\x80\xff")
    kept = to_picture(by_entry, alpha="keep")
    assert kept.alpha_u8 is not None
    assert kept.alpha_u8.tolist() == [[0, 128, 255]]
    assert kept.pixels_u8.tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]
    white = to_picture(through(image, "PNG", transparency=b"\x00\x80\xff"))
    assert white.notes == (WHITE_NOTE,)
    assert white.pixels_u8[0, 0].tolist() == [255, 255, 255]
    assert white.pixels_u8[0, 2].tolist() == [70, 80, 90]


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 8, 9)), ("1", 255), ("I;16", 700)])
def test_transparent_colour_key(mode: str, key: Any) -> None:
    image = Image.new(mode, (2, 1))
    image.putpixel((1, 0), key)
    file = through(image, "PNG", transparency=1 if mode == "1" else key)
    kept = to_picture(file, alpha="keep")
    assert kept.alpha_u8 is not None
    assert kept.alpha_u8.tolist() == [[255, 0]]
    assert WHITE_NOTE in to_picture(file).notes
    assert to_picture(file).pixels_u8[0].tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La"])
def test_alpha_modes(mode: str) -> None:
    image = Image.new("RGBA", (2, 2), (100, 100, 100, 255))
    image.putpixel((0, 1), (100, 100, 100, 51))
    image = image.convert(mode.upper()).convert(mode)
    white = to_picture(image)
    assert white.notes == (WHITE_NOTE,)
    assert white.greyscale
    assert white.pixels_u8[..., 0].tolist() == [[100, 100], [224, 100]]
    kept = to_picture(image, alpha="keep")
    assert kept.notes == ()
    assert kept.alpha_u8 is not None
    assert kept.alpha_u8.tolist() == [[255, 255], [51, 255]]
    assert not kept.alpha_u8.flags.writeable


def test_opaque_alpha_is_dropped_silently() -> None:
    for rule in ("white", "keep"):
        picture = to_picture(colours().convert("RGBA"), alpha=rule)  # type: ignore[arg-type]
        assert picture.alpha_u8 is None
        assert picture.notes == ()
        assert np.array_equal(picture.pixels_u8, np.asarray(colours()))


def test_cmyk_without_profile() -> None:
    image = Image.new("CMYK", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 0))
    picture = to_picture(through(image, "TIFF"))
    assert picture.pixels_u8[0].tolist() == [[255, 255, 255], [0, 255, 255]]
    assert picture.notes == (CMYK_NOTE,)
    jpeg = to_picture(through(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(jpeg.pixels_u8.astype(int) - [255, 0, 0]).max() <= 3


def test_lab_is_converted() -> None:
    # Pillow has L* from 0 to 255, and a* and b* with 128 added.
    for lab, rgb in (
        ((255, 128, 128), (255, 255, 255)),
        ((0, 128, 128), (0, 0, 0)),
        ((137, 128, 128), (128, 128, 128)),
        ((138, 209, 198), (255, 0, 0)),  # CIELAB of sRGB red under D50: 54.3, 80.8, 69.9
    ):
        image = Image.new("LAB", (2, 2), lab)
        for picture in (to_picture(image), to_picture(through(image, "TIFF"))):
            assert np.abs(picture.pixels_u8.astype(int) - rgb).max() <= 1
            assert picture.notes == ()


def test_sixteen_bit_grey_png() -> None:
    values = np.array([[0, 128, 129, 300, 30000, 65535]], dtype=np.uint16)
    image = Image.new("I;16", (6, 1))
    image.frombytes(values.astype("<u2").tobytes())
    for stored in (image, through(image, "PNG"), through(image, "TIFF")):
        picture = to_picture(stored)
        assert picture.greyscale
        assert picture.pixels_u8[0, :, 0].tolist() == [0, 0, 1, 1, 117, 255]
        assert picture.notes == (DEEP_NOTE,)


def test_sixteen_bit_colour_png_has_a_note() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\x00" + bytes([250, 1, 128, 2, 3, 4])  # filter 0, then one pixel of three big-endian samples
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    picture = to_picture(Image.open(io.BytesIO(png)))
    assert picture.pixels_u8.tolist() == [[[250, 128, 3]]]
    assert picture.notes == (DEEP_NOTE,)


def test_mode_i_is_sixteen_bit_and_nothing_else() -> None:
    image = Image.new("I", (2, 1), 65535)
    picture = to_picture(image)
    assert picture.pixels_u8.tolist() == [[[255] * 3] * 2]
    assert picture.notes == (DEEP_NOTE,)
    for bad in (65536, -1):
        image.putpixel((1, 0), bad)
        with pytest.raises(ImageError, match=r"\A[^\n]*0 to 65535[^\n]*\Z"):
            to_picture(image)


def test_floating_point_mode_is_explained() -> None:
    with pytest.raises(ImageError, match=r"\A[^\n]*mode F \(floating point\)[^\n]*\Z"):
        to_picture(Image.new("F", (3, 3)))


def test_empty_pillow_image() -> None:
    for size in ((0, 0), (0, 5), (5, 0)):
        with pytest.raises(ImageError, match="at least 1x1"):
            to_picture(Image.new("RGB", size))


def test_limit_is_checked_before_the_pixels_are_decoded() -> None:
    class Undecodable(Image.Image):
        @property
        def size(self) -> tuple[int, int]:
            return (1000, 1000)

        width = height = 1000

        def load(self) -> None:
            raise AssertionError("decoded")

    with pytest.raises(LimitExceeded, match="1000x1000 = 1000000"):
        to_picture(Undecodable(), max_pixels=999_999)


def test_animation_gives_its_first_frame_with_a_note() -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "lime", "blue")]
    for format in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format == "WEBP" else {}
        file = through(frames[0], format, save_all=True, append_images=frames[1:], **options)
        picture = to_picture(file)
        assert picture.pixels_u8[1, 1].tolist() == [255, 0, 0]
        assert picture.notes == ("only frame 1 of 3 is used",)


def test_the_frame_that_the_caller_chose_is_used() -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "lime")]
    file = through(frames[0], "GIF", save_all=True, append_images=frames[1:])
    file.seek(1)
    picture = to_picture(file)
    assert picture.pixels_u8[1, 1].tolist() == [0, 255, 0]
    assert picture.notes == ("only frame 2 of 2 is used",)


def test_damaged_later_frame_does_not_matter() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    picture = to_picture(Image.open(io.BytesIO(buffer.getvalue()[:-20])))
    assert picture.pixels_u8[1, 1].tolist() == [255, 0, 0]
    assert len(picture.notes) == 1


def test_damaged_pixels_are_an_image_error() -> None:
    buffer = io.BytesIO()
    colours(64, 64).save(buffer, "PNG")
    damaged = Image.open(io.BytesIO(buffer.getvalue()[:3000]))
    with pytest.raises(ImageError, match=r"\A[^\n]*damaged data[^\n]*\Z"):
        to_picture(damaged)


def test_the_callers_image_is_not_changed() -> None:
    image = colours().convert("RGBA")
    image.info["icc_profile"] = b"broken"
    before = (image.tobytes(), dict(image.info), image.mode)
    to_picture(image)
    assert (image.tobytes(), dict(image.info), image.mode) == before


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    image = colours(23, 11).convert("RGBA")
    image.putalpha(image.getchannel(0))
    whole = to_picture(image), to_picture(image, alpha="keep")
    monkeypatch.setattr(bands, "_BAND_PIXELS", 30)
    piecewise = to_picture(image), to_picture(image, alpha="keep")
    for one, other in zip(whole, piecewise, strict=True):
        assert np.array_equal(one.pixels_u8, other.pixels_u8)
        assert np.array_equal(one.alpha_u8, other.alpha_u8) or one.alpha_u8 is other.alpha_u8


def test_too_little_memory_is_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", run_out)
    with pytest.raises(ImageError, match=r"\A[^\n]*fits in memory, found 5x7[^\n]*\Z"):
        to_picture(colours())
