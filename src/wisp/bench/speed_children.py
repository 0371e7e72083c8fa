"""The processes that the speed bench starts and times: one task each, with so many threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from wisp.bench.fresh_process import Answer, Task
from wisp.errors import CodecError

TIME_IMPORT = "import time; start = time.perf_counter(); import wisp; print(time.perf_counter() - start)"


def child_environment(threads: int | None) -> dict[str, str]:
    """This process's environment with the number of threads written down for libraries that ask there."""
    return {**os.environ} if threads is None else {**os.environ, "OMP_NUM_THREADS": str(threads)}


class Children:
    """Runs tasks in fresh processes, with a folder that is thrown away for what they read and write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, task: Task) -> Answer:
        """One task in a process of its own.

        Raises:
            CodecError: the process failed; the last line of its stderr is in the message.
        """
        order = self.folder / "task.json"
        # Without infinity, which JSON does not know; the default says the same.
        values = {name: value for name, value in asdict(task).items() if value != float("inf")}
        order.write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
        answer = self._child(["-m", "wisp.bench.fresh_process", str(order)], task.threads)
        return Answer(**json.loads(answer))

    def import_s(self, threads: int) -> float:
        """Seconds of ``import wisp`` in a fresh process."""
        return float(self._child(["-c", TIME_IMPORT], threads))

    def first_output_s(self, threads: int) -> float:
        """Seconds from starting ``python -m wisp --help`` to its first byte on stdout.

        Raises:
            CodecError: it fails.
        """
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "wisp", "--help"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(threads),
        ) as process:
            assert process.stdout is not None
            first = process.stdout.read(1)
            elapsed = time.perf_counter() - start
            process.stdout.read()
        if not first or process.returncode != 0:
            raise CodecError(f"wisp --help: expected output and exit code 0, found {process.returncode}")
        return elapsed

    def _child(self, arguments: Sequence[str], threads: int | None) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=child_environment(threads),
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise CodecError(f"a measuring process failed with exit code {done.returncode}: {last}")
        return done.stdout
