"""The bench of lost packets: what is lost, what the peer counts and conceals, and rows that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.packet_codecs import JpegRestart, JpegRestartGrey, blank, codecs_named, conceal
from wisp.bench.packets import _kept, draw_received, main, picture_means, summary
from wisp.errors import UsageError


def test_draws_lose_what_they_should_and_repeat() -> None:
    for loss, kept in ((0, 10), (10, 9), (30, 7), (50, 5), (70, 3), (99, 1)):
        received = draw_received(10, loss, 3, 0)
        assert len(received) == kept == len(set(received))
        assert received == sorted(received) == draw_received(10, loss, 3, 0)
    assert len({tuple(draw_received(10, 50, draw, 0)) for draw in range(20)}) > 15


def test_lost_pixels_are_interpolated_or_grey() -> None:
    pixels = np.zeros((4, 3, 3), np.uint8)
    pixels[0], pixels[3] = 30, 90
    arrived = np.zeros((4, 3), bool)
    arrived[[0, 3], :2] = True
    assert conceal(pixels, arrived)[..., 0].tolist() == [[30] * 3, [50] * 3, [70] * 3, [90] * 3]
    assert blank(pixels, arrived)[:, 0, 0].tolist() == [30, 128, 128, 90]


def test_the_peer_keeps_its_budget_and_shows_any_part(photo_u8: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo_u8)

    def score(shown: Image.Image) -> float:
        return float(np.square(np.asarray(shown, float) - photo_u8).mean())

    for codec in (JpegRestart(), JpegRestartGrey()):
        sent = codec.send(image, 1000, 200, score)
        assert sent.num_bytes <= 1000
        assert sent.count <= 5
        whole, part = sent.show(range(sent.count)), sent.show([0])
        assert whole.size == part.size == image.size
        assert score(whole) < score(part)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="jpeg_restart"):
        codecs_named("wisp,ssdv", None)


def test_means_by_codec_and_loss() -> None:
    def row(codec: str, loss: int, value: float) -> dict[str, object]:
        return {"image": "a", "codec": codec, "loss_percent": loss, "scores": {"psnr_db": value}}

    rows = [row("wisp", 0, 30.0), row("wisp", 50, 20.0), row("wisp", 50, 21.0), row("jpeg", 0, 25.0)]
    page = summary(rows, ["psnr_db"])
    assert "| wisp | 30.0000 | 20.5000 |" in page
    assert "| jpeg | 25.0000 | - |" in page


def test_the_command_writes_rows_and_keeps_them(
    tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    arguments = ["--images", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--model", str(tiny_model)]
    arguments += ["--size", "500", "--mtu", "100", "--draws", "2", "--loss", "0,40", "--metrics", "psnr_db"]
    assert main(arguments) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 4 * 3
    drawn = [row["received"] for row in rows if row["loss_percent"] and row["codec"].startswith("wisp")]
    assert drawn[:2] == drawn[2:]
    capsys.readouterr()
    assert main(arguments) == 0
    assert "done" not in capsys.readouterr().err
    page = (tmp_path / "out" / "summary.md").read_text()
    assert main([*arguments, "--codecs", "wisp"]) == 0  # the peer's means stay, other rows of wisp's do not
    again = (tmp_path / "out" / "summary.md").read_text()
    peers = [line for line in page.splitlines() if line.startswith("| jpeg")]
    assert peers
    assert [line for line in again.splitlines() if line.startswith("| jpeg")] == peers
    assert "wisp_left_out" not in again
    record = json.loads((tmp_path / "out" / "meta.json").read_text())
    assert record["kept_codecs"] == ["jpeg_restart", "jpeg_restart_grey"]
    Image.fromarray(photo_u8[:64]).save(tmp_path / "in" / "b.png")
    assert not _kept(
        tmp_path / "out", json.loads((tmp_path / "out" / "settings.json").read_text()), {"a", "b"}
    )
    (tmp_path / "in" / "b.png").unlink()
    assert main([*arguments, "--codecs", "wisp", "--size", "600"]) == 0  # another size: nothing is kept
    assert "jpeg" not in (tmp_path / "out" / "summary.md").read_text()
    assert main([*arguments, "--loss", "100"]) == 2
    assert main([*arguments, "--codecs", "none"]) == 2


def test_draws_of_a_picture_become_one_mean() -> None:
    def row(image: str, draw: int, value: float | None) -> dict[str, Any]:
        return {"image": image, "codec": "wisp", "loss_percent": 30, "draw": draw, "scores": {"m": value}}

    rows = [row("a", 0, 1.0), row("b", 0, None), row("a", 1, 2.0)]
    assert [(m["image"], m["draws"], m["scores"]["m"]) for m in picture_means(rows)] == [
        ("a", 2, 1.5),
        ("b", 1, None),
    ]
