"""`wisp models`: what is installed, found where WISP_MODEL_PATH says."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from cli_runner import run_cli


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "models" / "mine"
    shutil.copytree(tiny_model, copy)
    monkeypatch.setenv("WISP_MODEL_PATH", str(copy.parent))
    return copy


def test_json(folder: Path) -> None:
    ran = run_cli("models", "--json")
    assert (ran.code, ran.stderr) == (0, "")
    (found,) = [table for table in json.loads(ran.out) if table["folder"] == str(folder)]
    assert found == {
        "model_number": 0,
        "name": "tiny",
        "release": None,
        "codec": "token_pyramid",
        "num_bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "shared_with": {},
        "summary": json.loads((folder / "config.json").read_text())["summary"],
        "sha256": hashlib.sha256((folder / "config.json").read_bytes()).hexdigest(),
        "folder": str(folder),
        "card": str(folder / "card.md"),
    }


def test_list_for_people(folder: Path) -> None:
    lines = run_cli("models").out.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("tiny: number 0, "))
    digest = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    assert lines[first].endswith(f"sha256 {digest[:12]}")
    summary = json.loads((folder / "config.json").read_text())["summary"]
    assert lines[first + 1 : first + 3] == [f"  {summary}", f"  {folder / 'card.md'}"]


def test_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wisp.cli.models.installed_bundles", lambda: [])
    ran = run_cli("models")
    assert (ran.code, ran.out) == (0, "")
    assert "WISP_MODEL_PATH" in ran.stderr
    assert json.loads(run_cli("models", "--json").out) == []


def test_summary_cannot_move_the_cursor(folder: Path) -> None:
    config = folder / "config.json"
    table = json.loads(config.read_text())
    config.write_text(json.dumps({**table, "summary": "\x1b[2Jgone"}))
    assert r"  \x1b[2Jgone" in run_cli("models").out.splitlines()
