"""The bench of effort: measured once, a page of means, wrong options named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.bench import effort
from wisp.bench.effort import main, summary


def arguments(tmp_path: Path, photo_u8: NDArray[np.uint8], model: Path) -> list[str]:
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    found = ["--images", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--model", str(model)]
    return [*found, "--bpp", "0.2", "--efforts", "5,7", "--metrics", "psnr_db", "--threads", "1"]


def test_the_command_measures_once(
    tmp_path: Path,
    photo_u8: NDArray[np.uint8],
    prior_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = arguments(tmp_path, photo_u8, prior_model)
    assert main(given) == 0
    (picture,) = map(json.loads, (tmp_path / "out" / "rows.jsonl").read_text().splitlines())
    sizes = {row["effort"]: row["num_bytes"] for row in picture["rows"]}
    for level, size in sizes.items():
        assert size == len(wisp.compress(photo_u8, bpp=0.2, effort=level, model=prior_model))
    assert capsys.readouterr().out.strip() == (tmp_path / "out" / "summary.md").read_text().strip()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(effort.wisp, "compress", refuse)
    assert main(given) == 0


def test_the_page_takes_means() -> None:
    row = {
        "image": "a",
        "target_bpp": 0.1,
        "effort": 7,
        "num_bytes": 10,
        "compress_s": 1.0,
        "scores": {"m": 0.2},
    }
    other = {**row, "image": "b", "num_bytes": 20, "compress_s": 2.0, "scores": {"m": 0.4}}
    assert "| 0.1 | 7 | 15 | 1.50 | 0.3000 |" in summary([row, other], ["m"])


@pytest.mark.parametrize("wrong", [["--bpp", "x"], ["--efforts", "10"], ["--metrics", "magic"]])
def test_wrong_options_are_named(
    tmp_path: Path,
    photo_u8: NDArray[np.uint8],
    prior_model: Path,
    wrong: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*arguments(tmp_path, photo_u8, prior_model), *wrong]) == 2
    assert capsys.readouterr().err.startswith("bench effort: ")
    assert not (tmp_path / "out").exists()
