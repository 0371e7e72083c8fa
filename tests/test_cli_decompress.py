"""`wisp decompress`: formats, the confidence map, damage, and outputs that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp


@pytest.fixture(scope="module")
def data(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> bytes:
    return wisp.compress(photo_u8, quality=100, model=tiny_model)


@pytest.fixture
def packed(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "photo.wisp"
    path.write_bytes(data)
    return path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_png_holds_exactly_what_the_library_decodes(packed: Path, tiny_model: Path) -> None:
    out = packed.with_name("back.png")
    ran = run_cli("decompress", packed, out, "--model", tiny_model, "--threads", "2")
    assert (ran.code, ran.stdout) == (0, b"")
    full = wisp.reconstruct(packed.read_bytes(), model=tiny_model)
    with Image.open(out) as decoded:
        assert np.array_equal(np.asarray(decoded), np.asarray(full.image))
    assert ran.lines == [
        f"{out}: 300x200, {float(full.confidence.mean()):.0%} of what the model can send was sent"
    ]


def test_the_summary_tells_the_working_scale_and_detail(
    tmp_path: Path, prior_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    small, large = tmp_path / "small.wisp", tmp_path / "large.wisp"
    small.write_bytes(wisp.compress(photo_u8, bpp=0.007, model=prior_model))
    large.write_bytes(wisp.compress(photo_u8, size=9000, model=prior_model))
    assert (
        run_cli("decompress", small, "--model", prior_model).lines[0].endswith(" at 1/2 of its size was sent")
    )
    ran = run_cli("decompress", large, "--fill", "generate", "--model", prior_model)
    assert ran.lines[0].endswith("--fill generate does nothing in a file with detail behind its tokens")
    assert ran.lines[1].endswith(", and detail behind them")


@pytest.mark.parametrize(
    ("name", "options", "format"),
    [
        ("a.jpg", (), "JPEG"),
        ("a.WEBP", (), "WEBP"),
        ("a.avif", (), "AVIF"),
        ("a.tif", (), "TIFF"),
        ("a.bmp", (), "BMP"),
        ("a.ppm", (), "PPM"),
        ("no-suffix", ("--format", "png"), "PNG"),
        ("a.png", ("--format", "jpg"), "JPEG"),
    ],
)
def test_format(packed: Path, tiny_model: Path, name: str, options: tuple[str, ...], format: str) -> None:
    out = packed.with_name(name)
    assert run_cli("decompress", packed, out, *options, "-q", "--model", tiny_model).stderr == ""
    with Image.open(out) as decoded:
        assert (decoded.format, decoded.size) == (format, (300, 200))


def test_stdin_to_stdout_is_png(data: bytes, tiny_model: Path, tmp_path: Path) -> None:
    ran = run_cli("decompress", "-", "-", "--model", tiny_model, stdin=data)
    assert ran.code == 0
    assert ran.stdout.startswith(b"\x89PNG")


def test_output_is_named_after_the_input(packed: Path, tiny_model: Path) -> None:
    assert run_cli("decompress", packed, "--model", tiny_model).code == 0
    assert run_cli("decompress", packed, "--format", "jpg", "--model", tiny_model).code == 0
    assert _names(packed.parent) == ["photo.jpg", "photo.png", "photo.wisp"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text,
        lambda text: f"\ufeff {text[:40]}\r\n   {text[40:]}\n",
        lambda text: text.replace("wisp:", "WISP:"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + f"{text}\r\n".encode("utf-16-be"),
    ],
)
def test_text_is_recognised(data: bytes, tiny_model: Path, spoil: object, tmp_path: Path) -> None:
    assert callable(spoil)
    path, out = tmp_path / "message.txt", tmp_path / "out.png"
    text = spoil(wisp.to_text(data))
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run_cli("decompress", path, out, "--model", tiny_model).code == 0
    with Image.open(out) as decoded:
        assert decoded.size == (300, 200)


def test_damaged_text_is_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "message.txt"
    path.write_bytes(wisp.to_text(data)[:-1].encode() + b"\xff!")
    assert_one_line_error(run_cli("decompress", path, tmp_path / "a.png"), 1)
    assert _names(tmp_path) == ["message.txt"]


def test_confidence_map(packed: Path, tiny_model: Path) -> None:
    out, where = packed.with_name("out.png"), packed.with_name("where.png")
    ran = run_cli("decompress", packed, out, "--confidence", where, "--model", tiny_model)
    assert ran.code == 0
    full = wisp.reconstruct(packed.read_bytes(), model=tiny_model)
    assert full.info.scale_exponent == 0
    with Image.open(where) as opened:
        assert (opened.mode, opened.size) == ("L", (300, 200))
        found = np.asarray(opened)
    assert np.array_equal(found[::32, ::32], np.rint(255 * full.confidence))
    assert np.array_equal(found, found[::32, ::32].repeat(32, 0).repeat(32, 1)[:200, :300])


def test_confidence_map_at_a_smaller_working_scale(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    from wisp.cli.decompress import confidence_map

    full = wisp.reconstruct(wisp.compress(photo_u8, bpp=0.007, model=tiny_model), model=tiny_model)
    assert full.info.scale_exponent > 0
    assert confidence_map(full).size == (300, 200)


@pytest.mark.parametrize("name", ["out.png", "photo.wisp", "map.txt"])
def test_confidence_map_needs_a_name_of_its_own(packed: Path, name: str) -> None:
    ran = run_cli("decompress", packed, packed.with_name("out.png"), "--confidence", packed.with_name(name))
    assert_one_line_error(ran, 2, name)
    assert _names(packed.parent) == ["photo.wisp"]


def test_fill_smooth_is_the_default(packed: Path, tiny_model: Path) -> None:
    one, two = packed.with_name("1.png"), packed.with_name("2.png")
    assert run_cli("decompress", packed, one, "--model", tiny_model).code == 0
    assert run_cli("decompress", packed, two, "--fill", "smooth", "--model", tiny_model).code == 0
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    "arguments", [("a.wisp", "b.wisp"), ("a.wisp", "b"), ("a.wisp", "--format", "gif"), ()]
)
def test_bad_usage_comes_before_the_input_is_read(arguments: tuple[str, ...]) -> None:
    assert_one_line_error(run_cli("decompress", *arguments), 2)


def test_existing_output_is_refused_before_the_input_is_read(tmp_path: Path) -> None:
    out = tmp_path / "kept.png"
    out.write_bytes(b"precious")
    assert_one_line_error(run_cli("decompress", tmp_path / "missing.wisp", out), 2, "kept.png")
    assert out.read_bytes() == b"precious"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:4],
        lambda data: data[:1],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"\x89PNG\r\n\x1a\n" + data,
        lambda data: data[:2] + bytes([data[2] | 0x40]) + data[3:],
    ],
)
def test_damage_is_named_and_an_old_output_survives_it(
    packed: Path, tiny_model: Path, damage: object
) -> None:
    assert callable(damage)
    packed.write_bytes(damage(packed.read_bytes()))
    out = packed.with_name("out.png")
    ran = run_cli("decompress", packed, out, "--model", tiny_model)
    assert_one_line_error(ran, 1, repr(str(packed)))
    assert _names(packed.parent) == ["photo.wisp"]
    out.write_bytes(b"old")
    assert run_cli("decompress", packed, out, "-f", "--model", tiny_model).code == 1
    assert out.read_bytes() == b"old"


def test_file_of_a_model_that_nobody_knows(packed: Path, data: bytes) -> None:
    packed.write_bytes(data[:1] + b"\x5d" + data[2:])
    assert_one_line_error(run_cli("decompress", packed, packed.with_name("out.png")), 1, "13")


def test_file_of_another_kind_is_not_read_to_its_end(tmp_path: Path) -> None:
    from wisp.cli.files import read_wisp

    huge = tmp_path / "film.mkv"
    with huge.open("wb") as stream:
        stream.truncate(1 << 40)  # a hole: reading it would take the machine's memory
    assert len(read_wisp(str(huge))[0]) < 1000
    assert_one_line_error(run_cli("info", huge), 1, "film.mkv")


@pytest.mark.parametrize(
    "fault", [MemoryError(), RuntimeError("odd"), KeyboardInterrupt(), OSError(28, "disk full")]
)
def test_failure_while_writing_leaves_no_half_file(
    packed: Path, tiny_model: Path, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(os, "replace", fail)
    out = packed.with_name("out.png")
    ran = run_cli("decompress", packed, out, "--model", tiny_model)
    if isinstance(fault, KeyboardInterrupt):
        assert (ran.code, ran.stderr.strip()) == (130, "")
    else:
        assert_one_line_error(ran, 1)
    assert _names(packed.parent) == ["photo.wisp"]


def test_failure_while_decoding_leaves_no_file(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("wisp.cli.decompress.reconstruct", fail)
    assert_one_line_error(run_cli("decompress", packed, packed.with_name("out.png")), 1, "memory")
    assert _names(packed.parent) == ["photo.wisp"]
