"""The benches of regions of interest and of allocations: masks, pages, files that are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.allocation.saliency import saliency
from wisp.bench import allocation, roi
from wisp.bench.allocation_ways import by_entropy, ways
from wisp.bench.metrics.metric import Direction
from wisp.bench.roi_masks import Marked, marked_pictures
from wisp.bench.roi_sheet import square_around


def test_every_marked_picture_has_a_mask_inside_it() -> None:
    marked = marked_pictures()
    assert len(marked) == 8
    for entry in marked.values():
        left, upper, right, lower = entry.box
        assert 0 <= left < right <= 768
        assert 0 <= upper < lower <= 768
        mask = np.asarray(entry.mask(768, 768))
        assert 0.004 < (mask > 0).mean() < 0.4


def test_the_square_stays_inside() -> None:
    assert square_around((0, 0, 10, 20), (100, 50)) == (0, 0, 22, 22)
    assert square_around((90, 40, 100, 50), (100, 50)) == (89, 39, 100, 50)
    assert square_around((0, 0, 100, 10), (100, 50)) == (25, 0, 75, 50)


def test_saliency_finds_what_is_unusual() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(90, 110, (256, 384, 3)).astype(np.uint8)
    pixels[100:140, 240:280] = (220, 30, 30)
    found = saliency(pixels)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert 80 <= row * 256 / found.shape[0] <= 160
    assert 220 <= column * 384 / found.shape[1] <= 300
    for shape in ((1, 1, 3), (7, 2000, 3), (300, 200, 3)):
        assert saliency(np.zeros(shape, np.uint8)).max() == 0


def test_the_entropy_rule_takes_the_largest_share_that_fits() -> None:
    def compress(ratios: tuple[float, float, float]) -> bytes:
        assert sum(ratios) == pytest.approx(1)
        return bytes(int(100 + 900 * ratios[0] + 300 * ratios[1]))

    found = by_entropy(compress, 500)
    assert found is not None
    assert 490 <= len(found) <= 500
    assert by_entropy(compress, 99) is None


def test_a_forecast_is_compared_with_none(
    tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    image = Image.fromarray(photo_u8)
    found = ways((2.0,), None, tmp_path)
    assert list(found) == ["benefit", "squared_error", "auto_2", "entropy"]
    files = [found[name](image, 900) for name in ("benefit", "squared_error")]
    assert files[0] == wisp.compress(image, size=900)
    assert files[1] is not None
    assert len(files[1]) <= 900
    assert files[1] != files[0]
    assert "squared_error" not in ways((2.0,), str(tiny_model), tmp_path)


def test_the_roi_command(
    tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    marked = {"a": Marked("a", "corner", (((0, 0), (90, 0), (90, 90), (0, 90)),))}
    monkeypatch.setattr(roi, "marked_pictures", lambda: marked)
    out, sheet = tmp_path / "out", tmp_path / "sheet.webp"
    order = ["--images", str(tmp_path / "in"), "--out", str(out), "--model", str(tiny_model)]
    assert roi.main([*order, "--bpp", "0.1,0.15", "--strength", "100", "--sheet", str(sheet)]) == 0
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert [row["bpp"] for row in rows] == [0.1, 0.15]
    assert all(row["roi_inside_db"] > row["plain_inside_db"] for row in rows)
    assert "| a | corner |" in (out / "summary.md").read_text()
    with Image.open(sheet) as image:
        assert image.width < 400


@pytest.mark.parametrize("rates", ["", "0", "x", "2,-1"])
def test_wrong_rates_are_named(tmp_path: Path, rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    for bench in (roi, allocation):
        assert bench.main(["--images", str(tmp_path), "--out", str(tmp_path / "o"), "--bpp", rates]) == 2
        assert "--bpp: expected numbers above 0" in capsys.readouterr().err


def test_the_allocation_command(tmp_path: Path, prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    order = ["--images", str(tmp_path / "in"), "--out", str(out), "--model", str(prior_model)]
    order += ["--metrics", "psnr_db", "--bpp", "0.15"]
    assert allocation.main(order) == 0
    rows = json.loads((out / "rows.jsonl").read_text())["rows"]
    assert [row["way"] for row in rows] == ["benefit", "auto_2", "auto_8", "entropy"]
    assert all(row["num_bytes"] <= 1125 for row in rows)


def test_the_page_counts_wins() -> None:
    rows = [
        {"image": image, "bpp": 0.1, "way": way, "scores": {"psnr_db": value}}
        for image, way, value in (("a", "benefit", 20), ("a", "x", 21), ("b", "benefit", 20), ("b", "x", 19))
    ]
    page = allocation.summary(rows, {"psnr_db": Direction.HIGHER})
    assert "| x | 20.0000; better on 1 of 2 |" in page
