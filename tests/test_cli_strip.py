"""The strip: every picture is there pixel for pixel, and every label fits under it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wisp.cli.strip import Panel, columns_for, draw_strip

RED, BLUE = (200, 0, 0), (0, 0, 200)


def _panels(size: tuple[int, int]) -> list[Panel]:
    return [
        Panel(Image.new("RGB", size, RED), "original", "a picture"),
        Panel(Image.new("RGB", size, BLUE), "wisp", "1,234 bytes"),
        Panel(None, "JPEG", "no file this small"),
    ]


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("size", [(300, 200), (240, 500)])
def test_pictures_are_there_at_full_size(size: tuple[int, int], columns: int) -> None:
    pixels = np.asarray(draw_strip(_panels(size), columns))
    for colour in (RED, BLUE):
        rows, cols = np.nonzero((pixels == colour).all(-1))
        assert (rows.max() - rows.min() + 1, cols.max() - cols.min() + 1) == size[::-1]
        assert len(rows) == size[0] * size[1]


def test_labels_stay_within_their_panels() -> None:
    panels = [Panel(Image.new("RGB", (240, 240), RED), "W" * 20, "1,234,567 bytes at 1/8 size")] * 2
    sheet = np.asarray(draw_strip(panels, 2).convert("L"))
    between = sheet[:, 12 + 240 : 12 + 240 + 12]
    assert between.min() == 255
    assert sheet[-1].min() == 255
    below = sheet[12 + 240 :, : 12 + 240]
    assert below.min() < 100


def test_tiny_pictures_are_enlarged_by_whole_steps() -> None:
    image = Image.new("RGB", (3, 1), RED)
    image.putpixel((1, 0), BLUE)
    pixels = np.asarray(draw_strip([Panel(image, "original", "3x1")], 1))
    assert (pixels == BLUE).all(-1).sum() == 80 * 80
    assert (pixels == RED).all(-1).sum() == 2 * 80 * 80


def test_a_panel_without_a_picture_is_grey() -> None:
    pixels = np.asarray(draw_strip(_panels((300, 200)), 3))
    assert (pixels == (0xDD, 0xDD, 0xDD)).all(-1).sum() >= 300 * 200


def test_columns() -> None:
    assert columns_for(600, 400, 5) == 3
    assert columns_for(400, 600, 5) == 5
    assert columns_for(600, 400, 2) == 2
