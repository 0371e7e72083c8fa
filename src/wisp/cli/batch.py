"""One file or many: which input becomes which output, and what happens when one of many fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

import typer

from wisp.cli.console import say
from wisp.cli.faults import BAD_INPUT, describe
from wisp.cli.files import STREAM, same_file
from wisp.errors import UsageError
from wisp.imaging import format_of

WRITTEN = (".wisp", ".wisps", ".txt")  # what wisp writes that is no picture


@dataclass(frozen=True)
class Job:
    """One file's way: names as given, or `-`."""

    source: str
    target: str


def plan_jobs(paths: Sequence[str], suffix: str) -> list[Job]:
    """Read a list of names the way `cp` does: IN, or IN OUT, or IN... DIRECTORY.

    Args:
        paths: at least one name. A last name that is a directory, that ends in a slash, or that follows two
            or more others and is not a file's by its suffix, is the directory for all outputs; it is made if it
            is not there.
        suffix: of outputs that are named after their inputs, with its dot.

    Raises:
        UsageError: the names cannot be meant so, or two inputs would get one output.
    """
    if not paths:
        raise UsageError("expected an input, found none; name a file, or - for stdin")
    if len(paths) == 1:
        source = paths[0]
        target = STREAM if source == STREAM else str(_named(source).with_suffix(suffix))
        return [_checked(Job(source, target))]
    *sources, last = paths
    if len(sources) == 1 and not _is_folder(last):
        return [_checked(Job(sources[0], last))]
    return _plan_folder(sources, last, suffix)


def _plan_folder(sources: Sequence[str], last: str, suffix: str) -> list[Job]:
    if STREAM in (*sources, last):
        raise UsageError(
            "expected files and a directory for many outputs, found -; it can only be used alone"
        )
    if not _is_folder(last) and os.path.lexists(last):
        raise UsageError(
            f"expected a directory as the last of {len(sources) + 1} names, found the file {last!r}"
        )
    if not _is_folder(last) and _has_suffix_of_a_file(last):
        raise UsageError(
            f"expected a directory as the last of {len(sources) + 1} names, found {last!r}, a file's name; "
            "name a directory, or end it with a slash"
        )
    jobs: dict[str, Job] = {}
    for source in sources:
        target = str(Path(last) / _named(source).with_suffix(suffix).name)
        if target in jobs:
            raise UsageError(
                f"expected one output for each input, found {target!r} for {jobs[target].source!r} "
                f"and {source!r}; rename one, or use two directories"
            )
        jobs[target] = _checked(Job(source, target))
    try:
        Path(last).mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise UsageError(
            f"expected a directory that can be made, found: {fault.strerror} at {last!r}; choose another"
        ) from fault
    return list(jobs.values())


def _is_folder(path: str) -> bool:
    return path != STREAM and (path.endswith(("/", os.sep)) or os.path.isdir(path))


def _has_suffix_of_a_file(path: str) -> bool:
    try:
        format_of(path)
    except UsageError:
        return PurePath(path).suffix.lower() in WRITTEN
    return True


def _named(source: str) -> PurePath:
    path = PurePath(source)
    if not path.name:
        raise UsageError(f"expected the name of a file, found {source!r}")
    return path


def _checked(job: Job) -> Job:
    if same_file(job.source, job.target):
        raise UsageError(f"expected an output apart from the input, found {job.target!r} for both")
    return job


def run_jobs(jobs: Sequence[Job], work: Callable[[Job], None], quiet: bool) -> None:
    """Do one job, whose errors are the command's; or many, of which each may fail by itself.

    Raises:
        typer.Exit: one of many failed, and was reported; the others were done.
    """
    if len(jobs) == 1:
        work(jobs[0])
        return
    failed = 0
    with _progress(len(jobs), quiet) as step:
        for job in jobs:
            try:
                work(job)
            except BrokenPipeError:
                raise
            except Exception as fault:  # whatever it is, thousands of other files may be waiting
                failed += 1
                say(f"wisp: {describe(fault, job.source)}")
            step()
    if failed:
        say(f"wisp: {failed} of {len(jobs)} files failed")
        raise typer.Exit(BAD_INPUT)


@contextmanager
def _progress(count: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing in a pipe; yields what to call when a job is done."""
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # slow to import, and seldom needed
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count)
        yield lambda: bar.advance(task)
