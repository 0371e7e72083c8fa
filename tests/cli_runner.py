"""Runs the command line inside the test's own process, with real byte streams."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from unittest.mock import patch

from wisp.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def out(self) -> str:
        return self.stdout.decode("utf-8")

    @property
    def lines(self) -> list[str]:
        return self.stderr.splitlines()


class Stream(io.TextIOWrapper):
    """A text stream over bytes in memory that can claim to be a terminal."""

    def __init__(self, data: bytes = b"", terminal: bool = False) -> None:
        self.raw_bytes = io.BytesIO(data)
        super().__init__(self.raw_bytes, encoding="utf-8", errors="backslashreplace", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def run_cli(*arguments: object, stdin: bytes = b"", terminal: bool = False) -> Ran:
    """Run `wisp ARGUMENTS`; no exception may come out of it, and no traceback may be printed."""
    source, out, err = Stream(stdin), Stream(terminal=terminal), Stream(terminal=terminal)
    with ExitStack() as stack:
        for name, stream in (("stdin", source), ("stdout", out), ("stderr", err)):
            stack.enter_context(patch.object(sys, name, stream))
        code = main([str(argument) for argument in arguments])
    ran = Ran(code, out.raw_bytes.getvalue(), err.raw_bytes.getvalue().decode("utf-8"))
    assert "Traceback" not in ran.stderr
    return ran


def assert_one_line_error(ran: Ran, code: int, *parts: str) -> None:
    """The command failed with that code, and said why in one line that contains all the parts."""
    assert (ran.code, len(ran.lines)) == (code, 1), ran.stderr
    assert ran.lines[0].startswith("wisp: ")
    for part in parts:
        assert part in ran.lines[0]
