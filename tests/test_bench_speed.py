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
from wisp.bench.codec import CodecUnavailable
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.fresh_process import Answer, Task
from wisp.bench.provenance import meta, shown, without_folders
from wisp.bench.speed_cells import SpeedCells, SpeedPlan, mirrored
from wisp.bench.speed_children import Children
from wisp.bench.speed_limits import figures
from wisp.bench.speed_peers import decode, encode, quality_for, require
from wisp.bench.speed_rows import SpeedRow, figure, growth, speed_row, spread
from wisp.bench.speed_table import summary
from wisp.errors import CodecError, UsageError


def test_a_figure_has_median_and_spread() -> None:
    found = figure("compress", "s", [0.4, 0.1, 0.7], limit=0.4)
    assert (found.median, found.least, found.most, found.runs, found.is_kept) == (0.4, 0.1, 0.7, 3, True)
    assert figure("compress", "s", [0.5], limit=0.4).is_kept is False
    assert figure("compress", "s", [0.5]).is_kept is None


def test_quartiles_lie_between_the_values() -> None:
    five = spread([7.0, 1.0, 3.0, 2.0, 5.0])
    assert (five.least, five.lower_quartile, five.median, five.upper_quartile, five.most) == (1, 2, 3, 5, 7)
    one = spread([0.3])
    assert {one.least, one.lower_quartile, one.median, one.upper_quartile, one.most} == {0.3}


@pytest.mark.parametrize("exponent", [1.0, 1.25])
def test_growth_is_told_by_its_exponent(exponent: float) -> None:
    def row(width: int) -> SpeedRow:
        seconds = 1e-7 * (width * 100) ** exponent
        answer = Answer(seconds, [seconds] * 3, [seconds] * 3, 10**6, 99)
        return speed_row(Task("compress", "", threads=1), (width, 100), "0.1 bpp", answer)

    found = growth([row(1600), row(100), row(400)])
    assert found is not None
    assert found.num_pixels == (10_000, 40_000, 160_000)
    assert found.exponent == pytest.approx(exponent, abs=1e-3)
    assert found.ratio_per_pixel == pytest.approx((1, 4 ** (exponent - 1), 16 ** (exponent - 1)), abs=1e-3)
    assert growth([row(100)]) is None


def test_a_picture_is_continued_by_its_mirror_image() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    large = np.asarray(mirrored(Image.fromarray(pixels), 7, 5))
    assert large.shape == (5, 7, 3)
    assert np.array_equal(large[:, :, :], pixels[[0, 1, 1, 0, 0]][:, [0, 1, 2, 2, 1, 0, 0]])
    assert np.array_equal(np.asarray(mirrored(Image.fromarray(pixels), 2, 1)), pixels[:1, :2])


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
    task = Task("compress", str(tmp_path / "a.png"), size=77, repeats=2, output=str(made))
    order = {name: value for name, value in task.__dict__.items() if name != "patience_s"}
    (tmp_path / "task.json").write_text(json.dumps(order))
    assert fresh_process.main([str(tmp_path / "task.json")]) == 0
    answer = Answer(**json.loads(capsys.readouterr().out))
    assert (len(answer.wall_s), len(answer.cpu_s), made.stat().st_size) == (2, 2, 77)
    assert (answer.num_bytes, answer.first_wall_s > 0) == (77, True)
    assert answer.peak_memory_bytes > 1_000_000
    back = fresh_process.perform(Task("decompress", str(made)))
    assert (back.wall_s, back.num_bytes) == ([], 77)


@pytest.mark.usefixtures("fake_codec")
@pytest.mark.parametrize(("patience_s", "runs"), [(1e9, 5), (0.0, 3)])
def test_what_takes_long_is_run_less_often(tmp_path: Path, patience_s: float, runs: int) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    task = Task("compress", str(tmp_path / "a.png"), size=9, repeats=5, few_repeats=3, patience_s=patience_s)
    assert len(fresh_process.perform(task).wall_s) == runs


