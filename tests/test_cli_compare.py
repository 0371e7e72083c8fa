"""`wisp compare`: one labelled strip of a picture at equal bytes."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

from wisp.cli.peers import fit_jpeg_xl

HAS_JPEG_XL = importlib.util.find_spec("pillow_jxl") is not None


@pytest.fixture
def photo(tmp_path: Path, photo_u8: NDArray[np.uint8]) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(photo_u8[:120, :160]).save(path)
    return path


def test_one_strip_at_equal_bytes(tmp_path: Path, tiny_model: Path, photo: Path) -> None:
    out = tmp_path / "strip.png"
    options = ("--size", "900", "--model", tiny_model, "--threads", "1", "--columns", "6")
    ran = run_cli("compare", photo, out, *options)
    assert (ran.code, ran.stderr) == (0, "")
    titles = ["original", "wisp", "AVIF", "WebP", "JPEG", *(["JPEG XL"] if HAS_JPEG_XL else [])]
    lines = ran.out.splitlines()[: len(titles)]
    assert [line.startswith(title) for line, title in zip(lines, titles, strict=True)] == [True] * len(titles)
    sizes = [int(found[1]) for line in lines[1:] if (found := re.search(r"(\d+) bytes", line))]
    assert max(sizes) <= 900
    assert ran.out.splitlines()[-1] == f"side by side: {out}"
    with Image.open(out) as strip:
        assert strip.width == 6 * (2 * 160 + 12) + 12  # small pictures are shown twice as large
        assert np.asarray(strip).std() > 10


def test_without_jpeg_xl_the_others_are_compared(
    tmp_path: Path, tiny_model: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    assert fit_jpeg_xl(Image.new("RGB", (32, 32)), 900) is None
    ran = run_cli("compare", photo, tmp_path / "strip.png", "--size", "900", "--model", tiny_model)
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()[:5]] == [
        "original",
        "wisp",
        "AVIF",
        "WebP",
        "JPEG",
    ]
    assert "JPEG XL" not in ran.out


@pytest.mark.skipif(not HAS_JPEG_XL, reason="pillow-jxl-plugin is not installed")
def test_jpeg_xl_is_shown_at_the_largest_size_that_fits(photo_u8: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo_u8)
    roomy, tight, hopeless = (fit_jpeg_xl(image, budget) for budget in (20_000, 1000, 20))
    assert roomy is not None
    assert tight is not None
    assert hopeless is not None
    assert (roomy.title, roomy.denominator) == ("JPEG XL", 1)
    assert tight.num_bytes is not None
    assert tight.num_bytes <= 1000
    assert tight.image is not None
    assert tight.image.size == (300, 200)
    assert (hopeless.image, hopeless.detail) == (None, "no file this small")


def test_a_grey_picture_is_compared_too(tmp_path: Path, tiny_model: Path, photo: Path) -> None:
    grey, out = tmp_path / "grey.png", tmp_path / "strip.webp"
    with Image.open(photo) as image:
        image.convert("L").save(grey)
    assert run_cli("compare", grey, out, "--size", "1kB", "--model", tiny_model).code == 0
    with Image.open(out) as strip:
        assert strip.mode == "RGB"


def test_an_existing_strip_is_kept_unless_forced(tmp_path: Path, tiny_model: Path, photo: Path) -> None:
    out = tmp_path / "strip.png"
    out.write_bytes(b"precious")
    assert_one_line_error(run_cli("compare", photo, out, "--model", tiny_model), 2, "strip.png", "-f")
    assert out.read_bytes() == b"precious"
    assert run_cli("compare", photo, out, "-f", "--size", "900", "--model", tiny_model).code == 0
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_the_input_is_never_the_output(photo: Path) -> None:
    before = photo.read_bytes()
    assert_one_line_error(run_cli("compare", photo, photo, "-f"), 2, "apart from the input")
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("photo.png",),
        ("photo.png", "strip.xyz"),
        ("photo.png", "strip.png", "--size", "much"),
        ("photo.png", "strip.png", "--columns", "9"),
        ("photo.png", "strip.png", "--threads", "0"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    assert_one_line_error(run_cli("compare", *arguments), 2)
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


def test_bad_input(tmp_path: Path, tiny_model: Path, photo: Path) -> None:
    out = tmp_path / "strip.png"
    note = tmp_path / "note.jpg"
    note.write_text("hello")
    assert_one_line_error(run_cli("compare", note, out), 1, "note.jpg")
    assert_one_line_error(run_cli("compare", tmp_path / "nowhere.png", out), 1, "nowhere.png")
    assert_one_line_error(run_cli("compare", photo, out, "--model", "nobody"), 1, "nobody")
    assert_one_line_error(run_cli("compare", photo, out, "--size", "3", "--model", tiny_model), 1, "3")
    assert not out.exists()
