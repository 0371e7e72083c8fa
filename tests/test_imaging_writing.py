"""Writing pictures: formats, metadata, errors, and nothing half-written."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ExifTags, Image

from wisp.errors import ImageError, UsageError
from wisp.imaging import encode_picture, format_of, open_picture, save_picture

ONE_LINE = r"\A[^\n]+\Z"
FORMATS = ["png", "jpeg", "webp", "avif", "tiff", "bmp", "ppm"]
WITH_METADATA = ["png", "jpeg", "webp", "avif", "tiff"]
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
ROWS, COLS = np.mgrid[:24, :36]
SMOOTH = np.stack([100 + 2 * COLS, 200 - 3 * ROWS, 60 + ROWS + COLS], axis=-1).astype(np.uint8)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(36, 24), (1, 1), (5, 7), (1, 4000)])
def test_every_format_and_mode_reads_back(format: str, mode: str, size: tuple[int, int]) -> None:
    image = Image.fromarray(SMOOTH).resize(size, Image.Resampling.NEAREST).convert(mode)
    again = open_picture(encode_picture(image, format))
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert again.pixels_u8.shape == expected.shape
    assert np.abs(again.pixels_u8 - expected).max() <= (0 if format in ("png", "tiff", "bmp", "ppm") else 12)


@pytest.mark.parametrize("format", FORMATS)
def test_alpha_is_kept_or_composited_on_white(format: str) -> None:
    image = Image.new("RGBA", (16, 16), (200, 40, 40, 0))
    picture = open_picture(encode_picture(image, format), alpha="keep")
    if format in ("jpeg", "bmp", "ppm"):
        assert picture.alpha_u8 is None
        assert picture.pixels_u8.min() >= 254
    else:
        assert picture.alpha_u8 is not None
        assert (picture.alpha_u8 == 0).all()


def xmp_of(image: Image.Image) -> str:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if image.format == "TIFF":
        packet = image.tag_v2[700]  # type: ignore[attr-defined]
    return packet.decode() if isinstance(packet, bytes) else packet


@pytest.mark.parametrize("format", WITH_METADATA)
@pytest.mark.parametrize("generated", [False, True])
def test_origin_is_in_the_metadata(format: str, generated: bool) -> None:
    packet = xmp_of(opened(encode_picture(Image.fromarray(SMOOTH), format, generated=generated)))
    tree = ElementTree.fromstring(packet)
    tools = [node.text for node in tree.iter("{http://ns.adobe.com/xap/1.0/}CreatorTool")]
    assert tools == ["wisp"]
    sources = [
        node.text for node in tree.iter("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    ]
    assert sources == ([SOURCE] if generated else [])
    assert "econstructed by wisp" in packet


def some_exif() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] = 400
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("format", WITH_METADATA)
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_exif_passes_through(format: str, prefix: bytes) -> None:
    data = encode_picture(Image.fromarray(SMOOTH), format, exif=prefix + some_exif())
    exif = opened(data).getexif()
    assert exif[ExifTags.Base.Make] == "Maker"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] == 400
    assert open_picture(data, keep_exif=True).exif is not None


@pytest.mark.parametrize("format", FORMATS)
def test_the_pictures_own_info_is_not_written(format: str) -> None:
    image = Image.fromarray(SMOOTH)
    image.info |= {
        "icc_profile": b"x" * 200,
        "exif": b"Exif\0\0" + some_exif(),
        "comment": b"c",
        "dpi": (72, 72),
    }
    again = opened(encode_picture(image, format))
    assert "icc_profile" not in again.info
    assert ExifTags.Base.Make not in again.getexif()
    assert "comment" not in again.info
    assert len(image.info) == 4


@pytest.mark.parametrize("format", FORMATS)
def test_writing_twice_gives_the_same_bytes(format: str) -> None:
    image = Image.fromarray(SMOOTH)
    assert encode_picture(image, format, generated=True) == encode_picture(image, format, generated=True)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.png", "png"),
        ("a.JPG", "jpeg"),
        ("b.c/a.jpeg", "jpeg"),
        ("a.b.webp", "webp"),
        ("a.avif", "avif"),
        ("a.tif", "tiff"),
        ("a.TIFF", "tiff"),
        ("a.bmp", "bmp"),
        ("a.ppm", "ppm"),
        ("a.pgm", "ppm"),
    ],
)
def test_format_from_suffix(name: str, format: str) -> None:
    assert format_of(name) == format_of(Path(name)) == format


@pytest.mark.parametrize("name", ["a", "a.", "a.gif", "a.jxl", "a.wisp", ".png", "png", "a.png/b"])
def test_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=ONE_LINE) as caught:
        save_picture(Image.fromarray(SMOOTH), tmp_path / name)
    caught.match(r"\.png")
    assert list(tmp_path.iterdir()) == []


def test_save_writes_whole_files_and_format_overrides_suffix(tmp_path: Path) -> None:
    image = Image.fromarray(SMOOTH)
    path = tmp_path / "a.png"
    save_picture(image, path)
    assert np.array_equal(open_picture(path).pixels_u8, SMOOTH)
    save_picture(image, str(path), format="WebP", generated=True, exif=some_exif())
    with Image.open(path) as again:
        assert again.format == "WEBP"
        assert SOURCE in xmp_of(again)
        assert again.getexif()[ExifTags.Base.Make] == "Maker"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    too_wide = Image.new("L", (65536, 1))
    with pytest.raises(ImageError, match=r"\A[^\n]*65536x1 pixels as JPEG[^\n]*\Z"):
        save_picture(too_wide, path)
    with pytest.raises(ImageError, match="WEBP"):
        save_picture(too_wide, path, format="webp")
    with pytest.raises(ImageError, match="at most 65527 bytes of EXIF"):
        save_picture(Image.fromarray(SMOOTH), path, exif=b"II*\0" + b"x" * 65530)
    with pytest.raises(ImageError, match="mode"):
        save_picture(Image.new("CMYK", (3, 3)), path)
    with pytest.raises(UsageError, match="gif"):
        save_picture(Image.fromarray(SMOOTH), path, format="gif")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.jpg"]


def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=ONE_LINE):
        save_picture(Image.fromarray(SMOOTH), tmp_path / "none" / "a.png")
