"""`wisp demo`: one photograph by wisp and its peers, side by side."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

from wisp.cli.demo import PHOTOGRAPH, _load
from wisp.cli.peers import fit_peers


def test_demo_of_ones_own_picture(tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "strip.png"
    Image.fromarray(photo_u8[:120, :160]).save(photo)
    ran = run_cli("demo", photo, "--size", "900", "--out", out, "--model", tiny_model, "--threads", "1")
    assert (ran.code, ran.stderr) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["original", "wisp", "AVIF", "WebP", "JPEG"]
    sizes = [int(found[1]) for line in lines[1:5] if (found := re.search(r"(\d+) bytes", line))]
    assert len(sizes) == 4
    assert max(sizes) <= 900
    assert re.fullmatch(r"wisp took \d+\.\d\d s to compress, .* and \d+\.\d\d s to decompress .*", lines[5])
    assert lines[6] == f"side by side: {out}"
    with Image.open(out) as strip:
        assert strip.width > 3 * 320
        assert np.asarray(strip).std() > 10


def test_existing_picture_is_kept(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "strip.png"
    out.write_bytes(b"precious")
    assert_one_line_error(run_cli("demo", "--out", out, "--model", tiny_model), 2, "strip.png")
    assert out.read_bytes() == b"precious"


@pytest.mark.parametrize("options", [("--size", "much"), ("--out", "strip.xyz"), ("--columns", "9")])
def test_bad_usage(options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line_error(run_cli("demo", *options), 2)
    assert list(tmp_path.iterdir()) == []


def test_text_instead_of_a_picture(tmp_path: Path) -> None:
    note = tmp_path / "note.jpg"
    note.write_text("hello")
    assert_one_line_error(run_cli("demo", note, "--out", tmp_path / "a.png"), 1, "note.jpg")


def test_photograph_that_wisp_brings_is_the_one_its_page_describes() -> None:
    folder = resources.files("wisp.cli") / "photograph"
    digest = hashlib.sha256((folder / PHOTOGRAPH).read_bytes()).hexdigest()
    assert digest in (folder / "README.md").read_text(encoding="utf-8")
    assert _load(None).size == (600, 400)


def test_camera_original_is_reduced_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (3000, 1500), "teal").save(path)
    assert _load(str(path)).size == (1024, 512)
    assert "from 3000x1500 to 1024x512" in capsys.readouterr().err


def test_peer_that_cannot_is_shown_smaller_or_not_at_all(photo_u8: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo_u8)
    roomy = fit_peers(image, 20_000)
    assert [peer.denominator for peer in roomy] == [1, 1, 1]
    tight = {peer.title: peer for peer in fit_peers(image, 700)}
    jpeg = tight["JPEG"]
    assert jpeg.image is not None
    assert jpeg.image.size == (300, 200)
    assert jpeg.num_bytes is not None
    assert jpeg.num_bytes <= 700
    assert jpeg.denominator > 1
    assert jpeg.detail == f"{jpeg.num_bytes:,} bytes at 1/{jpeg.denominator} size"
    hopeless = fit_peers(image, 20)
    assert [(peer.image, peer.detail) for peer in hopeless] == [(None, "no file this small")] * 3