@pytest.mark.parametrize("codec", ["jpeg", "webp", "avif"])
def test_a_peer_is_timed_near_its_budget(tmp_path: Path, codec: str) -> None:
    random = np.random.default_rng(5)
    small = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    image = small.resize((128, 96), Image.Resampling.BICUBIC)
    image.save(tmp_path / "a.png")
    quality = quality_for(codec, image, 2000)
    assert 1000 < len(encode(codec, image, quality, 1)) <= 2000
    smallest = quality_for(codec, image, 1)
    assert len(encode(codec, image, smallest, 1)) <= len(encode(codec, image, quality, 1))
    made = tmp_path / "file"
    task = Task(
        "compress", str(tmp_path / "a.png"), codec=codec, quality=quality, repeats=2, output=str(made)
    )
    answer = fresh_process.perform(task)
    assert (answer.num_bytes, len(answer.wall_s)) == (made.stat().st_size, 2)
    assert decode(made.read_bytes()).size == (128, 96)
    assert fresh_process.perform(Task("decompress", str(made), codec=codec)).num_bytes == answer.num_bytes


def test_peers_are_known_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require("jpeg")
    with pytest.raises(UsageError, match="--codecs: expected wisp or one of jpeg"):
        require("gif")
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(CodecUnavailable, match="pip install pillow-jxl-plugin"):
        require("jxl")
    assert speed.available(["jxl", "webp", "wisp", "webp"])[0] == ("wisp", "webp")


