"""From exceptions to one line on stderr and an exit code. No command catches what it cannot repair."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer

from wisp.cli.console import say
from wisp.errors import UsageError, WispError

BAD_INPUT = 1
BAD_USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

DEBUG_VARIABLE = "WISP_DEBUG"

# typer carries its own copy of click since 0.2x and used the real one before; the class has one name in both.
_BadCommandLine: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def report_fault(fault: BaseException) -> int:
    """Say what went wrong, in one line, and return the exit code. The traceback needs WISP_DEBUG=1."""
    if isinstance(fault, SystemExit):  # argparse in a bench command, or a pipe that typer found closed
        return fault.code if isinstance(fault.code, int) else BAD_INPUT if fault.code else 0
    if isinstance(fault, BrokenPipeError):
        _discard_stdout()
        return BAD_INPUT
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(fault)
    if isinstance(fault, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED  # whoever pressed the key knows; recent versions of typer say nothing either
    say(f"wisp: {describe(fault)}")
    return BAD_USAGE if isinstance(fault, UsageError | _BadCommandLine) else BAD_INPUT


def describe(fault: BaseException, subject: str | None = None) -> str:
    """One line for people about an exception; `subject` goes in front where the message does not name it."""
    text = _describe(fault)
    return text if subject is None or repr(subject) in text else f"{subject!r}: {text}"


def _describe(fault: BaseException) -> str:
    if isinstance(fault, WispError):
        return str(fault)
    if isinstance(fault, _BadCommandLine):
        return _command_line(fault)
    if isinstance(fault, MemoryError):
        return "expected enough memory for this picture, found too little; scale it down"
    if isinstance(fault, OSError) and fault.strerror:
        place = "" if fault.filename is None else f" at {fault.filename!r}"
        return f"expected to read and write, found: {fault.strerror}{place}"
    text = " ".join(str(fault).split())
    return (
        f"expected no failure here, found {type(fault).__name__}: {text or 'no message'}; "
        f"set {DEBUG_VARIABLE}=1 for the traceback and report it"
    )


def _command_line(fault: Any) -> str:
    text = " ".join(fault.format_message().split()).rstrip(".")
    context = getattr(fault, "ctx", None)
    return f"{text}; see `{context.command_path} --help`" if context is not None else text


def _discard_stdout() -> None:
    """The reader is gone: what is buffered goes nowhere, so that Python's own flush at exit is silent."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
