"""What the report reads, and how it refuses what is broken: one named line, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench_report_data import BUDGETS, CODECS, METRICS, synthetic_row, write_results

from wisp.bench.report import main
from wisp.bench.report.load import load_run
from wisp.bench.row_store import Row


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_results(tmp_path / "results")


def test_a_run_comes_back_whole(results: Path) -> None:
    run = load_run(results)
    assert run.codecs == tuple(CODECS)
    assert run.budgets == BUDGETS
    assert run.images == ("kodim01", "kodim02", "kodim03")
    assert {metric.name: metric.is_higher_better for metric in run.metrics} == {
        "lpips_squeeze": False,
        "feature_distance": False,
        "ssimulacra2": True,
        "ms_ssim": True,
        "psnr_db": True,
    }
    assert run.unavailable_metrics == {"dists": "its trunk could not be downloaded"}
    assert run.unavailable_codecs == {"jxl": "pillow-jxl-plugin is not installed"}
    assert (run.num_missing, run.num_stale) == (0, 0)
    assert [row.image for row in run.at("wisp", 0.1)] == list(run.images)


def rewrite(folder: Path, change: Callable[[Row], Row | None]) -> None:
    path = folder / "rows.jsonl"
    rows = [change(Row.from_json(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(row.to_json() + "\n" for row in rows if row is not None))


def test_rows_of_other_versions_are_put_aside(results: Path) -> None:
    rewrite(results, lambda row: replace(row, codec_version="old") if row.codec == "avif" else row)
    run = load_run(results)
    assert "avif" not in run.codecs
    assert run.num_stale == 3 * len(BUDGETS)


def test_rows_of_budgets_that_were_not_asked_for_are_put_aside(tmp_path: Path) -> None:
    run = load_run(write_results(tmp_path, budgets_bpp=[0.1, 0.2]))
    assert run.budgets == (0.1, 0.2)
    assert run.num_stale == 3 * len(CODECS) * (len(BUDGETS) - 2)


def test_rows_of_other_pictures_are_put_aside(tmp_path: Path) -> None:
    run = load_run(
        write_results(tmp_path, images=("a", "b", "c"), images_measured={"a": "0" * 12, "b": "1" * 12})
    )
    assert run.images == ("a", "b")
    assert {row.image for row in run.rows} == {"a"}  # that of "b" was measured on other pixels
    assert run.num_stale == 2 * len(CODECS) * len(BUDGETS)
    assert run.num_missing == len(CODECS) * len(BUDGETS)


def test_a_codec_that_broke_everywhere_is_missing_and_named(results: Path) -> None:
    rewrite(results, lambda row: None if row.codec == "jpeg" else row)
    about = json.loads((results / "meta.json").read_text())
    failed = [{"image": "kodim01", "codec": "jpeg", "budget_bpp": 0.1, "reason": why} for why in ("x", "y")]
    (results / "meta.json").write_text(json.dumps(about | {"failed_fits": failed}))
    run = load_run(results)
    assert run.num_missing == 3 * len(BUDGETS)
    assert run.failures == {"jpeg": "broke on 2: x"}


def test_names_may_hold_signs_that_end_lines_elsewhere(tmp_path: Path) -> None:
    names = ("a\u2028b", "c\x85d")
    assert load_run(write_results(tmp_path, images=names)).images == names


def test_missing_rows_are_counted(results: Path) -> None:
    rewrite(results, lambda row: None if (row.codec, row.image) == ("jpeg", "kodim02") else row)
    assert load_run(results).num_missing == len(BUDGETS)


def test_of_two_rows_with_one_key_the_later_counts(results: Path) -> None:
    later = replace(synthetic_row("kodim01", "wisp", 0.1, 0.0), num_bytes=1)
    with (results / "rows.jsonl").open("a") as rows:
        rows.write(later.to_json() + "\n")
    assert load_run(results).at("wisp", 0.1)[0].num_bytes == 1


def test_reading_changes_nothing(results: Path) -> None:
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    load_run(results)
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


GOOD = synthetic_row("kodim01", "wisp", 0.1, 0.0)
FAULTS = {
    "no rows.jsonl": (
        lambda f: (f / "rows.jsonl").unlink(),
        "rows.jsonl: expected a file of `wisp bench run`",
    ),
    "no meta.json": (lambda f: (f / "meta.json").unlink(), "meta.json: expected a file of `wisp bench run`"),
    "empty rows": (lambda f: (f / "rows.jsonl").write_text(""), "expected rows of the codecs and metrics"),
    "text for rows": (
        lambda f: (f / "rows.jsonl").write_text("hello\n"),
        "rows.jsonl line 1: expected a row",
    ),
    "a list for a row": (
        lambda f: (f / "rows.jsonl").write_text("[]\n"),
        "rows.jsonl line 1: expected a row",
    ),
    "a cut row": (
        lambda f: (f / "rows.jsonl").write_text(GOOD.to_json() + "\n" + GOOD.to_json()[:50]),
        "expected whole rows, found the last one cut",
    ),
    "bytes for rows": (lambda f: (f / "rows.jsonl").write_bytes(b"\xff\xfe\n"), "bytes that are not UTF-8"),
    "text for meta": (lambda f: (f / "meta.json").write_text("{"), "meta.json: expected JSON"),
    "a list for meta": (lambda f: (f / "meta.json").write_text("[]"), "meta.json: expected 'codecs'"),
    "meta of before": (
        lambda f: (f / "meta.json").write_text('{"codecs": {}}'),
        "meta.json: expected 'metrics'",
    ),
    "no direction": (
        lambda f: write_results(f, metrics={**METRICS, "psnr_db": {"direction": "sideways"}}),
        "psnr_db: expected the direction higher or lower, found 'sideways'",
    ),
    "a metric's name that is HTML": (
        lambda f: write_results(f, metrics={**METRICS, "p<b>": {"direction": "lower"}}, also="p<b>"),
        "expected names such as psnr_db, found 'p<b>'",
    ),
    "a metric's name that is a path": (
        lambda f: write_results(f, metrics={**METRICS, "../p": {"direction": "lower"}}, also="../p"),
        "expected names such as psnr_db, found '../p'",
    ),
    "a list for pictures": (lambda f: write_results(f, images_measured=["a"]), "expected 'images'"),
    "text for failures": (lambda f: write_results(f, failed_fits=["x"]), "expected 'failed_fits'"),
    "numbers for budgets": (lambda f: write_results(f, budgets_bpp=["x"]), "expected 'budgets_bpp'"),
    "a broken crop": (
        lambda f: next(write_results(f, walls=["kodim01"]).glob("wall/*/0.1/*")).write_bytes(b"RIFF"),
        "expected a WebP picture",
    ),
}
ROW_FAULTS = {
    "scores that are text": ({"scores": {"psnr_db": "high"}}, "psnr_db 'high'"),
    "infinite scores": ({"scores": {"psnr_db": float("inf")}}, "psnr_db inf"),
    "no bytes": ({"num_bytes": None}, "a reached budget without bytes and rate"),
    "no budget": ({"budget_bpp": 0.0}, "budget_bpp 0.0"),
    "scores of nothing": ({"reached": False}, "scores of a budget that was not reached"),
    "a picture's name that is a path": ({"image": "../../a"}, "the picture's name '../../a'"),
    "a name that is a number": ({"image": 3}, "a name that is no text"),
}


def refuse(folder: Path, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.parent.rglob("*"))
    assert main([str(folder), "--png", str(folder.parent / "png")]) in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith("bench report: ")
    assert message in error
    assert error.count("\n") == 1
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_folder_is_refused(results: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="charts need the package matplotlib")
    break_it, message = FAULTS[fault]
    break_it(results)
    refuse(results, message, capsys)


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_a_broken_row_is_refused(results: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, message = ROW_FAULTS[fault]
    values = {**json.loads(GOOD.to_json()), **changes}
    (results / "rows.jsonl").write_text(GOOD.to_json() + "\n" + json.dumps(values) + "\n")
    refuse(results, message, capsys)


def test_a_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuse(tmp_path / "nowhere", "expected a folder of results, found no folder", capsys)


def test_a_place_that_cannot_be_written(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="charts need the package matplotlib")
    assert main([str(results), "--out", str(results / "none" / "page.html")]) == 2
    assert "cannot write" in capsys.readouterr().err
    (results / "png").write_text("")
    assert main([str(results), "--png", str(results / "png")]) == 2
    assert "--png: expected a folder, found the file" in capsys.readouterr().err
    assert not (results / "report.html").exists()
