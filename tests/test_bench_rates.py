"""The bench of rates: what counts as met, what the page says, and runs that go on where they stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.picture_rows import PictureRows
from wisp.bench.rates import judge, main, scored_places, targets
from wisp.bench.rates_table import summary
from wisp.errors import UsageError


def test_targets_are_even_on_a_logarithmic_scale() -> None:
    assert targets(0.01, 1.0, 3) == [0.01, 0.1, 1.0]
    assert len(targets(0.004, 0.6, 40)) == 40
    assert scored_places(40, 3) == {0: False, 20: True, 39: False}
    assert scored_places(2, 9) == {0: False, 1: True}
    assert scored_places(40, 0) == {}


@pytest.mark.parametrize(
    ("budget", "num_bytes", "ceiling", "in_span", "kept", "met"),
    [
        (1000, 1000, 9000, True, True, True),
        (1000, 995, 9000, True, True, True),
        (1000, 994, 9000, True, True, False),
        (1000, 1001, 9000, True, False, False),
        (200, 198, 9000, True, True, True),
        (200, 197, 9000, True, True, False),
        (1000, 600, 600, False, True, True),
        (1000, 599, 600, False, True, False),
        (600, 600, 600, True, True, True),
    ],
)
def test_met(budget: int, num_bytes: int, ceiling: int, in_span: bool, kept: bool, met: bool) -> None:
    row = judge(0.1, budget, num_bytes, ceiling, None)
    assert (row.in_span, row.kept, row.met) == (in_span, kept, met)


def test_a_refusal_must_name_a_larger_size() -> None:
    assert judge(0.1, 50, None, 9000, 51).met
    assert not judge(0.1, 50, None, 9000, 50).met


def test_the_page_tells_noise_from_worse() -> None:
    def row(rate: float, score: float, nearly: float | None) -> dict[str, object]:
        found = judge(rate, int(rate * 1000), int(rate * 1000), 90, None)
        return {"image": "a", **vars(found), "score": score, "nearly_score": nearly}

    rows = [row(0.01, 0.5, 0.51), row(0.02, 0.505, None), row(0.04, 0.6, None), row(0.08, 0.3, None)]
    page = summary(rows, "lpips_squeeze")
    assert "Of 3 steps" in page
    assert "2 make it worse, 1 by more than the\nnoise" in page
    assert "* a: 0.02 -> 0.04, 0.5050 -> 0.6000" in page


def test_a_run_goes_on_where_it_stopped(
    tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    order = ["--images", str(tmp_path / "in"), "--out", str(out), "--model", str(tiny_model)]
    order += ["--low", "0.02", "--high", "0.5", "--targets", "3"]
    code = main(order)
    rows = json.loads((out / "rows.jsonl").read_text())["rows"]
    assert [row["target_bpp"] for row in rows] == [0.02, 0.1, 0.5]
    assert code == (0 if all(row["met"] and row["kept"] for row in rows) else 1)
    assert all(row["kept"] for row in rows)
    assert "| 0.1 | 1/1 |" in (out / "summary.md").read_text()

    monkeypatch.setattr("wisp.bench.rates.measure", lambda *_: pytest.fail("measured again"))
    assert main(order) == code


def test_rows_of_other_pixels_or_options_are_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    store = PictureRows(path, "x")
    store.add("a", "1", [{"v": 1}, {"v": 2}])
    store.add("b", "1", [{"v": 3, "w": None}, {"v": 4, "w": 5}])
    assert store.of(["b"], "vw") == [{"image": "b", "v": 3, "w": None}, {"image": "b", "v": 4, "w": 5}]
    path.write_text(path.read_text().splitlines()[0] + '\n{"image": "b"')  # a kill
    again = PictureRows(path, "x")
    assert again.has("a", "1")
    assert not again.has("a", "2")
    assert not again.has("b", "1")
    assert not PictureRows(path, "y").has("a", "1")
    assert [row["v"] for row in again.of(["a", "b"], "v")] == [1, 2]
    path.write_text("nonsense\n")
    with pytest.raises(UsageError, match=r"rows.jsonl line 1"):
        PictureRows(path, "x")


@pytest.mark.parametrize("wrong", [["--targets", "1"], ["--low", "0"], ["--low", "2"]])
def test_wrong_options_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert main(["--images", str(tmp_path), "--out", str(tmp_path / "out"), *wrong]) == 2
    assert capsys.readouterr().err.startswith("bench rates: --low")
