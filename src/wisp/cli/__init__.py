"""The command line. `main` is the console script `wisp`; it never lets an exception through."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what follows the program's name; None takes them from `sys.argv`.

    Returns:
        the exit code: 0, 1 (bad input), 2 (bad usage) or 130 (interrupted).
    """
    from wisp.cli.faults import report_fault

    try:
        from wisp.cli.app import run

        code = run(arguments)
        sys.stdout.flush()
    except BaseException as fault:  # the one place where everything ends up
        return report_fault(fault)
    return code


__all__ = ["main"]
