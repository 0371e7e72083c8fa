"""`wisp info`: what a header says, for people and for programs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.container import Chunk, ChunkType, Header, pack_file


@pytest.fixture
def packed(tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8]) -> Path:
    path = tmp_path / "photo.wisp"
    path.write_bytes(wisp.compress(photo_u8, size=900, model=tiny_model))
    return path


def test_json_schema(packed: Path) -> None:
    ran = run_cli("info", packed, "--json")
    assert (ran.code, ran.stderr) == (0, "")
    table = json.loads(ran.out)
    size = packed.stat().st_size
    fields = {field.pop("name"): field for field in table.pop("fields")}
    assert table == {
        "file": str(packed),
        "text": False,
        "num_bytes": size,
        "rate_bpp": 8 * size / 60000,
        "width": 300,
        "height": 200,
        "mode": "RGB",
        "format_version": 0,
        "model_number": 0,
        "model_name": None,  # the tests' model carries number 0, which is withdrawn
        "scale_exponent": 0,
        "parts": {"header": 6, "chunks": 0, "payload": size - 8, "check": 2},
        "chunks": [],
    }
    assert sum(field["num_bits"] for field in fields.values()) == 48
    assert fields["width_minus_1"]["stored"] == 299
    assert fields["signature"] == {"num_bits": 12, "stored": 0xC75, "meaning": "C75: this is a wisp file"}


def test_parts_of_a_file_with_chunks_and_a_large_model_number() -> None:
    header = Header(200, 5000, 10, True, 2, True)
    chunks = (Chunk(ChunkType.EXIF, b"II*\0"), Chunk(ChunkType.ALPHA, b"not looked into"), Chunk(77, b""))
    data = pack_file(header, chunks, b"payload", 0x1234)
    table = json.loads(run_cli("info", "-", "--json", stdin=data).out)
    assert table["parts"] == {"header": 8, "chunks": len(data) - 8 - 7 - 2, "payload": 7, "check": 2}
    assert (table["mode"], table["model_number"], table["model_name"]) == ("LA", 200, None)
    assert table["chunks"] == [
        {"name": "exif", "num_bytes": 4},
        {"name": "alpha", "num_bytes": 15},
        {"name": "type 77", "num_bytes": 0},
    ]
    assert table["scale_exponent"] == 2
    shown = run_cli("info", "-", stdin=data).out
    for part in (
        "5000x10 LA",
        "200 (not known to this version)",
        "scale     1/4",
        "type 77",
        "extended_model",
    ):
        assert part in shown


def test_table_for_people(packed: Path) -> None:
    lines = run_cli("info", packed).out.splitlines()
    assert lines[0] == f"{packed}: 300x200 RGB, {packed.stat().st_size} bytes"
    assert "  header          6" in lines
    assert "  check           2" in lines


def test_only_the_header_is_looked_at(packed: Path) -> None:
    data = packed.read_bytes()
    garbled = data[:6] + bytes(byte ^ 0xFF for byte in data[6:])
    one, two = (run_cli("info", "-", stdin=found).out for found in (data, garbled))
    assert one == two


def test_text_is_recognised_and_measured_without_its_armour(packed: Path) -> None:
    data = packed.read_bytes()
    table = json.loads(run_cli("info", "-", "--json", stdin=wisp.to_text(data).encode()).out)
    assert (table["text"], table["num_bytes"]) == (True, len(data))


def test_names_that_would_move_the_cursor_are_escaped(packed: Path) -> None:
    odd = packed.rename(packed.with_name("\x1b]0;title\x07\u202e.wisp"))
    ran = run_cli("info", odd)
    assert ran.code == 0
    assert r"\x1b]0;title\x07\u202e.wisp: 300x200" in ran.out
    assert not {"\x1b", "\x07", "\u202e"} & set(ran.out)


def test_picture_of_another_format() -> None:
    sink = io.BytesIO()
    Image.new("RGB", (8, 8)).save(sink, "PNG")
    assert_one_line_error(run_cli("info", "-", stdin=sink.getvalue()), 1, "not a wisp file")


def test_more_pixels_than_allowed() -> None:
    data = pack_file(Header(0, 1 << 20, 1 << 20, False, 0, False), (), b"x", 0)
    assert_one_line_error(run_cli("info", "-", stdin=data), 1, "pixels")


def test_info_names_a_release_and_a_withdrawn_model() -> None:
    for number, said in (
        (14, "14 (wisp_small, wisp-5)"),
        (12, "12 (wisp_4, wisp-4)"),
        (11, "11 (wisp_3, wisp-3)"),
        (10, "10 (wisp_2, wisp-2)"),
        (9, "9 (wisp_1, wisp-1)"),
        (8, "8 (withdrawn)"),
    ):
        data = pack_file(Header(number, 64, 48, False, 0, False), (), b"payload", 0x1234)
        assert said in run_cli("info", "-", stdin=data).out
