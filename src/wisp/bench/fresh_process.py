"""One task in a process of its own: what it takes in time and memory, unspoilt by what ran before.

    python -m wisp.bench.fresh_process TASK.json

The task names a photograph and what to do with it; the answer is one line of JSON on stdout. Peak memory is
that of the process as the kernel counts it, picture, interpreter and libraries included.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        action: ``compress`` or ``decompress``.
        source: the photograph, or the file to decompress.
        size: the byte budget when compressing; None when decompressing.
        model: a model's name or a bundle's path; None is the default model.
        warm_ups: runs before the first that counts.
        repeats: runs that count.
        threads: CPU cores the process may use; None leaves it as started.
        output: where to write the file that was compressed; None writes none.
    """

    action: str
    source: str
    size: int | None
    model: str | None
    warm_ups: int
    repeats: int
    threads: int | None
    output: str | None = None


@dataclass(frozen=True)
class Answer:
    """What was measured.

    Attributes:
        wall_s: seconds of each run by the clock.
        cpu_s: seconds of each run summed over cores.
        peak_memory_bytes: the process's largest resident set.
    """

    wall_s: list[float]
    cpu_s: list[float]
    peak_memory_bytes: int


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far, in bytes.

    Linux hands a child the high-water mark of whoever started it through getrusage, so the process's own mark
    in /proc is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def limit_threads(threads: int | None) -> None:
    """Keep this process on the first so many of its cores, before any library counts them."""
    if threads is None:
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def timed(work: Callable[[], T], repeats: int) -> tuple[list[float], list[float], T | None]:
    """Wall and CPU seconds of each of so many runs, and what the last one made."""
    wall_s, cpu_s = [], []
    made: T | None = None
    for _ in range(repeats):
        made = None
        wall, cpu = time.perf_counter(), time.process_time()
        made = work()
        cpu_s.append(round(time.process_time() - cpu, 6))
        wall_s.append(round(time.perf_counter() - wall, 6))
    return wall_s, cpu_s, made


def _work(task: Task) -> Callable[[], bytes | Image.Image]:
    """The task as a function of nothing, its input already read."""
    from PIL import Image

    from wisp.bench.codec_wisp import WispCodec

    codec = WispCodec(task.model)
    if task.action == "decompress":
        data = Path(task.source).read_bytes()
        return lambda: codec.decompress(data)
    image = Image.open(task.source)
    image.load()
    return lambda: codec.compress(image, size=task.size)


def perform(task: Task) -> Answer:
    """Do the task in this process."""
    limit_threads(task.threads)
    work = _work(task)
    timed(work, task.warm_ups)
    wall_s, cpu_s, made = timed(work, task.repeats)
    peak = peak_memory_bytes()
    if task.output is not None and isinstance(made, bytes):
        Path(task.output).write_bytes(made)
    return Answer(wall_s=wall_s, cpu_s=cpu_s, peak_memory_bytes=peak)


def main(argv: Sequence[str] | None = None) -> int:
    """The command: one task file, one line of JSON."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    task = Task(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    print(json.dumps(asdict(perform(task))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
