"""Every kind of picture that people have goes in; all else is one named line, and nothing is written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp


def _encoded(image: Image.Image, format: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, format, **options)  # type: ignore[arg-type]
    return sink.getvalue()


def _shaded(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    pixels: NDArray[np.uint8] = np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8)
    return Image.fromarray(pixels)


def _rotated_by_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(_shaded(60, 40), "JPEG", exif=exif)


def _animation() -> bytes:
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("teal", "olive")]
    return _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def _deep() -> bytes:
    return _encoded(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 54), "PNG")


GOOD: dict[str, tuple[Callable[[], bytes], tuple[int, int], str, str]] = {
    "one.png": (lambda: _encoded(Image.new("RGB", (1, 1), "teal"), "PNG"), (1, 1), "RGB", ""),
    "odd.png": (lambda: _encoded(_shaded(7, 5), "PNG"), (7, 5), "RGB", ""),
    "tall.png": (lambda: _encoded(_shaded(1, 4000), "PNG"), (1, 4000), "RGB", ""),
    "wide.png": (lambda: _encoded(_shaded(4000, 1), "PNG"), (4000, 1), "RGB", ""),
    "grey.png": (lambda: _encoded(_shaded(40, 30).convert("L"), "PNG"), (40, 30), "L", ""),
    "palette.png": (lambda: _encoded(_shaded(40, 30).quantize(16), "PNG"), (40, 30), "RGB", ""),
    "glass.png": (lambda: _encoded(Image.new("RGBA", (40, 30)), "PNG"), (40, 30), "L", "white"),
    "print.jpg": (lambda: _encoded(_shaded(40, 30).convert("CMYK"), "JPEG"), (40, 30), "RGB", "CMYK"),
    "deep.png": (_deep, (40, 30), "L", "8"),
    "turned.jpg": (_rotated_by_exif, (40, 60), "RGB", ""),
    "moving.gif": (_animation, (30, 20), "RGB", "frame"),
    "misnamed.txt": (lambda: _encoded(_shaded(40, 30), "WEBP"), (40, 30), "RGB", ""),
}


@pytest.mark.parametrize("name", GOOD)
def test_picture_survives_both_ways(name: str, tmp_path: Path, tiny_model: Path) -> None:
    make, size, mode, note = GOOD[name]
    source, packed, back = tmp_path / name, tmp_path / "a.wisp", tmp_path / "back.png"
    source.write_bytes(make())
    ran = run_cli("compress", source, packed, "--size", "3kB", "--model", tiny_model)
    assert ran.code == 0, ran.stderr
    assert len(packed.read_bytes()) <= 3000
    notes = [line for line in ran.lines if line.startswith("note: ") and "bytes are left over" not in line]
    assert bool(notes) == bool(note)
    assert note in " ".join(notes)
    assert run_cli("decompress", packed, back, "--model", tiny_model).code == 0
    with Image.open(back) as decoded:
        assert decoded.size == size
        assert decoded.mode == mode


def _truncated_jpeg() -> bytes:
    return _encoded(_shaded(200, 100), "JPEG")[:900]


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "text.jpg": (lambda: b"Dear reader, this is no picture at all.\n", "text"),
    "empty.png": (lambda: b"", "empty"),
    "truncated.jpg": (_truncated_jpeg, "truncated"),
    "cut.png": (lambda: _encoded(_shaded(64, 64), "PNG")[:60], ""),
    "header.jpg": (lambda: b"\xff\xd8\xff\xe0\x00", ""),
    "nan.tiff": (lambda: _encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"), "F"),
    "drawing.svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "page.pdf": (lambda: b"%PDF-1.7\n", "PDF"),
    "noise.webp": (lambda: bytes(range(256)) * 4, ""),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_one_line_and_no_file(name: str, tmp_path: Path, tiny_model: Path) -> None:
    make, part = BAD[name]
    source = tmp_path / name
    source.write_bytes(make())
    ran = run_cli("compress", source, tmp_path / "out.wisp", "--model", tiny_model)
    assert_one_line_error(ran, 1, name, part)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    from_stdin = run_cli("compress", "-", tmp_path / "out.wisp", "--model", tiny_model, stdin=make())
    assert_one_line_error(from_stdin, 1, part)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_missing_file_and_directory(tmp_path: Path) -> None:
    assert_one_line_error(run_cli("compress", tmp_path / "none.jpg", tmp_path / "a.wisp"), 1, "none.jpg")
    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    assert_one_line_error(run_cli("compress", folder, tmp_path / "a.wisp"), 1, "directory")
    assert_one_line_error(run_cli("decompress", tmp_path / "none.wisp", tmp_path / "a.png"), 1, "none.wisp")
    assert_one_line_error(run_cli("decompress", folder, tmp_path / "a.png"), 1, "folder.jpg")
    assert_one_line_error(run_cli("info", tmp_path / "none.wisp"), 1, "none.wisp")


def test_names_that_would_move_the_cursor_are_escaped(tmp_path: Path) -> None:
    ran = run_cli("info", tmp_path / "\x1b[31mred\nline.wisp")
    assert_one_line_error(ran, 1, "\\x1b[31mred\\n")
    assert "\x1b" not in ran.stderr


def test_output_place_that_cannot_be_written_to(tmp_path: Path, tiny_model: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(_encoded(_shaded(40, 30), "PNG"))
    ran = run_cli("compress", source, tmp_path / "no" / "such" / "a.wisp", "--model", tiny_model)
    assert_one_line_error(ran, 2, "a.wisp")
    assert wisp.UsageError.__name__ not in ran.stderr
