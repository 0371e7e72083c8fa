"""wisp and its peers on a folder of pictures at equal bytes.

    wisp bench run --images DIR --out results/NAME [--codecs NAMES] [--bpp RATES] [--jobs N]

A run that was stopped goes on where it was: rows that are still current are not measured again. What cannot be
measured, a codec or metric that is not installed or a broken picture, is named on stderr and in meta.json, and
the rest is measured. Exit code 0; 1 if nothing could be measured, or a process or the disk failed; 2 for wrong
usage, in which case nothing was written; 130 if interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wisp.bench.command import command, command_parser, rate_list
from wisp.bench.equal_bytes import Measure
from wisp.bench.equal_bytes_table import summary
from wisp.bench.pictures import picture_paths
from wisp.bench.provenance import checkout, meta, note, require_place, usable_cores, write_json, write_text
from wisp.bench.run_crew import measure_here, measure_with_crew
from wisp.bench.run_picture import Message, PictureTask
from wisp.bench.run_progress import RunProgress
from wisp.bench.run_record import RunRecord
from wisp.bench.workshop import Tools, Workshop, one_thread, open_workshop
from wisp.errors import ImageError, UsageError

CODECS = "wisp,jpeg,webp,avif,jxl,avif@1/2,avif@1/4,webp@1/2,webp@1/4,blurhash,thumbhash"
BUDGETS_BPP = "0.005,0.01,0.02,0.05,0.1,0.2,0.4"
MOST_JOBS = 4  # unless asked for: every process holds all metric networks
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@dataclass(frozen=True)
class Plan:
    """One run, checked before anything is written.

    Attributes:
        paths: the pictures' files.
        out: folder of the results.
        tools: what to measure with.
        budgets_bpp: in bits per pixel.
        wall: stems of the pictures whose crops are kept.
        jobs: processes that measure.
    """

    paths: tuple[Path, ...]
    out: Path
    tools: Tools
    budgets_bpp: tuple[float, ...]
    wall: tuple[str, ...]
    jobs: int


def parse_names(option: str, text: str) -> tuple[str, ...]:
    """Names from a list with commas; repeated ones count once.

    Raises:
        UsageError: a name is empty.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(names):
        raise UsageError(f"{option}: expected names with commas between, found {text!r}")
    return names


def parse(arguments: Sequence[str]) -> Plan:
    """Options to a plan.

    Raises:
        UsageError: options out of range, or no pictures.
        SystemExit: what argparse refuses by itself, or --help.
    """
    parser = command_parser("run", "codecs on pictures at equal bytes", "images weights model")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the results; goes on with what it has"
    )
    parser.add_argument("--codecs", default=CODECS, help=f"names with commas between (default: {CODECS})")
    parser.add_argument("--bpp", default=BUDGETS_BPP, help=f"bits per pixel (default: {BUDGETS_BPP})")
    parser.add_argument("--metrics", help="names with commas between (default: all)")
    parser.add_argument("--wall", help="pictures, without suffix, of which crops are kept for the report")
    parser.add_argument(
        "--jobs", type=int, help=f"processes of one thread each (default: a core each, at most {MOST_JOBS})"
    )
    options = parser.parse_args(arguments)
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs: expected at least 1 process, found {options.jobs}")
    require_place(options.out)
    paths = tuple(picture_paths(options.images))
    wall = () if options.wall is None else parse_names("--wall", options.wall)
    unknown = [name for name in wall if name not in {path.stem for path in paths}]
    if unknown:
        raise UsageError(f"--wall: expected pictures of {options.images}, found {', '.join(unknown)}")
    tools = Tools(
        codecs=parse_names("--codecs", options.codecs),
        model=options.model,
        weights=options.weights,
        metrics=None if options.metrics is None else parse_names("--metrics", options.metrics),
    )
    jobs = options.jobs or min(usable_cores(), MOST_JOBS)
    return Plan(
        paths,
        options.out,
        tools,
        tuple(dict.fromkeys(rate_list("--bpp", options.bpp))),
        wall,
        min(jobs, len(paths)),
    )


def collect(plan: Plan, workshop: Workshop, record: RunRecord) -> int:
    """Measure what is missing; the number of rows that were.

    Raises:
        ImageError: no picture could be measured.
        CodecError: a measuring process failed.
    """
    rows_per_picture = len(workshop.codecs) * len(plan.budgets_bpp)
    with RunProgress(len(plan.paths), rows_per_picture) as progress:
        for kind, reasons in (("codec", workshop.unavailable_codecs), ("metric", workshop.panel.unavailable)):
            for name, reason in reasons.items():
                progress.say(f"{kind} {name} is not available: {reason}")
        with closing(_messages(plan, workshop, record.tasks())) as messages:
            for message in messages:
                record.take(message, progress)
        return progress.num_rows


def _messages(plan: Plan, workshop: Workshop, tasks: Sequence[PictureTask]) -> Generator[Message, None, None]:
    if plan.jobs == 1:
        return measure_here(tasks, workshop)
    return measure_with_crew(tasks, workshop.tools, plan.jobs)


def run(plan: Plan, arguments: Sequence[str]) -> None:
    """Measure, and write the results.

    Raises:
        WispError: nothing could be measured; rows of before are kept.
    """
    started, code = time.monotonic(), checkout()
    with one_thread():
        workshop = open_workshop(plan.tools)
        record = RunRecord(plan.out, plan.paths, plan.budgets_bpp, plan.wall)
        num_measured = collect(plan, workshop, record)
    rows = record.rows(workshop)
    if not rows:
        raise ImageError(f"expected pictures that can be measured, found none among {len(plan.paths)}")
    record.tidy()
    measures = [
        Measure(metric.name, metric.direction.name == "HIGHER", metric.unit)
        for metric in workshop.panel.metrics
    ]
    page = summary(rows, list(workshop.codec_versions), plan.budgets_bpp, measures)
    write_text(plan.out / "summary.md", page)
    about = meta(
        "wisp.bench.run",
        arguments,
        code,
        codecs=workshop.codec_versions,
        unavailable_codecs=workshop.unavailable_codecs,
        metrics=workshop.metrics_record(),
        metrics_version=workshop.panel.version,
        budgets_bpp=list(plan.budgets_bpp),
        wall=list(plan.wall),
        **record.for_meta(),
        jobs=plan.jobs,
        num_rows_measured=num_measured,
        elapsed_s=round(time.monotonic() - started, 1),
    )
    write_json(plan.out / "meta.json", about)


@command("run")
def main(arguments: Sequence[str]) -> int:
    """The command; 130 when it was interrupted."""
    try:
        run(parse(arguments), arguments)
    except OSError as fault:
        where = f" at {fault.filename}" if fault.filename else ""
        note(
            f"bench run: expected to write the results, found: {fault.strerror or fault}{where}; the rows so far are "
            "kept, the same command goes on from there"
        )
        return 1
    except KeyboardInterrupt:
        note("bench run: interrupted; the rows so far are kept, the same command goes on from there")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
