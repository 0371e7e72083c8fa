"""What a person reads while a command runs: one line a message, on stderr, without control characters."""

from __future__ import annotations

import io
import sys


def printable(text: str) -> str:
    """Text on one line: characters that would move a cursor or hide something are written as escapes.

    File names and model names come from strangers; a terminal obeys what it is sent.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def say(message: str) -> None:
    """Print one line on stderr."""
    print(printable(message), file=sys.stderr)


def show(line: str) -> None:
    """Print one line on stdout."""
    print(printable(line))


def tolerate_narrow_encodings() -> None:
    """Escape what the terminal's encoding cannot show, instead of failing on it (stderr does so anyway)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def write_stdout(data: bytes) -> None:
    """Write bytes to stdout behind whatever text is there already."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
