"""Times and peak memory, each in processes of their own.

python -m wisp.bench.speed --image FILE --out results/NAME
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.fresh_process import Answer, Task
from wisp.bench.markdown import number, table
from wisp.bench.pictures import read_picture
from wisp.bench.provenance import meta, note, usable_cores, write_json, write_text
from wisp.errors import UsageError, WispError

SMALL_SIZE = 2000  # bytes
BPP = 0.1
LARGE = (6000, 4000)  # width, height
LARGE_OVER_SMALL = 1.3
TIME_IMPORT = "import time; start = time.perf_counter(); import wisp; print(time.perf_counter() - start)"


@dataclass(frozen=True)
class Figure:
    """One measured quantity; columns as in results/FIELDS.md."""

    what: str
    unit: str
    median: float
    least: float
    most: float
    runs: int
    limit: float | None

    @property
    def is_kept(self) -> bool | None:
        """Whether the median is within its limit; None without a limit."""
        return None if self.limit is None else self.median <= self.limit


def figure(what: str, unit: str, values: Sequence[float], limit: float | None = None) -> Figure:
    """Median and spread of the values."""
    return Figure(what, unit, median(values), min(values), max(values), len(values), limit)


def mirrored(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture continued by its own mirror images, or cut, to width x height."""
    pixels = np.asarray(image)[:height, :width]
    missing = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
    return Image.fromarray(np.pad(pixels, missing, mode="symmetric"))


def child_environment(threads: int) -> dict[str, str]:
    """This process's environment with the number of threads written down for libraries that ask there."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


class Bench:
    """Runs tasks in fresh processes with so many threads, in a folder that is thrown away."""

    def __init__(self, folder: Path, threads: int, model: str | None) -> None:
        self.folder, self._threads, self._model = folder, threads, model

    def run(
        self,
        action: str,
        source: Path,
        *,
        size: int | None = None,
        repeats: int = 1,
        output: Path | None = None,
    ) -> Answer:
        """One task in a fresh process; with more than one repeat a warm-up goes first.

        Raises:
            UsageError: the process failed; the last line of its stderr is in the message.
        """
        warm_ups = 1 if repeats > 1 else 0
        made = None if output is None else str(output)
        task = Task(action, str(source), size, self._model, warm_ups, repeats, self._threads, made)
        order = self.folder / "task.json"
        order.write_text(json.dumps(asdict(task)), encoding="utf-8")
        answer = self._child(["-m", "wisp.bench.fresh_process", str(order)])
        return Answer(**json.loads(answer))

    def import_s(self) -> float:
        """Seconds of ``import wisp`` in a fresh process."""
        return float(self._child(["-c", TIME_IMPORT]))

    def first_output_s(self) -> float:
        """Seconds from starting ``python -m wisp --help`` to its first byte on stdout."""
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "wisp", "--help"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(self._threads),
        ) as process:
            assert process.stdout is not None
            first = process.stdout.read(1)
            elapsed = time.perf_counter() - start
            process.stdout.read()
        if not first or process.returncode != 0:
            raise UsageError(f"wisp --help: expected output and exit code 0, found {process.returncode}")
        return elapsed

    def _child(self, arguments: Sequence[str]) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=child_environment(self._threads),
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UsageError(f"a measuring process failed with exit code {done.returncode}: {last}")
        return done.stdout


def measure(bench: Bench, image: Image.Image, repeats: int, large: tuple[int, int] | None) -> list[Figure]:
    """All figures for one photograph."""
    photo, small_file = bench.folder / "photo.png", bench.folder / "photo.wisp"
    image.save(photo)
    figures = []
    note("compress and decompress")
    compress = bench.run("compress", photo, size=SMALL_SIZE, repeats=repeats)
    budget = budget_num_bytes(BPP, image.width, image.height)
    at_bpp = bench.run("compress", photo, size=budget, repeats=repeats, output=small_file)
    decompress = bench.run("decompress", small_file, repeats=repeats)
    for what, answer, limit in (
        (f"compress, size {SMALL_SIZE}", compress, 0.5),
        (f"compress, {BPP} bpp", at_bpp, None),
        (f"decompress, {BPP} bpp", decompress, 0.25),
    ):
        figures.append(figure(f"{what}, wall", "s", answer.wall_s, limit))
        figures.append(figure(f"{what}, CPU", "s", answer.cpu_s))
    note("peak memory")
    for what, answer in (
        (f"compress, size {SMALL_SIZE}", bench.run("compress", photo, size=SMALL_SIZE)),
        (f"decompress, {BPP} bpp", bench.run("decompress", small_file)),
    ):
        figures.append(figure(f"{what}, fresh process, wall", "s", answer.wall_s))
        figures.append(figure(f"{what}, peak memory", "MB", [answer.peak_memory_bytes / 1e6], 400.0))
    note("start")
    figures.append(figure("import wisp", "s", [bench.import_s() for _ in range(repeats)], 0.2))
    first = [bench.first_output_s() for _ in range(repeats)]
    figures.append(figure("wisp --help, first output", "s", first, 0.5))
    if large is not None:
        figures += measure_large(bench, image, large, median(at_bpp.wall_s), median(decompress.wall_s))
    return figures


def measure_large(
    bench: Bench, image: Image.Image, large: tuple[int, int], compress_s: float, decompress_s: float
) -> list[Figure]:
    """The same for the photograph mirrored to many pixels; `..._s` are the small one's medians."""
    width, height = large
    note(f"{width}x{height}")
    photo, file = bench.folder / "large.png", bench.folder / "large.wisp"
    mirrored(image, width, height).save(photo, compress_level=1)
    times_larger = width * height / (image.width * image.height)
    compress = bench.run("compress", photo, size=budget_num_bytes(BPP, width, height), output=file)
    decompress = bench.run("decompress", file)
    figures = []
    for what, answer, small_s in (
        ("compress", compress, compress_s),
        ("decompress", decompress, decompress_s),
    ):
        name = f"{what}, {width}x{height}, {BPP} bpp"
        per_pixel = [wall / times_larger / small_s for wall in answer.wall_s]
        figures.append(figure(f"{name}, wall", "s", answer.wall_s))
        figures.append(figure(f"{name}, CPU", "s", answer.cpu_s))
        figures.append(
            figure(f"{name}, time a pixel over the small picture's", "1", per_pixel, LARGE_OVER_SMALL)
        )
        figures.append(figure(f"{name}, peak memory", "MB", [answer.peak_memory_bytes / 1e6], 2**30 / 1e6))
    return figures


