"""Faults around a run: places that cannot be written, metrics that break, code and pictures that change meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeCodec, FakePanel, FakeWorkshop, save_pictures
from PIL import Image

from wisp.bench import provenance, run
from wisp.bench.provenance import Checkout
from wisp.bench.row_store import RowStore


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> FakeWorkshop:
    return FakeWorkshop().install(monkeypatch)


@pytest.fixture
def order(tmp_path: Path) -> list[str]:
    """Two pictures, the fake codec, one process, one budget."""
    pictures = save_pictures(tmp_path / "pictures", a=(9, 9, 9), b=(0, 0, 0))
    options = ["--codecs", "fake", "--jobs", "1", "--bpp", "0.4"]
    return ["--images", str(pictures), "--out", str(tmp_path / "out"), *options]


def meta_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "meta.json").read_text())
    return found


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path,
    fakes: FakeWorkshop,
    order: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("mine")
    assert run.main([*order, "--out", str(tmp_path / "file" / "deep" / "out")]) == 2
    assert "--out: expected a folder for the results, found the file" in capsys.readouterr().err
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert run.main([*order, "--out", str(tmp_path / "new" / "out")]) == 2
    error = capsys.readouterr().err
    assert "--out: expected a folder to write to, found" in error
    assert error.count("\n") == 1
    assert fakes.codecs["fake"].num_fits == 0
    assert not (tmp_path / "new").exists()


def test_a_disk_that_fails_is_one_line_and_the_rows_are_kept(
    tmp_path: Path,
    fakes: FakeWorkshop,
    order: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add, added = RowStore.add, []

    def full(store: RowStore, row: Any) -> None:
        if added:
            raise OSError(28, "No space left on device", "rows.jsonl")
        added.append(row)
        add(store, row)

    monkeypatch.setattr(RowStore, "add", full)
    assert run.main(order) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "bench run: expected to write the results, found: No space left on device at rows.jsonl; the rows so far "
        "are kept, the same command goes on from there"
    )
    monkeypatch.setattr(RowStore, "add", add)
    assert run.main(order) == 0
    assert meta_of(tmp_path / "out")["num_rows_measured"] == 1


def test_a_metric_that_breaks_on_a_picture_skips_that_picture(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str]
) -> None:
    class Brittle(FakePanel):
        def reference(self, original: Image.Image) -> FakePanel:
            if original.getpixel((0, 0)) == (9, 9, 9):
                raise RuntimeError("a kernel\nfailed")
            return super().reference(original)

    fakes.panel = Brittle()
    assert run.main(order) == 0
    about = meta_of(tmp_path / "out")
    assert about["skipped_images"] == {"a.png": "a.png: a kernel failed"}
    assert list(about["images"]) == ["b"]


def test_the_commit_is_that_of_the_beginning(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = iter(["first", "second"])
    for module in (run, provenance):
        monkeypatch.setattr(module, "checkout", lambda: Checkout(next(commits), True))
    assert run.main(order) == 0
    about = meta_of(tmp_path / "out")
    assert (about["commit"], about["commit_is_clean"]) == ("first", True)


def test_the_pictures_of_a_run_are_recorded(tmp_path: Path, fakes: FakeWorkshop, order: list[str]) -> None:
    assert run.main(order) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert meta_of(tmp_path / "out")["images"] == {row["image"]: row["image_hash"] for row in rows}
    (tmp_path / "pictures" / "b.png").unlink()
    assert run.main(order) == 0
    assert list(meta_of(tmp_path / "out")["images"]) == ["a"]


def test_another_picture_by_the_same_name_takes_the_old_one_off_the_wall(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str]
) -> None:
    original = tmp_path / "out" / "wall" / "a" / "original.webp"
    assert run.main([*order, "--wall", "a"]) == 0
    fakes.codecs["fake"] = FakeCodec(version="2")
    assert run.main(order) == 0
    assert original.exists()
    Image.new("RGB", (64, 32), (1, 2, 3)).save(tmp_path / "pictures" / "a.png")
    assert run.main(order) == 0
    assert not original.exists()
