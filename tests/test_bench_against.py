"""Two runs at equal quality."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from bench_report_data import BUDGETS, write_results

from wisp.bench.against import compare, envelope, main
from wisp.bench.report.load import load_run
from wisp.errors import UsageError

IMAGES = {f"a{i}": "0" * 12 for i in range(3)}


def _run(folder: Path, **changes: object) -> Path:
    write_results(folder, images=tuple(IMAGES), images_measured=IMAGES, **changes)  # type: ignore[arg-type]
    return folder


def _with_more_bytes(folder: Path, factor: float) -> Path:
    """The same quality in `factor` times the bytes."""
    import json

    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        if row["reached"] and row["codec"] == "wisp":
            row["rate_bpp"] *= factor
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_equal_runs_need_equal_bytes(tmp_path: Path) -> None:
    run = load_run(_run(tmp_path / "a"))
    lines = compare(run, run, "wisp", (), (0, 8), ["lpips_squeeze", "psnr_db"])
    assert [line.metric.name for line in lines] == ["psnr_db", "lpips_squeeze"] or len(lines) == 2
    assert all(line.rate.percent == pytest.approx(0, abs=1e-6) for line in lines)


def test_a_fifth_fewer_bytes_is_found(tmp_path: Path) -> None:
    new, old = _with_more_bytes(_run(tmp_path / "new"), 0.8), _run(tmp_path / "old")
    for line in compare(load_run(new), load_run(old), "wisp", (), (0, 8), ["lpips_squeeze", "psnr_db"]):
        assert line.rate.percent == pytest.approx(-20, abs=0.5)


def test_the_best_peer_stands_at_each_budget(tmp_path: Path) -> None:
    run = load_run(_run(tmp_path / "a"))
    metric = next(m for m in run.metrics if m.name == "psnr_db")
    both = envelope(run, ("avif", "avif@1/2"), metric, 0, 8)
    for name in ("avif", "avif@1/2"):
        for budget, (_, value) in envelope(run, (name,), metric, 0, 8).items():
            assert both[budget][1] >= value
    assert set(both) <= set(BUDGETS)
    assert all(math.isfinite(value) for _, value in both.values())


def test_other_pictures_and_unknown_metrics_are_refused(tmp_path: Path) -> None:
    run = load_run(_run(tmp_path / "a"))
    other = {f"b{i}": "0" * 12 for i in range(3)}
    write_results(tmp_path / "b", images=tuple(other), images_measured=other)
    with pytest.raises(UsageError, match="same pictures"):
        compare(run, load_run(tmp_path / "b"), "wisp", (), (0, 8), ["psnr_db"])
    with pytest.raises(UsageError, match="expected one of"):
        compare(run, run, "wisp", (), (0, 8), ["nothing"])


def test_the_command_prints_a_table_or_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(_run(tmp_path / "a"))
    assert main([folder, folder, "--peers", "avif,avif@1/2"]) == 0
    assert "| lpips_squeeze |" in capsys.readouterr().out
    assert main([folder, str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