def summary(figures: Sequence[Figure], about: str) -> str:
    """The page: a line a figure."""
    lines = []
    for f in figures:
        places = 1 if f.unit == "MB" else 3
        kept = {None: "", True: "kept", False: "**missed**"}[f.is_kept]
        values = [number(value, places) for value in (f.median, f.least, f.most)]
        limit = "" if f.limit is None else f"{f.limit:g}"
        lines.append([f.what, f.unit, *values, str(f.runs), limit, kept])
    header = ["what", "unit", "median", "least", "most", "runs", "limit", ""]
    return "\n".join(["# Speed and memory", "", about, "", *table(header, lines)]) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, or 1 with one line on stderr. A missed limit is a result, not an error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m wisp.bench.speed", description="times and peak memory")
    parser.add_argument("--image", type=Path, required=True, help="a photograph, best 768x512")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--model", help="a model's name or a bundle's path")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, after a warm-up")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores each process may use")
    parser.add_argument("--no-large", action="store_true", help="leave out 6000x4000")
    options = parser.parse_args(arguments)
    try:
        if options.repeats < 2 or options.threads < 1:
            raise UsageError("--repeats and --threads: expected at least 2 runs and 1 thread")
        image = read_picture(options.image)
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), options.threads, options.model)
            figures = measure(bench, image, options.repeats, None if options.no_large else LARGE)
    except WispError as fault:
        print(f"speed: {fault}", file=sys.stderr)
        return 1
    threads = min(options.threads, usable_cores())
    record = meta("wisp.bench.speed", arguments, threads=threads, width=image.width, height=image.height)
    about = (
        f"{record['cpu_model']}, {threads} of {record['cpu_cores']} cores, {image.width}x{image.height} "
        "unless said; a warm-up run goes before timed ones. Limits as in the project's design."
    )
    write_json(options.out / "speed.json", {"figures": [asdict(f) | {"kept": f.is_kept} for f in figures]})
    write_text(options.out / "summary.md", summary(figures, about))
    write_json(options.out / "meta.json", record)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
