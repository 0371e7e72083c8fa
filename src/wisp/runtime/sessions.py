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
_lock = threading.Lock()
_arena: list[object] = []  # what describes the memory that networks share, once there is any


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


def _share_memory() -> None:
    """One arena for all networks of the process that have none of their own: they run in turn, and need it in turn."""
    import onnxruntime as ort

    with _lock:
        if not _arena:
            place = ort.OrtMemoryInfo(
                "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
            )
            # It grows by what is asked for, not by powers of two.
            ort.create_and_register_allocator(place, ort.OrtArenaCfg({"arena_extend_strategy": 1}))
            _arena.append(place)


class Network:
    """One ONNX file, or a graph's bytes, loaded when first run. Safe to share between threads.

    Args:
        path: the file, or with `graph` what messages call it.
        own_memory: memory of its own, which goes when the network goes; else all networks share what the largest
            run so far needed, but for runs that keep nothing.
        check: called before the file is read; raises if it is another than it should be.

    Raises:
        UsageError: `threads`, or WISP_THREADS in its place, is out of range.
    """

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        graph: bytes | None = None,
        own_memory: bool = False,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self.path = path
        self._graph, self._own_memory = graph, own_memory
        self._threads, self._check = settle_threads(threads), check
        self._sessions: dict[bool, Any] = {}
        self._lock = threading.Lock()

    def _load(self, keep: bool) -> Any:
        with self._lock:
            if keep not in self._sessions:
                import onnxruntime  # slow to import, and many commands never run a network

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self._threads
                options.inter_op_num_threads = 1
                # Networks run in turn; threads that spin between turns take the cores from the next one.
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                options.log_severity_level = 4  # faults arrive as exceptions; nothing else belongs on stderr
                options.enable_cpu_mem_arena = keep
                options.enable_mem_pattern = not keep  # which would take as much again
                if keep and not self._own_memory:
                    _share_memory()
                    options.add_session_config_entry("session.use_env_allocators", "1")
                self._check()
                try:
                    self._sessions[keep] = onnxruntime.InferenceSession(
                        self._graph or str(self.path), options, providers=["CPUExecutionProvider"]
                    )
                except Exception as fault:  # onnxruntime's errors share no base class
                    first = next(iter(str(fault).splitlines()), type(fault).__name__)
                    raise ModelMismatch(
                        f"expected a loadable network in {self.path}, found: {first}"
                    ) from None
            return self._sessions[keep]

    @contextmanager
    def repeated(self, times: int) -> Iterator[Network]:
        """The same network for so many inputs of nearly one size.

        It has memory of its own, kept from run to run, and gives it back at the end.
        """
        if times == 1:
            yield self
            return
        other = Network(self.path, self._threads, self._graph, own_memory=True, check=self._check)
        try:
            yield other
        finally:
            other._sessions.clear()

    def run(self, inputs: Mapping[str, NDArray[Any]], keep: bool = True) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out.

        Args:
            keep: the memory that it needs, for other runs; without, a network that shares it asks the system layer by
                layer, through a session of its own: for inputs so large that it had better not stay.

        Raises:
            ModelMismatch: the network cannot be loaded, or fails on these arrays.
        """
        session = self._load(keep or self._own_memory)
        names = [output.name for output in session.get_outputs()]
        feeds = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        try:
            return dict(zip(names, session.run(names, feeds), strict=True))
        except Exception as fault:
            if any(sign in str(fault) for sign in OUT_OF_MEMORY):
                raise MemoryError(f"too little for {self.path.name}") from None
            first = next(iter(str(fault).splitlines()), type(fault).__name__)
            raise ModelMismatch(f"expected {self.path} to run on its inputs, found: {first}") from None
