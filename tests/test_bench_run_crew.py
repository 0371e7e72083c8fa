"""Several processes: the same rows, no row lost with a process, and none left behind."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wisp.bench import run
from wisp.bench.run_crew import measure_here, measure_with_crew
from wisp.bench.run_picture import Finished, Measured, PictureTask
from wisp.bench.workshop import Tools, open_workshop
from wisp.errors import CodecError

TOOLS = Tools(codecs=("jpeg", "webp@1/2"), metrics=("psnr_db",))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small pictures of smooth noise."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed, name in enumerate(("a", "b")):
        small = np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8)
        Image.fromarray(small).resize((96, 64), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


def tasks_of(pictures: Path) -> list[PictureTask]:
    return [PictureTask(path, (0.1, 1.0, 2.0), {}) for path in sorted(pictures.iterdir())]


def test_two_processes_write_what_one_does(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = [
        "--images",
        str(pictures),
        "--codecs",
        "jpeg,webp@1/2",
        "--metrics",
        "psnr_db",
        "--bpp",
        "0.1,1,2",
    ]
    order += ["--wall", "b"]
    for jobs in ("1", "2"):
        assert run.main([*order, "--out", str(tmp_path / jobs), "--jobs", jobs]) == 0
    one, two = ((tmp_path / jobs) for jobs in ("1", "2"))
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    for name in files:
        if name.name != "meta.json":
            assert (one / name).read_bytes() == (two / name).read_bytes()
    rows = [json.loads(line) for line in (two / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * 2 * 3
    assert {row["reached"] for row in rows} == {True, False}
    assert all(row["scores"]["psnr_db"] > 10 for row in rows if row["reached"])
    assert json.loads((two / "meta.json").read_text())["jobs"] == 2
    assert capsys.readouterr().err.count("6 rows measured") == 4


def test_a_killed_process_is_an_error_after_what_it_sent(pictures: Path) -> None:
    messages = measure_with_crew(tasks_of(pictures), TOOLS, 1)
    first = next(messages)
    assert isinstance(first, Measured)
    (worker,) = multiprocessing.active_children()
    worker.kill()
    with pytest.raises(CodecError, match=r"ended with code -9; the rows so far are kept"):
        list(messages)
    assert multiprocessing.active_children() == []


def test_a_process_that_cannot_start_its_work_says_why(pictures: Path) -> None:
    with pytest.raises(CodecError, match=r"a measuring process failed: --codecs: .*'gif'"):
        list(measure_with_crew(tasks_of(pictures), Tools(codecs=("gif",), metrics=("psnr_db",)), 1))
    assert multiprocessing.active_children() == []


def test_leaving_early_ends_the_processes(pictures: Path) -> None:
    messages = measure_with_crew(tasks_of(pictures), TOOLS, 2)
    next(messages)
    assert len(multiprocessing.active_children()) == 2
    messages.close()
    assert multiprocessing.active_children() == []


def test_without_processes_messages_come_in_order(pictures: Path) -> None:
    found = list(measure_here(tasks_of(pictures), open_workshop(TOOLS)))
    assert [type(message) for message in found] == ([Measured] * 6 + [Finished]) * 2
