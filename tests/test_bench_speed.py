"""The speed bench: what it computes, not how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wisp.bench import fresh_process, speed
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.fresh_process import Answer, Task
from wisp.bench.provenance import meta, shown


def test_a_figure_has_median_and_spread() -> None:
    found = speed.figure("compress", "s", [0.4, 0.1, 0.7], limit=0.4)
    assert (found.median, found.least, found.most, found.runs, found.is_kept) == (0.4, 0.1, 0.7, 3, True)
    assert speed.figure("compress", "s", [0.5], limit=0.4).is_kept is False
    assert speed.figure("compress", "s", [0.5]).is_kept is None


def test_a_picture_is_continued_by_its_mirror_image() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    large = np.asarray(speed.mirrored(Image.fromarray(pixels), 7, 5))
    assert large.shape == (5, 7, 3)
    assert np.array_equal(large[:, :, :], pixels[[0, 1, 1, 0, 0]][:, [0, 1, 2, 2, 1, 0, 0]])
    assert np.array_equal(np.asarray(speed.mirrored(Image.fromarray(pixels), 2, 1)), pixels[:1, :2])


def test_work_is_repeated_as_often_as_said() -> None:
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        return len(calls)

    wall_s, cpu_s, made = fresh_process.timed(work, 3)
    assert (len(wall_s), len(cpu_s), made) == (3, 3, 3)
    assert fresh_process.timed(work, 0) == ([], [], None)


def test_peak_memory_is_the_processs_own() -> None:
    """A child of a large process starts small, and a large array shows in full."""
    ballast = np.ones(300_000_000, np.uint8)
    program = (
        "from wisp.bench.fresh_process import peak_memory_bytes as peak; before = peak();"
        "held = bytearray(b'1') * 100_000_000; print(before, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, grown = map(int, done.stdout.split())
    assert ballast.nbytes == 300_000_000
    assert 1_000_000 < before < 200_000_000
    assert 99_000_000 < grown < 130_000_000


@pytest.fixture
def fake_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    def compress(self: WispCodec, image: Image.Image, *, size: int) -> bytes:
        return bytes(size)

    monkeypatch.setattr(WispCodec, "compress", compress)
    monkeypatch.setattr(WispCodec, "decompress", lambda self, data: Image.new("RGB", (8, 8)))


@pytest.mark.usefixtures("fake_codec")
def test_a_task_is_performed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    made = tmp_path / "a.wisp"
    task = Task("compress", str(tmp_path / "a.png"), 77, None, 1, 2, None, str(made))
    (tmp_path / "task.json").write_text(json.dumps(task.__dict__))
    assert fresh_process.main([str(tmp_path / "task.json")]) == 0
    answer = Answer(**json.loads(capsys.readouterr().out))
    assert (len(answer.wall_s), len(answer.cpu_s), made.stat().st_size) == (2, 2, 77)
    assert answer.peak_memory_bytes > 1_000_000
    back = fresh_process.perform(Task("decompress", str(made), None, None, 0, 1, None))
    assert len(back.wall_s) == 1


def test_a_failing_process_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    order = ["--image", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--model", "no such model"]
    assert speed.main([*order, "--repeats", "2", "--threads", "1"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("speed: a measuring process failed with exit code 1: ")
    assert not (tmp_path / "out").exists()


class FakeBench(speed.Bench):
    """Every task takes 0.2 s, or 12 s on the large picture, with both cores busy."""

    def run(self, action: str, source: Path, **options: object) -> Answer:
        seconds = 12.0 if source.stem == "large" else 0.2
        return Answer([seconds] * 2, [2 * seconds] * 2, 300_000_000)

    def import_s(self) -> float:
        return 0.1

    def first_output_s(self) -> float:
        return 0.6


def test_figures_are_held_against_their_limits(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path, 2, None)
    figures = speed.measure(bench, Image.new("RGB", (60, 40)), 2, (600, 400))
    by_name = {figure.what: figure for figure in figures}
    assert by_name["compress, size 2000, wall"].is_kept
    assert by_name["decompress, 0.1 bpp, CPU"].median == pytest.approx(0.4)
    assert by_name["compress, size 2000, peak memory"].median == 300.0
    assert by_name["wisp --help, first output"].is_kept is False
    ratio = by_name["compress, 600x400, 0.1 bpp, time a pixel over the small picture's"]
    assert ratio.median == pytest.approx(12.0 / 100 / 0.2)
    assert ratio.is_kept
    page = speed.summary(figures, "a machine")
    assert "| import wisp | s | 0.100 | 0.100 | 0.100 | 2 | 0.2 | kept |" in page
    assert "| 0.5 | **missed** |" in page


def test_a_record_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    assert shown(str(tmp_path / "kodak")) == "kodak"
    assert shown("../shared/eval") == "eval"
    assert shown("results/kodak") == "results/kodak"
    record = meta("wisp.bench.speed", ["--image", str(tmp_path / "a.png")], threads=2)
    assert record["command"] == "python -m wisp.bench.speed --image a.png"
    assert record["threads"] == 2
    assert str(tmp_path) not in json.dumps(record)
    assert record["packages"]["numpy"] == np.__version__