def test_a_failing_process_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    order = ["--image", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--model", "no such model"]
    assert speed.main([*order, "--codecs", "wisp", "--quick", "--threads", "1"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("bench speed: a measuring process failed with exit code 1: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--repeats", "0"), "--repeats: expected at least 2"),
        (("--repeats", "1"), "--repeats: expected at least 2"),
        (("--threads", "0"), "--threads: expected whole numbers"),
        (("--threads", "one"), "--threads: expected whole numbers"),
        (("--threads", "100000"), "--threads: expected at most"),
        (("--sizes", "4000"), "--sizes: expected sizes such as"),
        (("--sizes", "0x10"), "--sizes: expected sizes such as"),
        (("--codecs", "gif"), "--codecs: expected wisp or"),
        (("--image", "nowhere.png"), "nowhere.png: expected a picture"),
    ],
)
def test_wrong_usage_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, str], message: str
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    order = ["--image", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--threads", "1"]
    assert speed.main([*order, *options]) == (1 if "--image" in options else 2)
    error = capsys.readouterr().err
    assert error.startswith("bench speed: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


class FakeChildren(Children):
    """wisp takes 0.2 s, or 12 s on the large picture, with both cores busy; WebP fails at decompressing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tasks: list[Task] = []

    def run(self, task: Task) -> Answer:
        self.tasks.append(task)
        if task.codec == "webp" and task.action == "decompress":
            raise CodecError("it failed")
        with Image.open(self.folder / "photo.png") as photo:
            seconds = 12.0 if photo.width == 600 else 0.2
        return Answer(seconds, [seconds] * 3, [2 * seconds] * 3, 300_000_000, 1234)

    def import_s(self, threads: int) -> float:
        return 0.1

    def first_output_s(self, threads: int) -> float:
        return 0.6


def test_cells_are_measured_and_held_against_their_limits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    children = FakeChildren(tmp_path)
    cells = SpeedCells(children, SpeedPlan(("wisp", "webp"), ((60, 40), (600, 400)), (1, 2), 3, "mine"))
    cells.measure(Image.new("RGB", (60, 40)))
    assert len(cells.rows) == 2 * (4 + 1) + 2 * (2 + 1)
    assert len(cells.failures) == 4
    assert cells.failures[0] == "webp decompress, 60x40, 0.1 bpp, threads 1: it failed"
    assert capsys.readouterr().err.count("\n") == 20
    by_codec = {codec: [t for t in children.tasks if t.codec == codec] for codec in ("wisp", "webp")}
    assert [t.size for t in by_codec["wisp"] if t.action == "compress"] == [2000, 30, 2000, 30, 3000, 3000]
    assert {t.model for t in by_codec["wisp"]} == {"mine"}
    assert {(t.model, t.size) for t in by_codec["webp"]} == {(None, None)}
    assert len({t.quality for t in by_codec["webp"] if t.action == "compress"}) == 1
    assert {t.threads for t in children.tasks} == {1, 2}
    by_name = {found.what: found for found in figures(cells)}
    assert by_name["compress, 60x40, 2000 bytes, wall"].is_kept
    assert by_name["compress, 60x40, 0.1 bpp, peak memory"].limit == 400.0
    assert by_name["decompress, 600x400, 0.1 bpp, peak memory"].median == 300.0
    assert by_name["wisp --help, first output"].is_kept is False
    ratio = by_name["compress, time a pixel at 0.2 Mpx over the smallest picture's"]
    assert ratio.median == pytest.approx(12.0 / 100 / 0.2)
    assert ratio.is_kept
    page = summary(cells.rows, cells.growths(), list(by_name.values()), "a machine")
    assert "| import wisp | s | 0.100 | 0.100 | 0.100 | 3 | 0.2 | kept |" in page
    assert "| 0.5 | **missed** |" in page
    line = "| wisp | 0.1 bpp | 1234 | 2 | 12.0 | 12.0..12.0 | 12.0..12.0 | 24.0 | 12.0 | 300 | 3 |"
    assert page.count(line) == 2
    assert "| wisp | decompress | 2 | 83333.3, 50000.0 | 0.60 | 0.889 |" in page


@pytest.mark.usefixtures("fake_codec")
def test_the_command_writes_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr(speed, "Children", FakeChildren)
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    out = tmp_path / "out"
    order = ["--image", str(tmp_path / "a.png"), "--out", str(out), "--threads", "1", "--sizes", "600x400"]
    assert speed.main(order) == 0
    found = json.loads((out / "speed.json").read_text())
    assert {row["codec"] for row in found["rows"]} == {"wisp", "jpeg", "webp", "avif"}
    assert found["rows"][0]["wall_s"]["median"] == 0.2
    assert {g["exponent"] for g in found["growth"]} == {0.8891}
    assert {f["kept"] for f in found["figures"]} == {True, False}
    about = json.loads((out / "meta.json").read_text())
    assert about["sizes"] == ["60x40", "600x400"]
    assert "pillow-jxl-plugin" in about["unavailable_codecs"]["jxl"]
    assert len(about["failed_cells"]) == 2
    assert (out / "summary.md").read_text().startswith("# Speed and memory\n")


def test_a_record_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    assert shown(str(tmp_path / "kodak")) == "kodak"
    assert shown("../shared/eval") == "eval"
    assert shown("results/kodak") == "results/kodak"
    record = meta("wisp.bench.speed", ["--image", str(tmp_path / "a.png")], threads=2)
    assert record["command"] == "python -m wisp.bench.speed --image a.png"
    assert record["threads"] == 2
    assert str(tmp_path) not in json.dumps(record)
    assert record["packages"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        (
            "expected a.safetensors in /home/me/weights, found none",
            "expected a.safetensors in weights, found none",
        ),
        ("no '/a/b/c.png': see https://example.org/a/b", "no 'c.png': see https://example.org/a/b"),
        ("results/kodak, and/or 768x512/24, at 1/2", "results/kodak, and/or 768x512/24, at 1/2"),
        (r"not C:\Users\me\x.png", "not x.png"),
    ],
)
def test_a_reason_names_no_folder_of_the_machine(text: str, shown_as: str) -> None:
    assert without_folders(text) == shown_as
