"""Opening files: pictures in many formats, and one-line errors for everything else."""

from __future__ import annotations

import io
import os
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wisp.errors import ImageError, LimitExceeded, UsageError
from wisp.imaging import open_picture
from wisp.imaging.wording import guess_kind

ONE_LINE = r"\A[^\n]+\Z"
SCENE = np.random.default_rng(7).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def encoded(format: str, pixels: np.ndarray = SCENE, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A valid PNG up to its pixels, of which there are none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "TGA", "WEBP", "GIF", "JPEG", "AVIF", "ICO"])
def test_formats_from_path_bytes_and_stream(format: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    if format == "ICO":
        options["sizes"] = [(60, 40)]
    data = encoded(format, **options)
    path = tmp_path / f"scene.{format.lower()}"
    path.write_bytes(data)
    stream = io.BytesIO(data)
    stream.seek(3)
    pictures = [
        open_picture(source) for source in (path, str(path), data, bytearray(data), memoryview(data), stream)
    ]
    assert not stream.closed
    for picture in pictures:
        assert picture.pixels_u8.shape == SCENE.shape
        assert np.array_equal(picture.pixels_u8, pictures[0].pixels_u8)
    if format not in ("GIF", "JPEG", "AVIF"):
        assert np.array_equal(pictures[0].pixels_u8, SCENE)


def test_pipe_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(encoded("PNG", SCENE[:10, :10]))
    with os.fdopen(reading, "rb") as end:
        assert np.array_equal(open_picture(end).pixels_u8, SCENE[:10, :10])


def test_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encoded("PNG"))
    assert np.array_equal(open_picture(path).pixels_u8, SCENE)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"Dear all,\nthis is no picture.\n", "found text"),
        ("Grüße".encode() * 100, "found text"),
        (b"", "found an empty file"),
        (b"\0\1\2\3" * 50, "unknown kind"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIF"),
        (b"\xff\x0a\xff\x07", "JPEG XL|libjxl"),  # its own words, where a plugin reads the format
        (b"\xff\xd8\xff", "JPEG whose header is damaged"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "EPS"),
    ],
)
def test_files_that_are_no_pictures(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    for source in (path, content, io.BytesIO(content)):
        with pytest.raises(ImageError, match=ONE_LINE) as caught:
            open_picture(source)
        caught.match(says)
        caught.match("expected")
    with pytest.raises(ImageError, match=r"letter\.jpg"):
        open_picture(path)


def test_missing_file_directory_and_bad_names(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path / "none.png", "found nothing there"),
        (tmp_path, "found a directory"),
        (tmp_path / "two\nlines.png", "found nothing there"),
        ("bad\0name.png", "null"),
    ):
        with pytest.raises(ImageError, match=ONE_LINE) as caught:
            open_picture(path)
        caught.match(says)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded("PNG"))
    path.chmod(0)
    with pytest.raises(ImageError, match=ONE_LINE):
        open_picture(path)


def outcome(data: bytes | bytearray, **options: Any) -> str:
    """An error's message, or nothing if a picture came out."""
    try:
        open_picture(data, **options)
    except (ImageError, LimitExceeded) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP"])
def test_every_cut_of_a_file_is_an_error(format: str) -> None:
    data = encoded(format)
    cuts = sorted({*range(0, 40, 3), *np.linspace(40, len(data) * 9 // 10, 12).astype(int).tolist()})
    messages = [outcome(data[:length]) for length in cuts]
    assert all(messages)
    assert "\n" not in "".join(messages)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_jpeg(share: float, tmp_path: Path) -> None:
    data = encoded("JPEG", quality=90)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError, match=r"\A'[^\n]*cut\.jpg': expected[^\n]*truncated[^\n]*\Z"):
        open_picture(path)


def test_damaged_bytes_give_a_picture_or_an_image_error(capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(11)
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"):
        data = encoded(format, SCENE[:16, :16])
        for _ in range(25):
            damaged = bytearray(data)
            for position in rng.integers(0, len(data), 3):
                damaged[position] = rng.integers(0, 256)
            assert "\n" not in outcome(damaged, keep_exif=True, max_pixels=1_000_000)
        if format != "AVIF":  # some versions of libavif print by themselves
            assert capfd.readouterr() == ("", "")


def test_pixel_bomb_is_refused_from_its_header() -> None:
    data = png_header(60000, 60000)
    says = r"\A\d+ bytes: [^\n]*60000x60000 = 3600000000[^\n]*\Z"
    with pytest.raises(LimitExceeded, match=says):
        open_picture(data)
    tracemalloc.start()  # only now: Pillow's imports are not to be counted
    try:
        with pytest.raises(LimitExceeded, match=says):
            open_picture(data)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [(13000, 12000), (20000, 12000)])
def test_our_limit_holds_whatever_pillows_is(size: tuple[int, int], tmp_path: Path) -> None:
    """156 megapixels make Pillow warn and 240 make it refuse; neither is our limit here."""
    path = tmp_path / "big.png"
    path.write_bytes(png_header(*size))
    before = Image.MAX_IMAGE_PIXELS
    for source in (path, path.read_bytes()):
        with pytest.raises(LimitExceeded, match="at most 1000000 pixels"):
            open_picture(source, max_pixels=1_000_000)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_caller_may_allow_more_than_pillow_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = tmp_path / "scene.png"
    path.write_bytes(encoded("PNG"))
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        assert np.array_equal(open_picture(source).pixels_u8, SCENE)
    with pytest.raises(LimitExceeded):
        open_picture(path, max_pixels=2399)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_plugins_own_limit_is_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise Image.DecompressionBombError("too\nlarge")

    data = encoded("PNG")
    monkeypatch.setitem(Image.OPEN, "PNG", (refuse, Image.OPEN["PNG"][1]))
    with pytest.raises(LimitExceeded, match=r"\A[^\n]*too large[^\n]*MAX_IMAGE_PIXELS\Z"):
        open_picture(data)


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        open_picture(encoded("PNG"), alpha="pink")  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=ONE_LINE):
        open_picture(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=ONE_LINE):
        open_picture(None)  # type: ignore[arg-type]


def test_nothing_is_left_open(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("counts /proc/self/fd")
    path = tmp_path / "scene.gif"
    path.write_bytes(encoded("GIF"))
    bad = tmp_path / "bad.png"
    bad.write_bytes(png_header(60000, 60000))
    before = len(os.listdir("/proc/self/fd"))
    open_picture(path)
    for broken in (bad, tmp_path / "none", tmp_path):
        with pytest.raises((ImageError, LimitExceeded)):
            open_picture(broken)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("second", "word"), [(0x59, "wisp file"), (0x60, "wisp packet"), (0x71, "wisp sequence")]
)
def test_own_files_are_told_from_pictures(second: int, word: str) -> None:
    assert guess_kind(bytes([0xC7, second, 0, 1, 2])).startswith(f"a {word};")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_of_any_kind_are_read(kind: Callable[[bytes], Any]) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (3, 2), (9, 8, 7)).save(stream, "PNG")
    assert open_picture(kind(stream.getvalue())).pixels_u8[1, 2].tolist() == [9, 8, 7]
