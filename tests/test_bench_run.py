"""The run: what is measured, what is left out and said, and what a later run takes over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_fakes import FakeCodec, FakePanel, FakeWorkshop, save_pictures
from cli_runner import Stream
from PIL import Image

from wisp.bench import run
from wisp.bench.run_picture import Message, PictureTask, measure_picture
from wisp.bench.run_progress import RunProgress
from wisp.bench.wall import crop_box, crop_path
from wisp.bench.workshop import Tools, open_workshop


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> FakeWorkshop:
    return FakeWorkshop().install(monkeypatch)


@pytest.fixture
def order(tmp_path: Path) -> list[str]:
    """Two pictures, the fake codec, one process."""
    pictures = save_pictures(tmp_path / "pictures", a=(9, 9, 9), b=(0, 0, 0))
    return ["--images", str(pictures), "--out", str(tmp_path / "out"), "--codecs", "fake", "--jobs", "1"]


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]


def meta_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "meta.json").read_text())
    return found


def test_a_run_and_its_files(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main([*order, "--bpp", "0.1,0.4"]) == 0
    rows = rows_of(tmp_path / "out")
    assert [(row["image"], row.get("num_bytes"), row["reached"]) for row in rows] == [
        ("a", None, False),
        ("b", None, False),
        ("a", 101, True),
        ("b", 101, True),
    ]
    assert (rows[0]["budget_num_bytes"], rows[0]["smallest_num_bytes"], rows[0]["scores"]) == (25, 50, {})
    assert rows[2]["scores"] == {"psnr_db": None, "lpips_squeeze": 0.333333}
    assert rows[2]["rate_bpp"] == pytest.approx(8 * 101 / (64 * 32), abs=1e-6)
    about = meta_of(tmp_path / "out")
    assert about["command"].endswith("--images pictures --out out --codecs fake --jobs 1 --bpp 0.1,0.4")
    assert str(tmp_path) not in json.dumps(about)
    assert about["codecs"] == {"fake": "1"}
    assert about["metrics"] == {
        "psnr_db": {"direction": "higher", "unit": "dB", "version": "m1"},
        "lpips_squeeze": {"direction": "lower", "unit": "", "version": "m1"},
    }
    assert (about["metrics_version"], about["budgets_bpp"], about["num_rows_measured"]) == (
        "w",
        [0.1, 0.4],
        4,
    )
    assert (about["unavailable_codecs"], about["skipped_images"], about["failed_fits"]) == ({}, {}, [])
    page = (tmp_path / "out" / "summary.md").read_text()
    assert "| codec | reached | bytes | bpp | psnr_db ↑ | lpips_squeeze ↓ |" in page
    assert "| fake | 2/2 | 101 | 0.3945 | - | 0.3333 |" in page
    assert "| fake | 0/2 | - | - | - | - |" in page
    assert capsys.readouterr().err.splitlines() == ["1/2 a: 2 rows measured", "2/2 b: 2 rows measured"]


def test_a_second_run_measures_only_what_is_missing(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str]
) -> None:
    codec = fakes.codecs["fake"]
    assert run.main([*order, "--bpp", "0.4,0.8"]) == 0
    assert codec.num_fits == 4
    assert run.main([*order, "--bpp", "0.4,0.8,1.6"]) == 0
    assert (codec.num_fits, meta_of(tmp_path / "out")["num_rows_measured"]) == (6, 2)
    Image.new("RGB", (64, 32), (1, 2, 3)).save(tmp_path / "pictures" / "a.png")
    assert run.main([*order, "--bpp", "0.4,0.8,1.6"]) == 0
    assert codec.num_fits == 9
    fakes.codecs["fake"] = FakeCodec(version="2")
    assert run.main([*order, "--bpp", "0.4"]) == 0
    assert fakes.codecs["fake"].num_fits == 2
    fakes.panel = FakePanel(version="x")
    assert run.main([*order, "--bpp", "0.4"]) == 0
    assert fakes.codecs["fake"].num_fits == 4
    assert len(rows_of(tmp_path / "out")) == 6


def test_no_codec_searches_below_its_smallest_file_and_no_picture_is_compared_twice(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str]
) -> None:
    assert run.main([*order, "--bpp", "0.001,0.01,0.1,0.19,0.4,0.8"]) == 0
    assert fakes.codecs["fake"].num_fits == 2 * (1 + 2)
    assert fakes.panel.num_compared == 2
    rows = rows_of(tmp_path / "out")
    assert [row.get("smallest_num_bytes") for row in rows] == [50] * 8 + [None] * 4
    assert [row["budget_num_bytes"] for row in rows[::2]] == [0, 2, 25, 48, 102, 204]


def test_broken_pictures_are_named_and_the_rest_survives(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:60])
    (pictures / "text.jpg").write_text("hello")
    Image.new("RGB", (31, 64)).save(pictures / "small.png")
    assert run.main([*order, "--bpp", "0.4"]) == 0
    about = meta_of(tmp_path / "out")
    assert sorted(about["skipped_images"]) == ["broken.png", "small.png", "text.jpg"]
    assert "text.jpg: expected a picture" in about["skipped_images"]["text.jpg"]
    assert "at least 32 pixels" in about["skipped_images"]["small.png"]
    assert str(tmp_path) not in json.dumps(about)
    assert [row["image"] for row in rows_of(tmp_path / "out")] == ["a", "b"]
    error = capsys.readouterr().err
    assert error.count("skipped ") == 3
    assert "2 pictures." in (tmp_path / "out" / "summary.md").read_text()


def test_nothing_to_measure_is_an_error_and_keeps_what_was_there(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main([*order, "--bpp", "0.4"]) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for name in ("a", "b"):
        (tmp_path / "pictures" / f"{name}.png").write_bytes(b"")
    assert run.main([*order, "--bpp", "0.4"]) == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("bench run: expected pictures that can be measured")
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert run.main([*order, "--bpp", "0.4", "--out", str(tmp_path / "new")]) == 1
    assert not (tmp_path / "new").exists()


def test_what_is_not_installed_is_said_once_and_recorded(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.unavailable = {"jxl": "expected a package, found none"}
    fakes.panel.unavailable = {"dists": "expected weights, found none"}
    assert run.main([*order, "--codecs", "jxl,fake", "--bpp", "0.4"]) == 0
    about = meta_of(tmp_path / "out")
    assert about["unavailable_codecs"] == fakes.unavailable
    assert about["metrics"]["dists"] == {"unavailable": "expected weights, found none"}
    assert list(about["codecs"]) == ["fake"]
    assert capsys.readouterr().err.splitlines()[:2] == [
        "codec jxl is not available: expected a package, found none",
        "metric dists is not available: expected weights, found none",
    ]
    assert run.main([*order, "--codecs", "jxl", "--bpp", "0.4", "--out", str(tmp_path / "new")]) == 2
    assert "found none: jxl: expected a package" in capsys.readouterr().err
    fakes.panel.metrics = ()
    assert run.main([*order, "--bpp", "0.4", "--out", str(tmp_path / "new")]) == 2
    assert "found none: dists: expected weights" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_codec_that_breaks_is_named_and_tried_again_later(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.codecs["fake"].breaks_at = 102
    assert run.main([*order, "--bpp", "0.4,0.8"]) == 0
    reason = "the coder fell over badly"
    assert meta_of(tmp_path / "out")["failed_fits"] == [
        {"image": image, "codec": "fake", "budget_bpp": 0.4, "reason": reason} for image in ("a", "b")
    ]
    assert capsys.readouterr().err.count(f"fake failed at 0.4 bpp: {reason}\n") == 2
    assert len(rows_of(tmp_path / "out")) == 2
    fakes.codecs["fake"].breaks_at = None
    assert run.main([*order, "--bpp", "0.4,0.8"]) == 0
    assert meta_of(tmp_path / "out")["failed_fits"] == []
    assert len(rows_of(tmp_path / "out")) == 4


def test_a_file_above_its_budget_is_a_failure(tmp_path: Path, fakes: FakeWorkshop, order: list[str]) -> None:
    class Greedy(FakeCodec):
        def fit(self, image: Image.Image, budget_num_bytes: int) -> Any:
            return super().fit(image, budget_num_bytes + 2)

    fakes.codecs["greedy"] = Greedy("greedy")
    assert run.main([*order, "--codecs", "fake,greedy", "--bpp", "0.4"]) == 0
    failed = meta_of(tmp_path / "out")["failed_fits"]
    assert [f["reason"] for f in failed] == ["expected at most 102 bytes, found a file of 103"] * 2
    assert {row["codec"] for row in rows_of(tmp_path / "out")} == {"fake"}


def test_the_wall_keeps_the_same_place_of_every_codec(
    tmp_path: Path, fakes: FakeWorkshop, order: list[str]
) -> None:
    out = tmp_path / "out"
    fakes.codecs["avif@1/2"] = FakeCodec("avif@1/2")
    order += ["--codecs", "fake,avif@1/2", "--bpp", "0.1,0.4"]
    assert run.main(order) == 0
    assert not (out / "wall").exists()
    assert run.main([*order, "--wall", "a"]) == 0
    assert fakes.codecs["fake"].num_fits == 4 + 1  # the reached row of a, once more for its crop
    found = sorted(path.relative_to(out).as_posix() for path in (out / "wall").rglob("*.webp"))
    assert found == ["wall/a/0.4/avif@1_2.webp", "wall/a/0.4/fake.webp", "wall/a/original.webp"]
    assert meta_of(out)["wall"] == ["a"]
    shades = []
    for name in found[1:]:
        with Image.open(out / name) as crop:
            assert crop.size == (64, 32)
            shades.append(np.asarray(crop.convert("RGB")).mean())
    assert shades == [pytest.approx(8, abs=0.6), pytest.approx(9, abs=0.6)]
    assert run.main([*order, "--wall", "a"]) == 0
    assert fakes.codecs["fake"].num_fits == 5
    (out / found[1]).unlink()
    assert run.main([*order, "--wall", "a"]) == 0
    assert (fakes.codecs["fake"].num_fits, (out / found[1]).exists()) == (6, True)
    fakes.codecs["fake"] = FakeCodec(version="2")
    assert run.main(order) == 0
    assert not (out / found[1]).exists()  # another version's picture would be a lie
    assert (out / found[0]).exists()


def test_the_crop_is_the_middle() -> None:
    assert crop_box(768, 512) == (256, 128, 512, 384)
    assert crop_box(513, 100) == (128, 0, 384, 100)
    assert crop_box(3, 2) == (0, 0, 3, 2)
    assert crop_path("k", 0.005, "compressai:x").as_posix() == "wall/k/0.005/compressai_x.webp"


def test_an_interrupted_run_keeps_its_rows(
    tmp_path: Path,
    fakes: FakeWorkshop,
    order: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(tasks: list[PictureTask], workshop: Any) -> Iterator[Message]:
        for count, message in enumerate(measure_picture(tasks[0], workshop)):
            if count == 2:
                raise KeyboardInterrupt
            yield message

    monkeypatch.setattr(run, "measure_here", interrupted)
    assert run.main([*order, "--bpp", "0.4,0.8,1.6"]) == 130
    assert capsys.readouterr().err.startswith("bench run: interrupted")
    assert len(rows_of(tmp_path / "out")) == 2
    monkeypatch.undo()
    fakes.install(monkeypatch)
    assert run.main([*order, "--bpp", "0.4,0.8,1.6"]) == 0
    assert fakes.codecs["fake"].num_fits == 3 + 4  # the third fit was lost with the interrupt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bpp", "0"], "--bpp: expected numbers above 0"),
        (["--bpp", "x"], "--bpp: expected numbers above 0"),
        (["--bpp", "nan"], "--bpp: expected numbers above 0"),
        (["--codecs", "gif"], "--codecs: expected wisp"),
        (["--codecs", "jpeg,,webp"], "--codecs: expected names"),
        (["--metrics", ""], "--metrics: expected names"),
        (["--jobs", "0"], "--jobs: expected at least 1"),
        (["--wall", "b"], "--wall: expected pictures of"),
        (["--images", "nowhere"], "expected a folder of pictures"),
    ],
)
def test_wrong_usage_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    pictures = save_pictures(tmp_path / "pictures", a=(9, 9, 9))
    order = ["--images", str(pictures), "--out", str(tmp_path / "out"), "--codecs", "jpeg", *arguments]
    assert run.main(order) == 2
    error = capsys.readouterr().err
    assert error.startswith("bench run: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_and_a_file_for_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    pictures = save_pictures(tmp_path / "pictures", a=(9, 9, 9))
    assert run.main(["--images", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 2
    assert "expected pictures in" in capsys.readouterr().err
    assert run.main(["--images", str(pictures), "--out", str(tmp_path / "file")]) == 2
    assert "--out: expected a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(terminal=True)
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with RunProgress(1, 3) as progress:
        progress.row("[red]a")
        progress.finished("[red]a")
        assert progress.num_rows == 1
    shown = stream.raw_bytes.getvalue().decode()
    assert "3/3" in shown
    assert "1/1 [red]a: 1 rows measured" in shown


def test_the_defaults_are_those_of_the_project(tmp_path: Path) -> None:
    pictures = save_pictures(tmp_path / "pictures", a=(9, 9, 9))
    plan = run.parse(["--images", str(pictures), "--out", "out"])
    assert plan.budgets_bpp == (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
    assert plan.tools.codecs[:5] == ("wisp", "jpeg", "webp", "avif", "jxl")
    assert set(plan.tools.codecs[5:]) == {
        "avif@1/2",
        "avif@1/4",
        "webp@1/2",
        "webp@1/4",
        "blurhash",
        "thumbhash",
    }
    assert (plan.jobs, plan.tools.metrics, plan.wall) == (1, None, ())  # no more processes than pictures
    twice = run.parse(["--images", str(pictures), "--out", "out", "--bpp", "1,1", "--codecs", "jpeg,jpeg"])
    assert (twice.budgets_bpp, twice.tools.codecs) == ((1.0,), ("jpeg",))


def test_a_workshop_leaves_out_what_is_not_there(fakes: FakeWorkshop) -> None:
    fakes.unavailable = {"jxl": "no"}
    opened = open_workshop(Tools(("jxl", "fake")))
    assert opened.tools.codecs == ("fake",)
    assert opened.codec_versions == {"fake": "1"}
    assert opened.unavailable_codecs == {"jxl": "no"}
