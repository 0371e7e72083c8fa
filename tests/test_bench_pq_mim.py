"""The bench of models of uniform grain: rows that survive, sizes that are real, a page of means."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.bench import pq_mim
from wisp.bench.pq_mim import main
from wisp.bench.pq_mim_rows import PqMimRow, PqMimStore
from wisp.bench.pq_mim_table import summary
from wisp.errors import UsageError

ROW = PqMimRow("a", "m", 2, 100, "smooth", 0.0, 50, 0.5, 80, 60, 40, 9, 0, {"psnr_db": 20.0}, "h", "v", "w")


def arguments(tmp_path: Path, photo_u8: NDArray[np.uint8], model: Path, beside: Path) -> list[str]:
    (tmp_path / "in").mkdir(exist_ok=True)
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    found = ["--images", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--model", str(model)]
    found += ["--beside", str(beside), "--depths", "1,4", "--hybrid-depths", "4", "--shares", "50"]
    return [*found, "--metrics", "psnr_db", "--threads", "1"]


def test_the_command_measures_once_and_goes_on(
    tmp_path: Path,
    photo_u8: NDArray[np.uint8],
    uniform_model: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = arguments(tmp_path, photo_u8, uniform_model, tiny_model)
    assert main(given) == 0
    out = tmp_path / "out"
    rows = [PqMimRow(**json.loads(line)) for line in (out / "rows.jsonl").read_text().splitlines()]
    ours = {(r.depth, r.kept_percent, r.fill): r for r in rows if r.model == "tiny_uniform"}
    assert set(ours) == {(1, 100, "smooth"), (4, 100, "smooth"), (4, 50, "smooth"), (4, 50, "generate")}
    whole = ours[4, 100, "smooth"]
    assert whole.num_bytes == len(wisp.compress(photo_u8, quality=100, model=uniform_model))
    assert whole.num_bytes == min(whole.tables_num_bytes or 0, whole.prior_num_bytes or 0)
    assert whole.num_tokens == 4 * 13 * 19
    hybrid = ours[4, 50, "generate"]
    assert hybrid.num_bytes == ours[4, 50, "smooth"].num_bytes < whole.num_bytes
    assert hybrid.num_generated + (hybrid.num_tokens or 0) == whole.num_tokens
    theirs = [r for r in rows if r.model == "tiny"]
    assert [r.target_bpp for r in theirs] == [round(ours[d, 100, "smooth"].rate_bpp, 4) for d in (1, 4)]
    page = (out / "summary.md").read_text()
    assert capsys.readouterr().out.strip() == page.strip()
    assert "| 4 | 50 % |" in page
    record = json.loads((out / "meta.json").read_text())
    assert record["command"].startswith("python -m wisp.bench.pq_mim")
    assert set(record["models"]) == {"tiny_uniform", "tiny"}

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(pq_mim.wisp, "compress", refuse)
    assert main(given) == 0
    assert (out / "summary.md").read_text() == page


def test_a_row_is_kept_only_while_what_it_stands_on_is_the_same(tmp_path: Path) -> None:
    store = PqMimStore(tmp_path / "rows.jsonl")
    store.add(ROW)
    whole = (tmp_path / "rows.jsonl").read_text()
    (tmp_path / "rows.jsonl").write_text(whole + '{"image": "cu')
    again = PqMimStore(tmp_path / "rows.jsonl")
    assert again.current(ROW.key, ROW.identity) == ROW
    assert again.current(ROW.key, ("other", "v", "w")) is None
    again.add(replace(ROW, depth=3))
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2
    (tmp_path / "rows.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="line 1: expected a row"):
        PqMimStore(tmp_path / "rows.jsonl")


def test_the_page_takes_means() -> None:
    other = replace(ROW, image="b", num_bytes=100, rate_bpp=1.0, prior_num_bytes=100, order_0_num_bytes=110)
    beside = replace(ROW, model="n", target_bpp=0.7, rate_bpp=0.69, depth=0)
    page = summary([ROW, other, beside], "m", "n", ["psnr_db"])
    assert "| 2 | 9 | 0.9500 | 0.6000 | 0.7000 | 26.3 % | 75 | 20.00 |" in page
    assert "| 0.7000 | 0.6900 | 50 | 20.00 |" in page


@pytest.mark.parametrize(
    "wrong", [["--depths", "5"], ["--shares", "x"], ["--shares", "100"], ["--metrics", "magic"]]
)
def test_wrong_options_are_named(
    tmp_path: Path,
    photo_u8: NDArray[np.uint8],
    uniform_model: Path,
    tiny_model: Path,
    wrong: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*arguments(tmp_path, photo_u8, uniform_model, tiny_model), *wrong]) == 2
    assert capsys.readouterr().err.startswith("bench pq_mim: ")
    assert not (tmp_path / "out").exists()


def test_a_model_with_a_grain_map_is_refused(
    tmp_path: Path, photo_u8: NDArray[np.uint8], tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(tmp_path, photo_u8, tiny_model, tiny_model)) == 2
    assert "expected a model of uniform grain" in capsys.readouterr().err
