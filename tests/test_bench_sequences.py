"""The bench of sequences: clips measured once, bytes compared at equal LPIPS."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wisp
from wisp.bench import sequences
from wisp.bench.sequences import main
from wisp.bench.sequences_table import _share, summary
from wisp.errors import CodecError
from wisp.train.verify import example_picture


def clip_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "clips" / "slow"
    folder.mkdir(parents=True)
    wide = example_picture(64, 110)
    for number in range(3):
        Image.fromarray(wide[:, 2 * number : 2 * number + 96]).save(folder / f"{number}.png")
    return folder.parent


def test_the_command_measures_once_and_goes_on(
    tmp_path: Path, prior_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    clips = clip_folder(tmp_path)
    given = ["--clips", str(clips), "--out", str(tmp_path / "out"), "--model", str(prior_model)]
    given += ["--qualities", "30,60", "--metrics", "psnr_db", "--threads", "1"]
    assert main(given) == 0
    (picture,) = map(json.loads, (tmp_path / "out" / "rows.jsonl").read_text().splitlines())
    rows = {(row["codec"], row["setting"]): row for row in picture["rows"]}
    assert {codec for codec, _ in rows} == {"frames", "sequence", "x264", "av1"}
    frames = [np.asarray(Image.open(path)) for path in sorted((clips / "slow").iterdir())]
    data = wisp.compress_sequence(frames, quality=30, model=prior_model)
    assert rows["sequence", 30]["num_bytes"] == len(data)
    assert rows["frames", 30]["num_bytes"] == sum(
        len(wisp.compress(frame, quality=30, model=prior_model)) for frame in frames
    )
    assert rows["x264", 30]["num_bytes"] > rows["x264", 51]["num_bytes"] > 0
    page = (tmp_path / "out" / "summary.md").read_text()
    assert capsys.readouterr().out.strip() == page.strip()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(sequences.wisp, "compress_sequence", refuse)
    assert main(given) == 0


def test_shares_are_taken_at_equal_lpips() -> None:
    theirs = [(0.1, math.log(1000)), (0.3, math.log(100))]
    ours = [(0.1, math.log(500)), (0.2, math.log(500 * 0.1**0.5))]
    assert _share(ours, theirs) == pytest.approx(0.5)
    assert _share(ours, [(0.5, 1.0), (0.6, 0.5)]) is None
    rows = [
        {"image": "a", "codec": codec, "setting": s, "num_bytes": n, "num_keys": None, "scores": {"lpips_squeeze": v}}
        for codec, s, n, v in [
            ("frames", 1, 100, 0.3), ("frames", 2, 1000, 0.1), ("sequence", 1, 50, 0.3), ("sequence", 2, 500, 0.1)
        ]
    ]  # fmt: skip
    page = summary(rows, ["lpips_squeeze"], 3)
    assert "| a | 0.50 |" in page
    assert "| largest | 0.50 |" in page


@pytest.mark.parametrize("wrong", [["--peers", "x265"], ["--qualities", "x"], ["--clips", "/nowhere/at/all"]])
def test_wrong_options_are_named(
    tmp_path: Path, prior_model: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        "--clips",
        str(clip_folder(tmp_path)),
        "--out",
        str(tmp_path / "out"),
        "--model",
        str(prior_model),
    ]
    assert main([*given, "--metrics", "psnr_db", *wrong]) == 2
    assert capsys.readouterr().err.startswith("bench sequences: ")


@pytest.mark.parametrize(
    ("side", "settings", "said"),
    [(63, {}, "x264: expected 1 frames coded"), (64, {"x264": ("nothing", "h264", {})}, "found: nothing")],
)
def test_a_video_codec_that_cannot_is_named(
    monkeypatch: pytest.MonkeyPatch, side: int, settings: dict[str, object], said: str
) -> None:
    pytest.importorskip("av")
    monkeypatch.setattr(sequences, "ENCODERS", {**sequences.ENCODERS, **settings})
    with pytest.raises(CodecError, match=said):
        list(sequences.measure([Image.new("RGB", (side, 49))], [], [], "", 1, ["x264"]))


def test_frames_that_do_not_come_back_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "_by_peer", lambda *_: (100, []))
    with pytest.raises(CodecError, match="x264: expected 1 frames back, found 0"):
        list(sequences.measure([Image.new("RGB", (8, 8))], [], [], "", 1, ["x264"]))
