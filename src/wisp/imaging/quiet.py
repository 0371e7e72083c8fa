"""Keeps Pillow's warnings off the user's screen, also when several threads read pictures at once.

`warnings.catch_warnings` swaps a list that all threads share. Two threads that enter and leave it in the
wrong order would leave the wrong list behind; so the first reader to come swaps it and the last to leave
swaps it back. Only warnings that Pillow's own modules raise are hidden.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

_lock = threading.Lock()
_readers = 0
_shared: AbstractContextManager[Any] | None = None

# Without a handler anywhere, Python prints a library's log records of level "warning" and above to stderr.
# This one only says that Pillow's records are taken care of; an application's own handlers still get them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Hide the warnings that Pillow raises inside the block."""
    if getattr(sys.flags, "context_aware_warnings", False):  # Python 3.14: each thread has a list of its own
        with warnings.catch_warnings():
            _hide()
            yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _hide() -> None:
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _enter() -> None:
    global _readers, _shared
    with _lock:
        if _readers == 0:
            _shared = warnings.catch_warnings()
            _shared.__enter__()
            _hide()
        _readers += 1


def _leave() -> None:
    global _readers, _shared
    with _lock:
        _readers -= 1
        if _readers == 0 and _shared is not None:
            _shared.__exit__(None, None, None)
            _shared = None
