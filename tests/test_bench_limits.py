"""The sheet of what the model is bad at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wisp.bench import limits
from wisp.bench.limit_drawings import BARS, chart, text_page


def test_drawings_show_what_they_say() -> None:
    page, bars = np.asarray(text_page()), np.asarray(chart())
    assert page.shape == bars.shape == (512, 768, 3)
    dark = (page.max(2) < 128).any(1)
    assert 16 <= (np.diff(dark.astype(int)) == 1).sum() <= 40  # lines of text, some cut by their dots
    for colour in BARS:
        assert 84 * 100 < (bars == colour).all(2).sum() < 84 * 400


def test_the_sheet_has_a_row_a_subject_and_shows_the_original_first(tiny_model: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photo = np.kron(rng.integers(0, 255, (16, 20, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    out = tmp_path / "sheet.png"
    arguments = ["--picture", f"{tmp_path / 'a.png'}:40,30:noise", "--out", str(out), "--sizes", "900,3000"]
    assert limits.main([*arguments, "--model", str(tiny_model)]) == 0
    sheet = np.asarray(Image.open(out))
    step = limits.LINE + limits.TILE + limits.GAP
    assert sheet.shape[:2] == (3 * step, 3 * (limits.TILE + limits.GAP) + limits.GAP)
    tile = sheet[limits.LINE : limits.LINE + limits.TILE, limits.GAP : limits.GAP + limits.TILE]
    assert np.array_equal(tile, photo[30 : 30 + limits.TILE, 40 : 40 + limits.TILE])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--picture", "a.png"], "PATH:X,Y:WHAT"),
        (["--picture", "a.png:90,0:edge"], "beside and below"),
        (["--sizes", "2kB"], "--sizes"),
        (["--out", "sheet.jpg"], "--out"),
    ],
)
def test_bad_options_are_one_line(
    more: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (300, 300)).save("a.png")
    assert limits.main(["--out", "sheet.png", *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("sheet*"))
