"""The bench of repairs: which regions get lost, what the page says, and files that are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.metrics.metric import Direction
from wisp.bench.repair import draw_regions, main, summary
from wisp.bench.repair_fills import FILLS, MarginalMode, fills_named
from wisp.codecs import codec_for_model
from wisp.errors import UsageError
from wisp.tokens.pyramid import PyramidShape, TokenPyramid


def test_draws_lose_what_they_should_and_repeat() -> None:
    for loss, lost in ((10, 2), (30, 6), (50, 10), (99, 19)):
        received = draw_regions(4, 5, loss, 1, 0)
        assert (~received).sum() == lost
        assert np.array_equal(received, draw_regions(4, 5, loss, 1, 0))
    assert len({draw_regions(4, 5, 50, draw, 0).tobytes() for draw in range(20)}) > 15


def test_the_marginal_mode_fills_the_coarsest_level() -> None:
    planes = (np.array([[[1, 0]], [[2, 0]]], np.uint8), np.full((1, 2, 4), 3, np.uint8))
    pyramid = TokenPyramid(PyramidShape(1, 2, (32, 16), (2, 1)), planes, np.array([[3, 0]], np.uint8))
    filled = MarginalMode([8, 9]).fill(pyramid, pyramid.grain_map > 0)
    assert filled.planes[0][:, 0].tolist() == [[1, 8], [2, 9]]
    assert filled.grain_map.tolist() == [[3, 2]]


def test_the_page_compares_draw_by_draw() -> None:
    def row(fill: str, loss: int, draw: int, value: float) -> dict[str, object]:
        return {
            "image": "a",
            "fill": fill,
            "loss_percent": loss,
            "draw": draw,
            "scores": {"psnr_db": value, "l": -value},
        }

    rows = [row("nothing_lost", 0, 0, 30.0)]
    rows += [row("neighbours", 50, 0, 20.0), row("neighbours", 50, 1, 22.0)]
    rows += [row("prior", 50, 0, 21.0), row("prior", 50, 1, 21.5)]
    page = summary(rows, {"psnr_db": Direction.HIGHER, "l": Direction.LOWER})
    assert "Nothing lost: 30.0000." in page
    assert "| neighbours | 21.0000 |" in page
    assert "| prior | +0.2500; 1 of 2 |" in page
    assert "| prior | -0.2500; 1 of 2 |" in page


def test_the_command_writes_every_fill_of_every_draw(
    tmp_path: Path, prior_model: Path, photo_u8: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    arguments = ["--images", str(tmp_path / "in"), "--out", str(out), "--model", str(prior_model)]
    arguments += [
        "--size",
        "500",
        "--loss",
        "20,40",
        "--draws",
        "2",
        "--metrics",
        "psnr_db",
        "--threads",
        "1",
    ]
    assert main(arguments) == 0
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 1 + 2 * 2 * len(FILLS)
    assert {row["fill"] for row in rows} == {"nothing_lost", *FILLS}
    by_fill = {row["fill"]: row["scores"]["psnr_db"] for row in rows if row["loss_percent"] == 40}
    assert len(set(by_fill.values())) == len(FILLS)  # no fill is another's alias
    assert json.loads((out / "meta.json").read_text())["command"].startswith("python -m wisp.bench.repair")
    assert capsys.readouterr().out.strip() == (out / "summary.md").read_text().strip()


@pytest.mark.parametrize("wrong", [["--loss", "0"], ["--loss", "x"], ["--draws", "0"], ["--fills", "magic"]])
def test_wrong_options_are_named(
    tmp_path: Path, prior_model: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--images", str(tmp_path), "--out", str(out), "--model", str(prior_model)]
    assert main([*arguments, "--metrics", "psnr_db", *wrong]) == 2
    assert capsys.readouterr().err.startswith(f"bench repair: {'--fills' if '--fills' in wrong else '--'}")
    assert not out.exists()


def test_a_model_without_a_prior_is_refused(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="masked prior"):
        fills_named("neighbours", codec_for_model(tiny_model, 1))
