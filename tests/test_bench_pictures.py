"""The test pictures: what every codec is given, and names that results could not hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wisp.bench.pictures import picture_paths, read_picture
from wisp.errors import ImageError, UsageError


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def test_a_turned_picture_is_upright_and_has_nothing_but_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it right by a quarter
    image = Image.new("RGB", (40, 24), (255, 255, 255))
    image.paste((0, 0, 0), (0, 0, 40, 12))  # the upper half, which comes to lie on the right
    found = read_picture(save(tmp_path / "a.png", image, exif=exif))
    assert (found.mode, found.size, found.info) == ("RGB", (24, 40), {})
    assert np.asarray(found)[:, :12].min() == 255
    assert np.asarray(found)[:, 12:].max() == 0


def test_deep_grey_and_transparent_pictures(tmp_path: Path) -> None:
    deep = np.array([[0, 257 * 100, 65535]], np.uint16)
    found = np.asarray(read_picture(save(tmp_path / "deep.png", Image.fromarray(deep))))
    assert found.tolist() == [[[0] * 3, [100] * 3, [255] * 3]]
    glass = Image.new("RGBA", (2, 2), (200, 0, 0, 0))
    assert np.asarray(read_picture(save(tmp_path / "glass.png", glass))).min() == 255


def test_an_ordinary_picture_keeps_its_numbers(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    found = read_picture(save(tmp_path / "a.png", Image.fromarray(pixels)))
    assert np.asarray(found).tobytes() == pixels.tobytes()


def test_what_is_no_picture_is_named_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello")
    (tmp_path / "b.png").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        with pytest.raises(ImageError, match=rf"^{name}: expected a picture") as refusal:
            read_picture(tmp_path / name)
        assert str(tmp_path) not in str(refusal.value)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
@pytest.mark.parametrize("name", [b"a\xff.png", b"a\nb.png"])
def test_names_that_are_no_line_of_text_are_refused(tmp_path: Path, name: bytes) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "good.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    with pytest.raises(UsageError, match="expected names of text on one line, found 'a") as refusal:
        picture_paths(tmp_path)
    assert str(refusal.value).isprintable()


def test_names_in_any_language_are_taken(tmp_path: Path) -> None:
    names = ["Käthe.png", "桜 1.png", "a\u202fb.png"]
    for name in names:
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert {path.name for path in picture_paths(tmp_path)} == set(names)
