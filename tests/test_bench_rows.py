"""Rows that survive a kill at any byte."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import pytest
from bench_fakes import FakeWorkshop, save_pictures
from hypothesis import given
from hypothesis import strategies as st

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.row_store import Row, RowStore
from wisp.bench.run_crew import measure_here
from wisp.bench.run_progress import RunProgress
from wisp.bench.run_record import RunRecord
from wisp.bench.workshop import Tools, open_workshop
from wisp.errors import UsageError

ROW = Row(
    image="one",
    codec="jpeg",
    budget_bpp=0.1,
    budget_num_bytes=4915,
    reached=True,
    num_bytes=4900,
    rate_bpp=0.099691,
    scores={"psnr_db": 25.5, "lpips_squeeze": 0.25, "ms_ssim": None},
    setting="quality=3",
    smallest_num_bytes=None,
    image_hash="aa",
    codec_version="1",
    metrics_version="w",
)


@given(bpp=st.decimals("0.001", "9", places=3), width=st.integers(1, 9999), height=st.integers(1, 9999))
def test_a_budget_is_the_exact_floor(bpp: object, width: int, height: int) -> None:
    exact = Fraction(str(bpp)) * width * height / 8
    found = budget_num_bytes(float(str(bpp)), width, height)
    assert found <= exact < found + 1


def test_budgets_of_kodak() -> None:
    budgets = [budget_num_bytes(bpp, 768, 512) for bpp in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)]
    assert budgets == [245, 491, 983, 2457, 4915, 9830, 19660]
    assert budget_num_bytes(0.29, 8, 100) == 29


def test_rows_come_back(tmp_path: Path) -> None:
    store = RowStore(tmp_path / "new" / "rows.jsonl")
    assert not (tmp_path / "new").exists()
    store.add(ROW)
    again = RowStore(tmp_path / "new" / "rows.jsonl")
    assert again.current(ROW.key, ROW.identity) == ROW
    assert again.current((0.2, "jpeg", "one"), ROW.identity) is None
    assert again.of_image("one") == [ROW]
    assert again.of_image("two") == []


def test_floats_are_the_same_before_and_after_the_disk(tmp_path: Path) -> None:
    store = RowStore(tmp_path / "rows.jsonl")
    store.add(replace(ROW, rate_bpp=1 / 3, scores={"ssimulacra2": -200 / 3, "psnr_db": None}))
    kept = store.current(ROW.key, ROW.identity)
    assert kept is not None
    assert (kept.rate_bpp, kept.scores) == (0.333333, {"ssimulacra2": -66.666667, "psnr_db": None})
    assert RowStore(tmp_path / "rows.jsonl").current(ROW.key, ROW.identity) == kept


@pytest.mark.parametrize("now", [("bb", "1", "w"), ("aa", "2", "w"), ("aa", "1", "x")])
def test_a_row_of_another_version_is_not_current(tmp_path: Path, now: tuple[str, str, str]) -> None:
    store = RowStore(tmp_path / "rows.jsonl")
    store.add(ROW)
    assert store.current(ROW.key, now) is None


def test_every_cut_of_the_file_loses_only_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    second = replace(
        ROW, image="Käthe\u2028zwei"
    )  # letters of several bytes, and one that looks like a new line
    lines = [(row.to_json() + "\n").encode() for row in (ROW, second)]
    whole = b"".join(lines)
    for length in range(len(lines[0]), len(whole)):
        path.write_bytes(whole[:length])
        store = RowStore(path)
        assert path.read_bytes() == lines[0]
        assert store.current(ROW.key, ROW.identity) == ROW
        assert store.current(second.key, second.identity) is None
        store.add(second)
        assert path.read_bytes() == whole
    assert RowStore(path).current(second.key, second.identity) == second


def test_a_run_killed_at_any_byte_ends_with_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = save_pictures(tmp_path / "pictures", a=(9, 9, 9), b=(0, 0, 0))
    paths = sorted(pictures.iterdir())
    path = tmp_path / "out" / "rows.jsonl"
    fakes = FakeWorkshop().install(monkeypatch)
    workshop = open_workshop(Tools(("fake",)))

    def run() -> bytes:
        record = RunRecord(tmp_path / "out", paths, (0.4, 0.8), ())
        progress = RunProgress(2, 2)
        for message in measure_here(record.tasks(), workshop):
            record.take(message, progress)
        assert len(record.rows(workshop)) == 4
        record.tidy()
        return path.read_bytes()

    monkeypatch.setattr(RunProgress, "say", lambda self, line: None)
    whole = run()
    assert fakes.codecs["fake"].num_fits == 4
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        fakes.codecs["fake"].num_fits = 0
        assert run() == whole
        assert fakes.codecs["fake"].num_fits == 4 - whole[:length].count(b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"{}",
        b'{"image": 1}',
        b"[]",
        b"\xff",
        json.dumps(asdict(ROW) | {"scores": 3}).encode(),
        json.dumps({k: v for k, v in asdict(ROW).items() if k != "scores"} | {"psnr_db": 3.0}).encode(),
    ],
)
def test_a_whole_line_that_is_no_row_is_an_error(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(ROW.to_json().encode() + b"\n" + line + b"\n")
    with pytest.raises(UsageError, match=r"rows.jsonl line 2: expected a row"):
        RowStore(path)


def test_tidy_keeps_the_later_row_in_order(tmp_path: Path) -> None:
    store = RowStore(tmp_path / "rows.jsonl")
    for row in (replace(ROW, image="two"), replace(ROW, num_bytes=1), replace(ROW, budget_bpp=0.05), ROW):
        store.add(row)
    store.tidy()
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    wanted = [replace(ROW, budget_bpp=0.05), ROW, replace(ROW, image="two")]
    assert rows == [{k: v for k, v in asdict(row).items() if v is not None} for row in wanted]
