"""Pillow writes wisp files: every option means what it means to `wisp.compress`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
import wisp.pillow


@pytest.fixture
def photo(photo_u8: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(photo_u8)


def _saved(image: Image.Image, **options: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "WISP", **options)
    return sink.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": 700},
        {"size": "1kB"},
        {"bpp": 0.05},
        {"quality": 80},
        {"size": 500, "roi": np.eye(200, 300, dtype=np.uint8) * 255, "roi_strength": 20.0},
        {"size": 500, "threads": 1},
    ],
)
def test_bytes_are_those_of_compress(photo: Image.Image, tiny_model: Path, options: dict[str, Any]) -> None:
    expected = wisp.compress(photo, model=tiny_model, **options)
    assert _saved(photo, model=tiny_model, **options) == expected


def test_format_from_the_suffix(photo: Image.Image, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.WISP"
    photo.save(path, size=800, model=tiny_model)
    assert path.read_bytes() == wisp.compress(photo, size=800, model=tiny_model)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_unless_white_is_asked_for(mode: str, tiny_model: Path) -> None:
    image = Image.new(mode.removesuffix("A"), (40, 20), 77)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    kept = wisp.decompress(_saved(image, model=tiny_model), model=tiny_model)
    assert kept.mode == mode
    assert np.array_equal(np.asarray(kept)[..., -1], np.asarray(image)[..., -1])
    assert not wisp.read_info(_saved(image, alpha="white", model=tiny_model)).has_alpha


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "I;16"])
def test_modes(mode: str, tiny_model: Path) -> None:
    info = wisp.read_info(_saved(Image.new(mode, (9, 7)), model=tiny_model))
    assert (info.width, info.height) == (9, 7)


def test_exif_is_dropped_unless_given_and_loses_its_orientation(tiny_model: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    sink = io.BytesIO()
    Image.new("RGB", (48, 32), "olive").save(sink, "JPEG", exif=exif)
    with Image.open(sink) as camera:
        assert wisp.read_info(_saved(camera, model=tiny_model)).chunks == ()
        for given in (exif, exif.tobytes(), camera.info["exif"]):
            full = wisp.reconstruct(_saved(camera, exif=given, model=tiny_model), model=tiny_model)
            assert full.image.size == (32, 48)
            assert full.exif is not None
            found = Image.Exif()
            found.load(full.exif)
            assert dict(found) == {0x010F: "Maker"}


@pytest.mark.parametrize(
    "options",
    [
        {"size": 700, "quality": 50},
        {"size": "plenty"},
        {"size": -1},
        {"bpp": 0},
        {"quality": 101},
        {"alpha": "black"},
        {"roi": np.zeros((3, 50), np.uint8)},
        {"roi": np.zeros((20, 30), np.float32)},
        {"exif": "text"},
        {"exif": b"no EXIF at all"},
    ],
)
def test_bad_options(photo: Image.Image, tiny_model: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        _saved(photo, model=tiny_model, **options)


def test_too_small_a_budget_carries_the_smallest(
    photo: Image.Image, tiny_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.wisp"
    with pytest.raises(wisp.BudgetError) as caught:
        photo.save(path, size=3, model=tiny_model)
    assert not path.exists()
    photo.save(path, size=caught.value.smallest_num_bytes, model=tiny_model)
    assert path.stat().st_size <= caught.value.smallest_num_bytes


def test_unknown_model(photo: Image.Image) -> None:
    with pytest.raises(wisp.UnknownModel):
        _saved(photo, model="nobody")


def test_floats_cannot_be_written() -> None:
    with pytest.raises(OSError, match="WISP"):
        _saved(Image.new("F", (8, 8)))
