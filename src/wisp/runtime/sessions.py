"""Running networks: the only place that knows onnxruntime."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ModelMismatch, UsageError

MAX_THREADS = 256
OUT_OF_MEMORY = ("bad allocation", "bad_alloc", "Failed to allocate memory", "Available memory of")


def default_threads() -> int:
    """Threads a network uses: WISP_THREADS if set, else the processors this process may run on, at most 8.

    Raises:
        UsageError: WISP_THREADS is not a whole number from 1 to MAX_THREADS.
    """
    text = os.environ.get("WISP_THREADS", "")
    if text:
        if not (text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= MAX_THREADS):
            raise UsageError(
                f"expected WISP_THREADS as a whole number from 1 to {MAX_THREADS}, found {text!r}"
            )
        return int(text)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, 8)


def settle_threads(threads: object) -> int:
    """A number of threads as it is, None as default_threads(); UsageError if it is none from 1 to MAX_THREADS."""
    if threads is None:
        return default_threads()
    number = int(threads) if isinstance(threads, int | np.integer) and threads is not True else 0
    if not 1 <= number <= MAX_THREADS:
        raise UsageError(f"expected threads as a whole number from 1 to {MAX_THREADS}, found {threads!r}")
    return number


class Network:
    """One ONNX file, or a graph's bytes, loaded when first run. Safe to share between threads.

    Args:
        path: the file, or with `graph` what messages call it.
        keep_memory: between runs, as much as the largest needed; for inputs of bounded size that come often.
        check: called before the file is read; raises if it is another than it should be.

    Raises:
        UsageError: `threads`, or WISP_THREADS in its place, is out of range.
    """

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        graph: bytes | None = None,
        keep_memory: bool = False,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self.path = path
        self._graph, self._keep_memory = graph, keep_memory
        self._threads, self._check = settle_threads(threads), check
        self._session: Any = None
        self._lock = threading.Lock()

    def _load(self) -> Any:
        with self._lock:
            if self._session is None:
                import onnxruntime  # slow to import, and many commands never run a network

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self._threads
                options.inter_op_num_threads = 1
                # Networks run in turn; threads that spin between turns take the cores from the next one.
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                options.log_severity_level = 4  # faults arrive as exceptions; nothing else belongs on stderr
                options.enable_cpu_mem_arena = self._keep_memory  # the arena never gives back what it took
                options.enable_mem_pattern = not self._keep_memory  # which would take as much again
                self._check()
                try:
                    self._session = onnxruntime.InferenceSession(
                        self._graph or str(self.path), options, providers=["CPUExecutionProvider"]
                    )
                except Exception as fault:  # onnxruntime's errors share no base class
                    first = next(iter(str(fault).splitlines()), type(fault).__name__)
                    raise ModelMismatch(
                        f"expected a loadable network in {self.path}, found: {first}"
                    ) from None
            return self._session

    @contextmanager
    def repeated(self, times: int) -> Iterator[Network]:
        """The same network for so many inputs of nearly one size.

        It keeps its memory from run to run, which saves up to half of the time, and gives it back at the end.
        """
        if times == 1:
            yield self
            return
        other = Network(self.path, self._threads, self._graph, keep_memory=True, check=self._check)
        try:
            yield other
        finally:
            other._session = None

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out.

        Raises:
            ModelMismatch: the network cannot be loaded, or fails on these arrays.
        """
        session = self._load()
        names = [output.name for output in session.get_outputs()]
        feeds = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        try:
            return dict(zip(names, session.run(names, feeds), strict=True))
        except Exception as fault:
            if any(sign in str(fault) for sign in OUT_OF_MEMORY):
                raise MemoryError(f"too little for {self.path.name}") from None
            first = next(iter(str(fault).splitlines()), type(fault).__name__)
            raise ModelMismatch(f"expected {self.path} to run on its inputs, found: {first}") from None
