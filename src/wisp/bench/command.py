"""A benchmark's command line: options that several have, lists of numbers, and how an error ends it."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from wisp.bench.provenance import note
from wisp.errors import UsageError, WispError

Number = TypeVar("Number", int, float)

SHARED: dict[str, dict[str, Any]] = {
    "images": {"type": Path, "required": True, "help": "folder of pictures"},
    "weights": {"type": Path, "help": "folder of the metrics' weights"},
    "out": {"type": Path, "required": True, "help": "folder for the results"},
    "model": {"help": "a model's name or a bundle's folder; the default model otherwise"},
    "metrics": {"help": "names, with commas between"},
    "pictures": {"type": int, "help": "only the first so many"},
    "threads": {"type": int, "help": "threads of the networks"},
}


def command_parser(
    name: str, description: str, shared: str = "", **defaults: object
) -> argparse.ArgumentParser:
    """A parser of `wisp bench NAME`.

    Args:
        name, description: as the help says them.
        shared: those of the shared options that it has, with blanks between.
        defaults: what they are when they are not given; None otherwise.
    """
    parser = argparse.ArgumentParser(prog=f"wisp bench {name}", description=description)
    for option in shared.split():
        parser.add_argument(f"--{option}", **SHARED[option])
    parser.set_defaults(**defaults)
    return parser


def command(name: str) -> Callable[[Callable[[Sequence[str]], int]], Callable[..., int]]:
    """Make a benchmark's `main`, which may be called without arguments: those of the process then.

    An error of wisp's is one line on stderr, and 2 for wrong usage, 1 for anything else. Other exceptions are left to
    `wisp bench` (cli/faults.py).
    """

    def decorate(main: Callable[[Sequence[str]], int]) -> Callable[..., int]:
        @functools.wraps(main)
        def guarded(argv: Sequence[str] | None = None) -> int:
            try:
                return main(list(sys.argv[1:] if argv is None else argv))
            except WispError as fault:
                note(f"bench {name}: {fault}")
                return 2 if isinstance(fault, UsageError) else 1

        return guarded

    return decorate


def whole_number_list(option: str, text: str, lowest: int, highest: int | None = None) -> list[int]:
    """Whole numbers from a list with commas, in its order.

    Raises:
        UsageError: there is none, or one is something else or outside lowest..highest.
    """
    limits = f"from {lowest} up" if highest is None else f"from {lowest} to {highest}"
    return _number_list(
        option,
        text,
        int,
        lambda number: lowest <= number and (highest is None or number <= highest),
        f"whole numbers {limits}",
    )


def rate_list(option: str, text: str) -> list[float]:
    """Bits per pixel from a list with commas, in its order.

    Raises:
        UsageError: there is none, or one is no number above 0 and below 1000.
    """
    return _number_list(option, text, float, lambda rate: 0 < rate < 1000, "numbers above 0 and below 1000")


def quality_list(option: str, text: str) -> list[float]:
    """Qualities from a list with commas, in its order.

    Raises:
        UsageError: there is none, or one is no number from 0 to 100.
    """
    return _number_list(option, text, float, lambda quality: 0 <= quality <= 100, "numbers from 0 to 100")


def _number_list(
    option: str,
    text: str,
    parse: Callable[[str], Number],
    holds: Callable[[Number], bool],
    what: str,
) -> list[Number]:
    try:
        numbers = [parse(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(map(holds, numbers)):
        raise UsageError(f"{option}: expected {what} with commas between, found {text!r}")
    return numbers
