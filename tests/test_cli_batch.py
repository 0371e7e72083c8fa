"""Many files at once: where they go, and what one bad file among them does."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import assert_one_line_error, run_cli
from PIL import Image

import wisp
from wisp.cli.batch import Job, plan_jobs


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a.png", "b.jpg", "c.webp")]
    for path in paths:
        Image.new("RGB", (40, 30), "teal").save(path)
    return paths


def test_both_ways(photos: list[Path], tiny_model: Path, tmp_path: Path) -> None:
    packed, back = tmp_path / "packed", tmp_path / "back" / "deep"
    assert run_cli("compress", *photos, packed, "--size", "500", "--model", tiny_model).code == 0
    assert sorted(path.name for path in packed.iterdir()) == ["a.wisp", "b.wisp", "c.wisp"]
    ran = run_cli("decompress", *sorted(packed.iterdir()), back, "--format", "webp", "--model", tiny_model)
    assert ran.code == 0
    assert sorted(path.name for path in back.iterdir()) == ["a.webp", "b.webp", "c.webp"]


def test_bad_file_is_reported_and_the_rest_go_on(
    photos: list[Path], tiny_model: Path, tmp_path: Path
) -> None:
    photos[1].write_text("no picture")
    out = tmp_path / "out"
    ran = run_cli("compress", *photos, tmp_path / "missing.png", out, "-q", "--model", tiny_model)
    assert ran.code == 1
    assert sorted(path.name for path in out.iterdir()) == ["a.wisp", "c.wisp"]
    assert [line.startswith("wisp: ") for line in ran.lines] == [True] * 3
    assert repr(str(photos[1])) in ran.lines[0]
    assert "missing.png" in ran.lines[1]
    assert ran.lines[2] == "wisp: 2 of 4 files failed"


def test_any_exception_stops_only_its_own_file(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr("wisp.cli.batch.describe", lambda fault, subject: f"{subject}: {fault}")
    monkeypatch.setattr("wisp.cli.compress.open_image", fail)
    ran = run_cli("compress", *photos, tmp_path / "out")
    assert ran.code == 1
    assert len(ran.lines) == 4


def test_existing_outputs_are_kept_and_a_second_run_adds_the_missing(
    photos: list[Path], tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.wisp").write_bytes(b"precious")
    assert run_cli("compress", *photos, out, "--model", tiny_model).code == 1
    assert (out / "a.wisp").read_bytes() == b"precious"
    assert wisp.read_info((out / "c.wisp").read_bytes()).width == 40
    assert run_cli("compress", *photos, out, "-f", "--model", tiny_model).code == 0
    assert wisp.read_info((out / "a.wisp").read_bytes()).width == 40


def test_bar_on_a_terminal_and_none_in_a_pipe(photos: list[Path], tiny_model: Path, tmp_path: Path) -> None:
    piped = run_cli("compress", *photos, tmp_path / "1", "-q", "--model", tiny_model)
    assert (piped.code, piped.stderr) == (0, "")
    shown = run_cli("compress", *photos, tmp_path / "2", "--model", tiny_model, terminal=True)
    assert shown.code == 0
    assert "3/3" in shown.stderr
    quiet = run_cli("compress", *photos, tmp_path / "3", "-q", "--model", tiny_model, terminal=True)
    assert quiet.stderr == ""


def test_two_inputs_never_share_an_output(photos: list[Path], tmp_path: Path) -> None:
    twin = tmp_path / "a.bmp"
    Image.new("RGB", (4, 4)).save(twin)
    ran = run_cli("compress", *photos, twin, tmp_path / "out")
    assert_one_line_error(ran, 2, "a.wisp", "a.bmp")
    assert not (tmp_path / "out").exists()


def test_the_last_of_many_must_be_a_directory(photos: list[Path]) -> None:
    before = photos[2].read_bytes()
    assert_one_line_error(run_cli("compress", *photos, "-f"), 2, "directory", "c.webp")
    assert photos[2].read_bytes() == before


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("compress",), "d.wisp"),
        (("compress",), "d.PNG"),
        (("compress", "--text"), "d.wisp"),
        (("decompress",), "d.jpg"),
    ],
)
def test_the_last_of_many_is_not_a_file_by_its_suffix(
    photos: list[Path], tmp_path: Path, command: tuple[str, ...], name: str
) -> None:
    target = tmp_path / name
    assert_one_line_error(run_cli(*command, *photos, target), 2, "directory", name)
    assert not target.exists()
    assert [job.target for job in plan_jobs(["a.png", "b.png", f"{target}/"], ".wisp")] == [
        str(target / "a.wisp"),
        str(target / "b.wisp"),
    ]


def test_confidence_map_is_for_one(tmp_path: Path) -> None:
    ran = run_cli("decompress", "a.wisp", "b.wisp", tmp_path, "--confidence", tmp_path / "map.png")
    assert_one_line_error(ran, 2, "--confidence")


def test_stdin_is_for_one(tmp_path: Path) -> None:
    assert_one_line_error(run_cli("compress", "-", "a.png", tmp_path), 2, "-")


def test_plan(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert plan_jobs(["x/a.b.jpg"], ".wisp") == [Job("x/a.b.jpg", "x/a.b.wisp")]
    assert plan_jobs(["-"], ".wisp") == [Job("-", "-")]
    assert plan_jobs(["a.jpg", "-"], ".wisp") == [Job("a.jpg", "-")]
    assert plan_jobs(["a.jpg", "b"], ".wisp") == [Job("a.jpg", "b")]
    assert plan_jobs(["x/a.jpg", folder], ".wisp") == [Job("x/a.jpg", f"{folder}/a.wisp")]


@pytest.mark.parametrize("paths", [[], [""], ["/"], ["a.wisp"], ["a.wisp", "./a.wisp"]])
def test_plans_that_make_no_sense(paths: list[str]) -> None:
    with pytest.raises(wisp.UsageError, match="expected"):
        plan_jobs(paths, ".wisp")
