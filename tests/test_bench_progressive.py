"""The bench of cut files: a row a length, and a page that says what falls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from numpy.typing import NDArray
from PIL import Image

from wisp.bench import progressive
from wisp.bench.progressive import main, summary


class Stub:
    """A panel that needs no weights: the mean grey level stands for the score."""

    version = "stub"
    metrics = (1, 2)

    def __init__(self, *_: object) -> None: ...

    def reference(self, image: Image.Image) -> Stub:
        return self

    def compare(self, image: Image.Image) -> dict[str, float]:
        return {"lpips_squeeze": sum(image.convert("L").histogram()[:128]) / 6e4, "psnr_db": 20.0}


def test_the_command(
    tmp_path: Path, prior_model: Path, photo_u8: NDArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progressive, "MetricPanel", Stub)
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    order = ["--images", str(tmp_path / "in"), "--out", str(out), "--model", str(prior_model)]
    assert main([*order, "--bpp", "0.15", "--lengths", "6"]) == 0
    rows = json.loads((out / "rows.jsonl").read_text())["rows"]
    assert [row["tenths"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["num_bytes"] == rows[-1]["file_num_bytes"]
    assert rows[2]["nearly_score"] is not None
    shares = [row["confidence"] for row in rows if row["shown"]]
    assert shares == sorted(shares)
    monkeypatch.setattr(progressive, "measure", lambda *_: pytest.fail("measured again"))
    assert main([*order, "--bpp", "0.15", "--lengths", "6"]) == 0


def test_the_page_names_what_gets_worse() -> None:
    def row(tenths: int, score: float | None, nearly: float | None, psnr: float | None) -> dict[str, object]:
        return {
            "image": "a", "tenths": tenths, "shown": score is not None, "score": score, "nearly_score": nearly,
            "psnr_db": psnr,
        }  # fmt: skip

    rows = [
        row(1, None, None, None),
        row(2, 0.5, 0.49, 20.0),
        row(3, 0.505, 0.5, 19.0),
        row(4, 0.6, None, 21.0),
    ]
    page = summary(rows, 0.1)
    assert "3 of 4 lengths" in page
    assert "PSNR falls at 1 of the steps" in page
    assert "2 make it worse, 1 by more than the\nnoise, at most by 0.0950" in page
    assert "* a: 3 -> 4, 0.5050 -> 0.6000" in page


def test_wrong_options_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--images", str(tmp_path), "--out", str(tmp_path / "o"), "--lengths", "1"]) == 2
    assert capsys.readouterr().err.startswith("bench progressive: --bpp")
