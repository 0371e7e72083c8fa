"""`wisp packets`: numbered files out, whatever is left of them in, and faults in one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.imaging.xmp import GENERATED_SOURCE


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory, photo_u8: NDArray[np.uint8]) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(photo_u8).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path, photo_u8: NDArray[np.uint8]) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    for i, packet in enumerate(wisp.packetize(photo_u8, size=500, mtu=100, model=tiny_model, threads=1), 1):
        (folder / f"{i:04}.wpk").write_bytes(packet)
    return folder


def test_packets_are_numbered_and_come_back(photo: Path, tmp_path: Path, tiny_model: Path) -> None:
    out, back = tmp_path / "out", tmp_path / "back.png"
    ran = run_cli("packets", photo, out, "--size", "500", "--mtu", 100, "--model", tiny_model, "--threads", 1)
    assert ran.code == 0
    names = [f"{n:04}.wpk" for n in range(1, 6)]
    assert sorted(p.name for p in out.iterdir()) == names
    packets = [(out / name).read_bytes() for name in names]
    total, longest = sum(map(len, packets)), max(map(len, packets))
    assert ran.lines == [f"{out}: {total} bytes in 5 packets of at most {longest}"]
    assert run_cli("packets", "--join", out, back, "--model", tiny_model).code == 0
    assert GENERATED_SOURCE.encode() not in back.read_bytes()
    with Image.open(back) as decoded:
        wanted = wisp.unpacketize(packets, model=tiny_model).image
        assert np.array_equal(np.asarray(decoded), np.asarray(wanted))


def test_what_is_left_is_joined_and_the_rest_is_told(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    (folder / "0002.wpk").unlink()
    (folder / "0004.wpk").write_bytes(b"noise")
    back, grey = tmp_path / "back.png", tmp_path / "map.png"
    ran = run_cli("packets", "--join", folder, back, "--confidence", grey, "--model", tiny_model)
    assert ran.code == 0
    number = f"{int.from_bytes((folder / '0001.wpk').read_bytes()[6:8], 'big'):04x}"
    assert ran.lines[0].startswith("note: 0004.wpk was left out: NotWisp: expected the signature C7 6x")
    assert ran.lines[1].startswith(f"{back}: 300x200, 3 of 5 packets of picture {number}, ")
    assert ran.lines[1].endswith(" tokens were made up")
    assert GENERATED_SOURCE.encode() in back.read_bytes()
    with Image.open(grey) as shown:
        assert (shown.size, shown.mode, shown.getextrema()[0]) == ((300, 200), "L", 0)
    assert (
        run_cli("packets", "--join", folder, back, "-f", "--picture", number, "--model", tiny_model).code == 0
    )


def test_text_can_be_pasted_into_one_file(photo: Path, tmp_path: Path, tiny_model: Path) -> None:
    out, back, chat = tmp_path / "out", tmp_path / "back.png", tmp_path / "chat.txt"
    options = ["--size", "500", "--mtu", "100", "--model", tiny_model, "--threads", "1"]
    assert run_cli("packets", photo, out, "--text", *options).code == 0
    texts = [path.read_text(encoding="ascii") for path in sorted(out.iterdir())]
    assert all(text.startswith("wisp:") and text[:-1].isprintable() for text in texts)
    chat.write_text("\n".join([texts[3], texts[0][:50], texts[3], texts[1]]), encoding="ascii")
    ran = run_cli("packets", "--join", chat, back, "--model", tiny_model)
    assert (ran.code, len(ran.lines)) == (0, 2)
    assert "2 of 5 packets" in ran.lines[1]


def test_a_file_becomes_packets(tmp_path: Path, photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    path, out = tmp_path / "a.wisp", tmp_path / "out"
    path.write_bytes(wisp.compress(photo_u8, size=400, model=tiny_model, threads=1))
    assert run_cli("packets", path, out, "--mtu", 90, "--model", tiny_model).code == 0
    assert len(list(out.iterdir())) > 4


def test_old_packets_are_replaced_on_demand_only(folder: Path, photo: Path, tiny_model: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    options = ["--size", "250", "--mtu", "250", "--model", tiny_model]
    assert_one_line_error(run_cli("packets", photo, folder, *options), 2, "0001.wpk", "-f")
    assert len(list(folder.iterdir())) == 6
    assert run_cli("packets", photo, folder, "-f", *options).code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["0001.wpk", "notes.txt"]


def test_wrong_use_is_told_in_one_line(folder: Path, photo: Path, tmp_path: Path, tiny_model: Path) -> None:
    back = tmp_path / "back.png"
    cases: list[tuple[list[object], int, str]] = [
        ([photo], 2, "name both"),
        ([photo, photo, tmp_path / "x"], 2, "one after the other"),
        ([photo, photo], 2, "found the file"),
        (["-", tmp_path / "x"], 2, "found -"),
        ([tmp_path / "none.png", tmp_path / "x"], 1, "none.png"),
        ([photo, tmp_path / "x", "--mtu", "5"], 2, "mtu"),
        ([photo, tmp_path / "x", "--size", "lots"], 2, "size"),
        ([photo, tmp_path / "x", "--size", "5", "--model", tiny_model], 1, "ask for"),
        ([photo, tmp_path / "x", "--picture", "1"], 2, "--join"),
        (["--join", folder, back, "--size", "5"], 2, "without --join"),
        (["--join", folder, back, "--picture", "zz"], 2, "hexadecimal"),
        (["--join", folder, back, "--confidence", back], 2, "both outputs"),
        (["--join", folder, tmp_path / "back.doc"], 2, "back.doc"),
        (["--join", tmp_path, back], 1, "none"),
        (["--join", photo, back], 1, "C7 6x"),
        (["--join", folder, back, "--model", "wisp_small"], 1, "model number"),
        (["--join", folder, back, "--picture", "1", "--model", tiny_model], 1, "picture 0001"),
    ]
    for arguments, code, part in cases:
        assert_one_line_error(run_cli("packets", *arguments), code, part)
    assert not back.exists()


def test_a_packet_is_no_file(folder: Path, tmp_path: Path) -> None:
    ran = run_cli("decompress", folder / "0001.wpk", tmp_path / "a.png")
    assert_one_line_error(ran, 1, "wisp packets --join")


@pytest.mark.parametrize("name", ["2024.txt", "20231105.txt", "0001.wpk"])
def test_files_that_are_no_packets_are_never_replaced(
    photo: Path, tmp_path: Path, tiny_model: Path, name: str
) -> None:
    mine = tmp_path / "notes" / name
    mine.parent.mkdir()
    mine.write_text("my year")
    ran = run_cli("packets", photo, mine.parent, "--size", "500", "-f", "--model", tiny_model)
    assert_one_line_error(ran, 2, name)
    assert mine.read_text() == "my year"
    assert [p.name for p in mine.parent.iterdir()] == [name]


def test_the_input_is_never_replaced(photo: Path, tmp_path: Path, tiny_model: Path) -> None:
    source = tmp_path / "0001.txt"
    assert run_cli("compress", photo, source, "--text", "--size", "500", "--model", tiny_model).code == 0
    before = source.read_bytes()
    ran = run_cli("packets", source, tmp_path, "-f", "--model", tiny_model)
    assert_one_line_error(ran, 2, "without the input")
    assert source.read_bytes() == before


def test_old_packets_go_once_the_new_ones_are_there(folder: Path, photo: Path, tiny_model: Path) -> None:
    order = ("packets", photo, folder, "--size", "300", "--mtu", 100, "-f", "--model", tiny_model)
    assert run_cli(*order).code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["0001.wpk", "0002.wpk", "0003.wpk"]


def test_the_map_is_not_written_over_the_picture(
    folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_cli("packets", "--join", folder, "./o.png", "--confidence", "o.png", "--model", tiny_model)
    assert_one_line_error(ran, 2, "both outputs")
    assert not (tmp_path / "o.png").exists()


def test_nothing_is_written_where_the_map_has_no_place(
    folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    out = tmp_path / "o.png"
    missing = tmp_path / "nowhere" / "map.png"
    ran = run_cli("packets", "--join", folder, out, "--confidence", missing, "--model", tiny_model)
    assert_one_line_error(ran, 2, "nowhere")
    assert not out.exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])  # the last two as Windows saves text
def test_packets_are_found_in_a_chat(folder: Path, tmp_path: Path, tiny_model: Path, encoding: str) -> None:
    packets = [p.read_bytes() for p in sorted(folder.iterdir())]
    lines = [f"12:0{i} Bob {wisp.to_text(packet)}" for i, packet in enumerate(packets)]
    chat = tmp_path / "chat.txt"
    chat.write_text("Hello\n" + "\nAlice got it\n".join(lines), encoding=encoding)
    ran = run_cli("packets", "--join", chat, tmp_path / "o.png", "--model", tiny_model)
    assert ran.code == 0
    assert f"{len(packets)} of {len(packets)} packets" in ran.lines[-1]


def test_an_mtu_means_nothing_when_joining(folder: Path, tmp_path: Path) -> None:
    ran = run_cli("packets", "--join", folder, tmp_path / "o.png", "--mtu", 100)
    assert_one_line_error(ran, 2, "--mtu")


def test_damaged_text_is_called_by_its_name(photo: Path, tmp_path: Path, tiny_model: Path) -> None:
    source = tmp_path / "a.txt"
    assert run_cli("compress", photo, source, "--text", "--size", "500", "--model", tiny_model).code == 0
    source.write_text(source.read_text().replace("wisp:", "wisp:!"))
    assert_one_line_error(run_cli("packets", source, tmp_path / "out"), 1, "letters and digits")


def test_what_was_left_out_of_a_text_is_numbered(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    texts = [wisp.to_text(path.read_bytes()) for path in sorted(folder.iterdir())]
    chat = tmp_path / "chat.txt"
    chat.write_text("\n".join([texts[0], texts[1][:-3], *texts[2:]]))
    ran = run_cli("packets", "--join", chat, tmp_path / "back.png", "--model", tiny_model)
    assert ran.code == 0
    assert ran.lines[0].startswith("note: chat.txt, packet 2, was left out: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_by_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    ran = run_cli("packets", tmp_path / "pipe", tmp_path / "out")
    assert_one_line_error(ran, 2)
    assert "found a pipe" in ran.stderr
