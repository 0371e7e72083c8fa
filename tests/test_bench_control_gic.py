"""The bench of routed models: files that are really written, rows that survive, a page of means."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.bench import control_gic
from wisp.bench.control_gic import main
from wisp.bench.control_gic_table import summary


def arguments(tmp_path: Path, photo_u8: NDArray[np.uint8], model: Path, beside: Path) -> list[str]:
    (tmp_path / "in").mkdir(exist_ok=True)
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    found = ["--images", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--model", str(model)]
    found += ["--beside", str(beside), "--ablation", str(model), "--ratios", "0,0,1;0.1,0.8,0.1"]
    return [*found, "--metrics", "psnr_db", "--threads", "1"]


def test_the_command_measures_once_and_goes_on(
    tmp_path: Path,
    photo_u8: NDArray[np.uint8],
    routed_model: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = arguments(tmp_path, photo_u8, routed_model, tiny_model)
    assert main(given) == 0
    out = tmp_path / "out"
    pictures = {p["image"]: p["rows"] for p in map(json.loads, (out / "rows.jsonl").read_text().splitlines())}
    assert set(pictures) == {"a", "flat black", "flat grey", "flat white"}
    ours = {row["ratios"]: row for row in pictures["a"] if row["model"] == "tiny_routed"}
    assert set(ours) == {"0,0,1", "0.1,0.8,0.1"}
    row = ours["0,0,1"]
    assert row["num_indices"] == 13 * 19
    assert row["nominal_num_bytes"] == 8 + -(-10 * 13 * 19 // 8)
    data = wisp.compress(photo_u8, ratios=(0, 0, 1), huffman=True, model=routed_model)
    assert row["huffman_num_bytes"] == len(data)
    assert row["num_bytes"] == min(row["tables_num_bytes"], row["prior_num_bytes"])
    assert all(r["round_trips"] for r in pictures["a"])
    alike = [r for r in pictures["a"] if r["model"] == "ablation"]
    assert [r["scores"] for r in alike] == [ours[r["ratios"]]["scores"] for r in alike]
    (beside,) = [json.loads(line)["rows"] for line in (out / "rows_beside.jsonl").read_text().splitlines()]
    assert {r["model"] for r in beside} == {"tiny"}
    page = (out / "summary.md").read_text()
    assert capsys.readouterr().out.strip() == page.strip()
    assert set(json.loads((out / "meta.json").read_text())) >= {"models", "metrics", "command"}

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(control_gic.wisp, "compress", refuse)
    assert main(given) == 0
    assert (out / "summary.md").read_text() == page


def test_the_page_takes_means_and_knows_the_formula() -> None:
    row = {
        "image": "a", "model": "m", "ratios": "0.5,0.4,0.1", "num_bytes": 90, "rate_bpp": 0.4, "num_indices": 80,
        "nominal_num_bytes": 200, "huffman_num_bytes": 100, "tables_num_bytes": 90, "prior_num_bytes": 120,
        "round_trips": True, "compress_s": 0.1, "decompress_s": 0.2, "scores": {"psnr_db": 20.0},
    }  # fmt: skip
    other = {**row, "image": "b", "rate_bpp": 0.3}
    flat = {**row, "image": "flat", "num_bytes": 7, "scores": None}
    page = summary([row, other, flat], "m", None, None, ["psnr_db"], ["flat"])
    # 10 bits x (0.5 / 16 + 0.4 / 64 + 0.1 / 256) + 1 / 256 + 1 / 64
    assert "| 0.5,0.4,0.1 | 0.3500 | 0.3000 | 0.4000 | 0.3984 | 0.0500 | 0.0984 |" in page
    assert "| 200 | 100 | 90 | 120 | -50.0 % | -55.0 % | -40.0 % | 10.00 |" in page
    assert "| 2/2 |" in page
    assert "| 0.5,0.4,0.1 | 7 | 90 |" in page


@pytest.mark.parametrize(
    "wrong", [["--ratios", "x"], ["--ratios", "0.5,0.4"], ["--metrics", "magic"], ["--model", "wisp_small"]]
)
def test_wrong_options_are_named(
    tmp_path: Path,
    photo_u8: NDArray[np.uint8],
    routed_model: Path,
    tiny_model: Path,
    wrong: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*arguments(tmp_path, photo_u8, routed_model, tiny_model), *wrong]) == 2
    assert capsys.readouterr().err.startswith("bench control_gic: ")
    assert not (tmp_path / "out").exists()
