"""Pillow opens wisp files: header only, pixels on demand, and its own kinds of error for damaged ones."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

import wisp
from wisp.container import Header, pack_file
from wisp.pillow import WispImageFile, register_wisp_opener


@pytest.fixture(autouse=True)
def _decoding_with(tiny_model: Path) -> Iterator[None]:
    register_wisp_opener(model=tiny_model, threads=1)
    yield
    register_wisp_opener()


@pytest.fixture(scope="module")
def data(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> bytes:
    return wisp.compress(photo_u8, size=900, model=tiny_model)


def test_sanity(data: bytes, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.wisp"
    path.write_bytes(data)
    expected = wisp.decompress(data, model=tiny_model)
    for source in (path, str(path), io.BytesIO(data)):
        with Image.open(source) as image:
            assert isinstance(image, WispImageFile)
            assert (image.format, image.mode, image.size) == ("WISP", "RGB", (300, 200))
            assert image.get_format_mimetype() == "image/x-wisp"
            assert image.info == {"wisp": wisp.read_info(data)}
            assert np.array_equal(np.asarray(image), np.asarray(expected))


def test_registration() -> None:
    assert Image.registered_extensions()[".wisp"] == "WISP"
    assert "WISP" in Image.OPEN
    assert "WISP" in Image.SAVE


@pytest.mark.parametrize("keep_alpha", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_mode_is_known_before_anything_is_decoded(grey: bool, keep_alpha: bool, tiny_model: Path) -> None:
    image = Image.new("L" if grey else "RGB", (33, 21), 90)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    packed = wisp.compress(image, alpha="keep" if keep_alpha else "white", model=tiny_model)
    with Image.open(io.BytesIO(packed)) as opened:
        before = opened.mode
        opened.load()
        assert before == opened.mode == ("L" if grey else "RGB") + ("A" if keep_alpha else "")
        assert opened.im.mode == opened.mode
        if keep_alpha:
            assert np.array_equal(np.asarray(opened)[..., -1], np.asarray(image)[..., -1])


def test_opening_needs_no_model(data: bytes) -> None:
    register_wisp_opener(model="nobody")
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (300, 200)
        with pytest.raises(OSError, match="nobody"):
            image.load()


def test_opening_decodes_nothing(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("decoded while opening")

    monkeypatch.setattr("wisp.pillow.reconstruct", fail)
    Image.open(io.BytesIO(data)).close()


def test_pixels_are_decoded_once(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        before = image.getpixel((5, 5))
        image.putpixel((6, 6), (1, 2, 3))
        image.load()
        assert image.getpixel((6, 6)) == (1, 2, 3)
        assert image.getpixel((5, 5)) == before


def test_file_is_closed_after_loading(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.wisp"
    path.write_bytes(data)
    image = Image.open(path)
    stream = image.fp
    assert stream is not None
    image.load()
    assert stream.closed
    mine = io.BytesIO(data)
    Image.open(mine).load()
    assert not mine.closed


def test_exif_is_where_pillow_looks_for_it(tiny_model: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    sink = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(sink, "WISP", exif=exif, model=tiny_model)
    with Image.open(sink) as opened:
        assert opened.info["exif"].startswith(b"Exif\0\0")
        assert dict(opened.getexif()) == {0x010F: "Maker"}


def test_copies_pickles_and_thumbnails(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        again = pickle.loads(pickle.dumps(image))
        assert np.array_equal(np.asarray(again), np.asarray(image))
        assert image.copy().size == (300, 200)
        image.thumbnail((30, 30))
        assert image.size == (30, 20)


@pytest.mark.parametrize("junk", [b"\xc7", b"\xc6\x50", b"\x89PNG\r\n\x1a\n", b"junk junk junk junk", b""])
def test_another_file(junk: bytes) -> None:
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(junk))
    if len(junk) > 2:
        with pytest.raises(SyntaxError, match="signature"):
            WispImageFile(io.BytesIO(junk))


@pytest.mark.parametrize("length", [2, 3, 5, 6, 7, 8])
def test_cut_within_the_header_or_right_behind_it(data: bytes, length: int) -> None:
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(data[:length]))


def test_cut_within_the_pixels(data: bytes) -> None:
    for length in range(9, len(data)):
        with (
            Image.open(io.BytesIO(data[:length])) as image,
            pytest.raises(OSError, match=r"truncated|expected"),
        ):
            image.load()
    with Image.open(io.BytesIO(data[:-1])) as image, pytest.raises(OSError, match="truncated"):
        image.load()


def test_failed_load_fails_again(data: bytes) -> None:
    with Image.open(io.BytesIO(data[:-3])) as image:
        for _ in range(2):
            with pytest.raises(OSError, match="expected"):
                image.load()


@pytest.mark.parametrize(
    ("front", "message"),
    [
        (b"\xc7\x50\xc0\x12\xb0\xc7", "version"),
        (b"\xc7\x50\x03\x12\xb0\xc7", "size class"),
        (b"\xc7\x50\x01\x01\x2b\x00\xc7", "smallest size class"),
        (b"\xc7\x5f\x00\x12\xb0\xc7\x07", "extended model"),
    ],
)
def test_damaged_header(data: bytes, front: bytes, message: str) -> None:
    damaged = front + data[len(front) :]
    with pytest.raises(SyntaxError, match=message):
        WispImageFile(io.BytesIO(damaged))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(damaged))


def test_damaged_pixels_are_an_error_with_their_reason(data: bytes) -> None:
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    with Image.open(io.BytesIO(damaged)) as image, pytest.raises(OSError, match="expected check"):
        image.load()


def test_file_of_a_model_that_nobody_knows(data: bytes) -> None:
    register_wisp_opener()
    with (
        Image.open(io.BytesIO(data[:1] + b"\x5d" + data[2:])) as image,
        pytest.raises(OSError, match="model number"),
    ):
        image.load()


def _bomb(width: int, height: int) -> io.BytesIO:
    return io.BytesIO(pack_file(Header(0, width, height, False, 0, False), (), b"boom", 0))


def test_pixel_bombs_are_stopped_by_pillow_before_loading() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    with pytest.raises(Image.DecompressionBombError):
        Image.open(_bomb(1 << 24, 1 << 24))
    side = int(Image.MAX_IMAGE_PIXELS**0.5)
    Image.open(_bomb(side, side)).close()
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(_bomb(side + 2, side + 2)).close()


def test_pillows_limit_is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(_bomb(1 << 20, 1 << 20)) as image:
        assert image.size == (1 << 20, 1 << 20)
