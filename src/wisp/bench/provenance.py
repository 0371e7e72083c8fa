"""Where a result comes from: versions, hardware, commit, date and command, but no path of the machine."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wisp.errors import UsageError

# The folders of an absolute path; what follows "://" or a letter is an address or a relative path.
_FOLDERS = re.compile(r"(?<![\w:/.~-])(?:[A-Za-z]:\\|/)(?:[^\s/\\'\"]+[/\\])*")

PACKAGES = ("wisp-codec", "numpy", "Pillow", "onnxruntime", "torch", "safetensors")


def _package_versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _cpu_model() -> str:
    table = Path("/proc/cpuinfo")
    if table.exists():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    try:
        found = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def usable_cores() -> int:
    """CPU cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shown(argument: str) -> str:
    """The argument as results may show it: an absolute or upward path loses its folders."""
    path = Path(argument)
    return path.name if path.is_absolute() or ".." in path.parts else argument


def without_folders(text: str) -> str:
    """The text with every absolute path cut to its last part, as results may show it."""
    return _FOLDERS.sub("", text)


@dataclass(frozen=True)
class Checkout:
    """Which code runs: the commit, and whether tracked files are as in it; None outside a checkout."""

    commit: str | None
    is_clean: bool | None


def checkout() -> Checkout:
    """Now. A long measurement asks when it begins: at its end the files may be others than those that ran."""
    commit = _git("rev-parse", "HEAD")
    dirty = _git("status", "--porcelain", "--untracked-files=no")
    return Checkout(commit, dirty == "" if commit and dirty is not None else None)


def meta(
    command: str, arguments: Sequence[str], code: Checkout | None = None, **extra: Any
) -> dict[str, Any]:
    """The record that goes beside every result.

    Args:
        command: the module's name, such as ``wisp.bench.run``.
        arguments: what followed it on the command line.
        code: what ran; None is what is there now.
        extra: whatever the bench wants to add.
    """
    code = code or checkout()
    return {
        "command": " ".join(["python -m", command, *map(shown, arguments)]),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": code.commit,
        "commit_is_clean": code.is_clean,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": _package_versions(),
        "cpu_model": _cpu_model(),
        "cpu_cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        **extra,
    }


def require_place(folder: Path) -> None:
    """Before a long measurement: can its results be written there?

    Raises:
        UsageError: the folder is a file, cannot be made, or is read-only.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UsageError(f"--out: expected a folder for the results, found the file {there}; name another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--out: expected a folder to write to, found {there} read-only; name another")


def write_text(path: Path, text: str) -> None:
    """Write the whole file or leave the old one as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """The value as indented JSON; a number JSON cannot hold (NaN, infinity) is an error, not a file."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_summary(folder: Path, page: str, record: Mapping[str, Any]) -> None:
    """The last step of a bench: summary.md and meta.json into the folder, and the page to whoever waits."""
    write_text(folder / "summary.md", page)
    write_json(folder / "meta.json", record)
    print(page)


def note(line: str) -> None:
    """A line of progress for the person who waits."""
    print(line, file=sys.stderr, flush=True)


def row_line(row: Mapping[str, Any]) -> str:
    """A row of measurements as one line of JSON without its newline: no blanks, floats to six places."""
    return json.dumps(_short(row), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {key: _short(part) for key, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list | tuple) else value
