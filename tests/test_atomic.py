"""Atomic writing: the whole file or the old one, and nothing left beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from wisp import atomic
from wisp.errors import CodecError, UsageError

ONE_LINE = r"\A[^\n]+\Z"


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def test_writes_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    atomic.write_bytes_atomic(target, b"first")
    atomic.write_bytes_atomic(str(target), b"")
    assert target.read_bytes() == b""
    atomic.write_bytes_atomic(target, b"second")
    assert target.read_bytes() == b"second"
    assert names(tmp_path) == {"a.bin"}


def test_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"made by open()")
    atomic.write_bytes_atomic(tmp_path / "new", b"x")
    assert (tmp_path / "new").stat().st_mode == plain.stat().st_mode
    plain.chmod(0o640)
    atomic.write_bytes_atomic(plain, b"y")
    assert stat.S_IMODE(plain.stat().st_mode) == 0o640


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    atomic.write_bytes_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_longest_file_name_works(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    atomic.write_bytes_atomic(target, b"x")
    assert target.read_bytes() == b"x"


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def fail(*args: object, **kwargs: object) -> None:
        raise failure

    monkeypatch.setattr(os, step, fail)
    kind = CodecError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(kind):
        atomic.write_bytes_atomic(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == {"a.bin"}


def test_bad_places_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path, tmp_path / "missing" / "a", tmp_path / "file" / "a", "bad\0name"):
        with pytest.raises(UsageError, match=ONE_LINE):
            atomic.write_bytes_atomic(place, b"x")
    assert names(tmp_path) == {"file"}


def test_device_is_written_to_and_not_replaced() -> None:
    atomic.write_bytes_atomic(os.devnull, b"x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_refuse_existing(tmp_path: Path) -> None:
    target = tmp_path / "a"
    atomic.refuse_existing(target, force=False)
    atomic.refuse_existing(os.devnull, force=False)
    target.write_bytes(b"x")
    atomic.refuse_existing(target, force=True)
    with pytest.raises(UsageError, match="-f"):
        atomic.refuse_existing(target, force=False)
    for force in (False, True):
        with pytest.raises(UsageError, match="directory"):
            atomic.refuse_existing(tmp_path, force=force)
