"""The budget bench: what counts as kept and as filled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from wisp.bench import budgets
from wisp.errors import BudgetError


@pytest.mark.parametrize(
    ("budget", "num_bytes", "ceiling", "keeps", "fills"),
    [
        (1000, 1000, 9000, True, True),
        (1000, 970, 9000, True, True),
        (1000, 969, 9000, True, False),
        (1000, 1001, 9000, False, True),
        (1000, 600, 600, True, True),
        (1000, 599, 600, True, False),
        (100, 97, 9000, True, True),
        (500, 485, 9000, True, True),
        (500, 484, 9000, True, False),
    ],
)
def test_kept_and_filled(budget: int, num_bytes: int, ceiling: int, keeps: bool, fills: bool) -> None:
    row = budgets.judge("a", budget, num_bytes, ceiling)
    assert (row.keeps, row.fills) == (keeps, fills)
    assert row.share_used == pytest.approx(num_bytes / budget, abs=1e-6)


def test_a_refusal_is_right_only_below_the_smallest_file() -> None:
    right = budgets.judge("a", 100, None, 9000, smallest=101)
    wrong = budgets.judge("a", 100, None, 9000, smallest=100)
    assert (right.keeps, right.fills, right.smallest_num_bytes) == (True, True, 101)
    assert (wrong.keeps, wrong.fills) == (False, False)


class FakeCodec:
    """Files of exactly the size asked for, 100 to 3000 bytes; `waste` bytes are left unused."""

    version = "fake"
    waste = 0

    def __init__(self, model: str | None) -> None:
        self.model = model

    def compress(self, image: Image.Image, *, size: int | None = None, quality: int | None = None) -> bytes:
        if size is None:
            return bytes(3000)
        if size < 100:
            raise BudgetError("expected at least 100 bytes", smallest_num_bytes=100)
        return bytes(min(size, 3000) - self.waste)


@pytest.mark.parametrize(("waste", "code", "filled"), [(0, 0, "1/1"), (40, 1, "0/1")])
def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waste: int, code: int, filled: str
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(budgets, "WispCodec", FakeCodec)
    monkeypatch.setattr(FakeCodec, "waste", waste)
    order = ["--images", str(tmp_path), "--out", str(tmp_path / "out"), "--sizes", "50,1000,4000"]
    assert budgets.main(order) == code
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert [row["num_bytes"] for row in rows] == [None, 1000 - waste, 3000 - waste]
    page = (tmp_path / "out" / "summary.md").read_text()
    assert f"| 1000 | 1/1 | {filled} | {1 - waste / 1000:.4f} |" in page
    assert ("Not kept or not filled" in page) == (code == 1)


@pytest.mark.parametrize("sizes", ["", "0", "1,-2", "2kB"])
def test_wrong_sizes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], sizes: str) -> None:
    assert budgets.main(["--images", str(tmp_path), "--out", str(tmp_path), "--sizes", sizes]) == 2
    assert capsys.readouterr().err.startswith("bench budgets: --sizes: expected whole numbers")
