"""The damage bench on a toy format whose faults are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wisp.bench import damage
from wisp.bench.file_damage import Damage, Verdict, changed_bytes, cuts, judge, tally
from wisp.errors import Corrupt, Truncated, UsageError

FILE = bytes([0xC7, 10, 20, 30, 0])


def toy(data: bytes) -> bytes:
    """Byte 0 is checked, 1..3 are pixels (255 crashes, 11 in byte 1 goes unseen), byte 4 means nothing."""
    if len(data) < 5:
        raise Truncated("expected 5 bytes")
    if data[0] != 0xC7:
        raise Corrupt("expected C7")
    if 255 in data[1:4]:
        raise ZeroDivisionError("oops")
    return data[1:4].replace(b"\x0b", b"\x0a")


def test_every_byte_takes_every_other_value_once() -> None:
    copies = [copy.data for copy in changed_bytes(FILE)]
    assert len(copies) == len(set(copies)) == 5 * 255
    assert FILE not in copies
    assert all(sum(a != b for a, b in zip(FILE, copy, strict=True)) == 1 for copy in copies)


def test_a_sample_is_a_part_and_repeats() -> None:
    sample = [copy.data for copy in changed_bytes(FILE, 7, seed=1)]
    assert len(sample) == 5 * 7
    assert set(sample) < {copy.data for copy in changed_bytes(FILE)}
    assert sample == [copy.data for copy in changed_bytes(FILE, 7, seed=1)]
    assert sample != [copy.data for copy in changed_bytes(FILE, 7, seed=2)]
    assert len(list(changed_bytes(FILE, 255))) == 5 * 255


def test_cuts_are_all_shorter_lengths() -> None:
    assert [copy.data for copy in cuts(FILE)] == [FILE[:n] for n in range(5)]


def test_verdicts_are_counted() -> None:
    counts = tally(changed_bytes(FILE), toy(FILE), toy)
    assert counts.total == 5 * 255
    assert counts.verdicts == {
        Verdict.NAMED_ERROR: 255,
        Verdict.OTHER_EXCEPTION: 3,
        Verdict.SAME_PICTURE: 255 + 1,
        Verdict.SILENT_DIFFERENCE: 3 * 254 - 1,
    }
    assert counts.errors == {"Corrupt": 255}
    assert counts.examples[0] == "byte 1: 0A -> 00: silent different picture"
    assert len(counts.examples) == 20
    assert tally(cuts(FILE), toy(FILE), toy).errors == {"Truncated": 5}


def test_the_screen_saves_work_and_changes_no_verdict() -> None:
    seen: list[bytes] = []

    def see(data: bytes) -> bytes:
        seen.append(data)
        return toy(data)

    screened = tally(changed_bytes(FILE), toy(FILE), see, toy)
    assert screened.verdicts == tally(changed_bytes(FILE), toy(FILE), toy).verdicts
    assert len(seen) == 4 * 255 - 3


def test_an_unnamed_exception_is_shown() -> None:
    verdict = judge(Damage("byte 1", bytes([0xC7, 255, 0, 0, 0])), toy(FILE), toy, None)
    assert verdict == (Verdict.OTHER_EXCEPTION, "ZeroDivisionError: oops")


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def strict(data: bytes) -> bytes:
        if data != FILE:
            raise Corrupt("expected the file")
        return data

    monkeypatch.setattr(damage, "token_screen", lambda: None)
    (tmp_path / "a.wisp").write_bytes(FILE)
    order = ["--out", str(tmp_path / "out"), str(tmp_path / "a.wisp")]
    monkeypatch.setattr(damage, "picture_of", strict)
    assert damage.main([*order, "--values", "3"]) == 0
    found = json.loads((tmp_path / "out" / "damage.json").read_text())["files"]["a.wisp"]
    assert found["changed_bytes"]["num_tried"] == found["changed_bytes"]["errors"]["Corrupt"] == 15
    assert found["cuts"]["named_error"] == 5
    monkeypatch.setattr(damage, "picture_of", toy)
    assert damage.main(order) == 1
    assert "| a.wisp | 5 | changed bytes | 1275 | 255 | 256 | 761 | 3 |" in capsys.readouterr().out
    assert damage.main([*order, "--values", "256"]) == 2
    assert damage.main(["--out", str(tmp_path / "none"), str(tmp_path / "b.wisp")]) == 2
    assert not (tmp_path / "none").exists()


def test_what_has_no_tokens_is_left_to_decompressing(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes) -> None:
        raise UsageError("expected a model of tokens") if data else Corrupt("expected bytes")

    monkeypatch.setattr("wisp.codecs.decode_tokens", decode)
    screen = damage.token_screen()
    assert screen is not None
    assert screen(b"a") is None
    with pytest.raises(Corrupt):
        screen(b"")
