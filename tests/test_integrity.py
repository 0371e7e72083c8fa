"""`wisp check` and `wisp.check`: what decompressing would refuse is found out, without pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import codec_for_model
from wisp.container import Chunk, ChunkType, pack_file, unpack_file


@pytest.fixture(scope="module")
def data(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> bytes:
    return wisp.compress(photo_u8, size=900, model=tiny_model)


def test_a_whole_file(data: bytes, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels cost most of decompressing, and nobody looks at these."""
    monkeypatch.setattr(codec_for_model(tiny_model).bundle.synthesis, "run", None)
    assert wisp.check(data, model=tiny_model) is None
    assert wisp.check(memoryview(data), model=tiny_model) is None


@pytest.mark.parametrize("end", [0, 1, 5, 8, 300, -2, -1])
def test_every_cut_is_found(data: bytes, tiny_model: Path, end: int) -> None:
    with pytest.raises((wisp.Truncated, wisp.NotWisp)):
        wisp.check(data[:end], model=tiny_model)


def test_what_passes_is_what_is_shown(data: bytes, tiny_model: Path) -> None:
    """A bit of each byte is changed; whatever one of the two says of it, the other says too."""
    found = []
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        verdicts = []
        for look in (wisp.check, wisp.decompress):
            try:
                look(bytes(damaged), model=tiny_model)  # type: ignore[operator]
                verdicts.append("")
            except wisp.WispError as fault:
                verdicts.append(str(fault))
        assert verdicts[0] == verdicts[1]
        found.append(bool(verdicts[0]))
    assert sum(found) > 0.98 * len(found)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("prior_model", {"size": 900}),
        ("uniform_model", {"quality": 40}),
        ("routed_model", {"ratios": (0.2, 0.3, 0.5), "huffman": True}),
        ("grid_model", {"channels": 4}),
    ],
)
def test_every_kind_of_model(
    model: str, options: dict[str, Any], photo_u8: NDArray[np.uint8], request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(model)
    data = wisp.compress(photo_u8[:128, :192], model=folder, **options)
    wisp.check(data, model=folder)
    for damaged in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), data + b"\0"):
        with pytest.raises(wisp.BitstreamError):
            wisp.check(damaged, model=folder)


def test_alpha_is_looked_at(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    """An alpha plane whose own check holds, and which is none of this picture."""
    clear = Image.fromarray(photo_u8).convert("RGBA")
    clear.putalpha(Image.fromarray(photo_u8[..., 0]))
    data = wisp.compress(clear, quality=20, alpha="keep", model=tiny_model)
    wisp.check(data, model=tiny_model)
    file = unpack_file(data)
    other = pack_file(file.header, [Chunk(ChunkType.ALPHA, b"no plane")], file.payload, file.check)
    for look in (wisp.check, wisp.decompress):
        with pytest.raises(wisp.BitstreamError, match="alpha"):
            look(other, model=tiny_model)


def test_detail_is_opened(photo_u8: NDArray[np.uint8], prior_model: Path) -> None:
    """Detail whose check holds, and which is no frame, or a part of one, or one of another size."""
    data = wisp.compress(photo_u8, size=50_000, model=prior_model)
    wisp.check(data, model=prior_model)
    codec, file = codec_for_model(prior_model), unpack_file(data)
    tokens, detail = codec.decode(file)
    assert detail
    for other in (b"garbage!" * 4, detail[:40], detail[:6] + b"\x05" + detail[7:]):
        forged = codec.write_tokens(tokens, file.header, file.chunks, other)
        for look in (wisp.check, wisp.decompress):
            with pytest.raises(wisp.Corrupt, match="expected detail"):
                look(forged, model=prior_model)


def test_what_is_no_file(data: bytes, tiny_model: Path) -> None:
    with pytest.raises(wisp.NotWisp):
        wisp.check(b"GIF89a and so on", model=tiny_model)
    with pytest.raises(wisp.UsageError, match="found str"):
        wisp.check("photo.wisp")  # type: ignore[arg-type]
    with pytest.raises(wisp.LimitExceeded):
        wisp.check(data, model=tiny_model, max_pixels=100)


def test_the_command(data: bytes, tiny_model: Path, tmp_path: Path) -> None:
    names = ["a.wisp", "cut.wisp", "b.wisp"]
    for name in names:
        (tmp_path / name).write_bytes(data[: -3 if "cut" in name else None])
    whole, cut, other = (tmp_path / name for name in names)
    options = ("--model", tiny_model)
    ran = run_cli("check", whole, *options)
    assert (ran.code, ran.stdout, ran.lines) == (0, b"", [f"{whole}: whole"])
    assert run_cli("check", whole, other, *options).lines == ["2 files: all whole"]
    assert run_cli("check", "-q", whole, other, *options).lines == []
    assert run_cli("check", "-", *options, stdin=data).code == 0
    text = tmp_path / "text.txt"
    text.write_text(wisp.to_text(data))
    assert run_cli("check", text, *options).code == 0
    text.write_text(wisp.to_text(data)[:-1])
    assert_one_line_error(run_cli("check", text, *options), 1, "text.txt", "again")
    assert_one_line_error(run_cli("check", cut, *options), 1, "cut.wisp", "the end is missing")
    ran = run_cli("check", cut, whole, tmp_path / "none.wisp", other, *options)
    assert ran.code == 1
    assert [line.split(":")[0] for line in ran.lines] == ["wisp", "wisp", "wisp"]
    for line, part in zip(ran.lines, ("cut.wisp", "none.wisp", "2 of 4 files failed"), strict=True):
        assert part in line


def test_sequences(prior_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path) -> None:
    frames = [np.roll(photo_u8[:96, :128], 8 * step, 1) for step in range(3)]
    data = wisp.compress_sequence(frames, quality=40, model=prior_model)
    (tmp_path / "clip.wisps").write_bytes(data)
    (tmp_path / "cut.wisps").write_bytes(data[:-5])
    options = ("--model", prior_model)
    assert run_cli("check", tmp_path / "clip.wisps", *options).lines == [f"{tmp_path / 'clip.wisps'}: whole"]
    assert_one_line_error(run_cli("check", tmp_path / "cut.wisps", *options), 1, "cut.wisps")
    assert_one_line_error(run_cli("check", tmp_path / "no.wisps", *options), 1, "no.wisps", "check the name")
