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
        codec: ``wisp`` or a peer of `wisp.bench.speed_peers`.
        size: wisp's byte budget when compressing; else None.
        quality: a peer's setting when compressing; else None.
        model: wisp's model, a name or a bundle's path; None is the default model.
        repeats: runs that count, after the first; 0 for the first alone.
        few_repeats: as many instead where `repeats` runs would take longer than `patience_s`.
        patience_s: seconds; judged by the first run.
        threads: CPU cores the process may use; None leaves it as started.
        output: where to write the file that was compressed; None writes none.
    """

    action: str
    source: str
    codec: str = "wisp"
    size: int | None = None
    quality: float | None = None
    model: str | None = None
    repeats: int = 0
    few_repeats: int = 0
    patience_s: float = float("inf")
    threads: int | None = None
    output: str | None = None


@dataclass(frozen=True)
class Answer:
    """What was measured.

    Attributes:
        first_wall_s: seconds of the process's first run by the clock, libraries and model being loaded.
        wall_s: seconds of each later run by the clock.
        cpu_s: seconds of each later run summed over cores.
        peak_memory_bytes: the process's largest resident set when the first run was over.
        num_bytes: size of the compressed file.
    """

    first_wall_s: float
    wall_s: list[float]
    cpu_s: list[float]
    peak_memory_bytes: int
    num_bytes: int


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


def _wisp(task: Task) -> Callable[[], bytes | Image.Image]:
    from wisp.bench.codec_wisp import WispCodec

    codec = WispCodec(task.model)
    if task.action == "decompress":
        data = Path(task.source).read_bytes()
        return lambda: codec.decompress(data)
    image = _photograph(task)
    return lambda: codec.compress(image, size=task.size)


def _peer(task: Task) -> Callable[[], bytes | Image.Image]:
    from wisp.bench.speed_peers import decode, encode, require

    require(task.codec)
    if task.action == "decompress":
        data = Path(task.source).read_bytes()
        return lambda: decode(data)
    image, threads = _photograph(task), task.threads or 1
    quality = 0 if task.quality is None else task.quality
    return lambda: encode(task.codec, image, quality, threads)


def _photograph(task: Task) -> Image.Image:
    from PIL import Image

    image = Image.open(task.source)
    image.load()
    return image


def perform(task: Task) -> Answer:
    """Do the task in this process: once cold, then as often as it says."""
    limit_threads(task.threads)
    work = _wisp(task) if task.codec == "wisp" else _peer(task)
    (first_wall_s,), _, made = timed(work, 1)
    peak = peak_memory_bytes()
    if isinstance(made, bytes):
        num_bytes = len(made)
        if task.output is not None:
            Path(task.output).write_bytes(made)
    else:
        num_bytes = Path(task.source).stat().st_size
    del made
    is_slow = first_wall_s * task.repeats > task.patience_s
    wall_s, cpu_s, _ = timed(work, min(task.repeats, task.few_repeats) if is_slow else task.repeats)
    return Answer(first_wall_s, wall_s, cpu_s, peak, num_bytes)


def main(argv: Sequence[str] | None = None) -> int:
    """The command: one task file, one line of JSON."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    task = Task(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    print(json.dumps(asdict(perform(task))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
