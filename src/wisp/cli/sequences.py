"""`wisp compress frames/ clip.wisps` and `wisp decompress clip.wisps frames/`: sequences of frames."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from wisp.cli.console import say
from wisp.cli.files import check_output, naming, write_output
from wisp.cli.frame_files import check_target, frames_of, write_folder, write_video
from wisp.errors import CodecError, UsageError
from wisp.sequences import DEFAULT_KEY_EVERY, compress_sequence, decompress_sequence, read_sequence_info

SUFFIX = ".wisps"
_RATE = re.compile(r"\d{1,6}(\.\d{1,6})?|\d{1,6}/\d{1,6}")
LARGEST_PART = 1000  # of a frame rate written as a decimal number


def makes_sequence(paths: Sequence[str]) -> bool:
    """Whether the output's name says that a sequence is wanted."""
    return len(paths) > 1 and paths[-1].lower().endswith(SUFFIX)


def reads_sequence(paths: Sequence[str]) -> bool:
    """Whether an input's name says that it is a sequence."""
    return any(path.lower().endswith(SUFFIX) for path in (paths[:-1] or paths))


def refuse_for_frames(**options: object) -> None:
    """Options that a sequence does not have.

    Raises:
        UsageError: one is given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(
                f"expected no --{name.replace('_', '-')} with a .wisps sequence, found it; leave it out"
            )


def compress_frames(
    paths: Sequence[str],
    *,
    size: str | None,
    quality: float | None,
    fps: str | None,
    key_every: int | None,
    model: str | None,
    threads: int | None,
    force: bool,
    quiet: bool,
) -> None:
    """A folder of frames, pictures by name, or a video, to a sequence."""
    *sources, target = paths
    check_output(target, force)
    frames, rate = frames_of(sources)
    with _bar(quiet) as step:
        data = compress_sequence(
            frames,
            size=size,
            quality=quality,
            rate=rate if fps is None else parse_rate(fps),
            key_every=DEFAULT_KEY_EVERY if key_every is None else key_every,
            model=model,
            threads=threads,
            progress=step,
        )
    write_output(target, data)
    if not quiet:
        info = read_sequence_info(data)
        say(
            f"{target}: {info.num_bytes} bytes, {len(info.frame_num_bytes)} frames of {info.width}x{info.height}, "
            f"{len(info.keys)} of them key frames, {info.rate_kbps:.1f} kbit/s at "
            f"{float(Fraction(*info.rate)):g} frames/s"
        )


def decompress_frames(
    paths: Sequence[str],
    *,
    first: int | None,
    count: int | None,
    model: str | None,
    threads: int | None,
    force: bool,
    quiet: bool,
) -> None:
    """A sequence to a folder of numbered PNG files, or to a video.

    Raises:
        UsageError: not one sequence and one place for it.
    """
    if len(paths) != 2:
        raise UsageError(
            f"expected a sequence, and a folder or a video for its frames, found {len(paths)} names; name both"
        )
    source, target = paths
    data = _read(source)
    with naming(source):
        info = read_sequence_info(data)
        into_video = check_target(target, info.width, info.height, force)
        start = first or 0
        frames = decompress_sequence(data, first=start, count=count, model=model, threads=threads)
        count = len(info.frame_num_bytes) - start if count is None else count
        with _bar(quiet) as step:
            counted = _counted(frames, count, step)
            if into_video:
                write_video(target, counted, info.rate)
            else:
                write_folder(target, counted, start)
    if not quiet:
        say(f"{target}: {count} frames of {info.width}x{info.height}")


def sequence_lines(path: str, as_json: bool) -> list[str]:
    """What `wisp info` prints of a sequence.

    Raises:
        CodecError: it cannot be read, or its bytes are at fault.
    """
    data = _read(path)
    with naming(path):
        info = read_sequence_info(data)
    if as_json:
        return [json.dumps({"file": path, **asdict(info), "rate_kbps": info.rate_kbps}, indent=1)]
    keys = [info.frame_num_bytes[number] for number in info.keys]
    return [
        f"{path}: {len(info.frame_num_bytes)} frames of {info.width}x{info.height}, {info.num_bytes} bytes",
        f"  rate      {info.rate_kbps:.1f} kbit/s at {float(Fraction(*info.rate)):g} frames/s",
        f"  model     {info.model_number}",
        f"  key frames {', '.join(map(str, info.keys))}: {sum(keys)} bytes together",
    ]


def check_frames(path: str, model: str | None, threads: int | None) -> None:
    """Show all frames of a sequence to nobody.

    Raises:
        CodecError: it cannot be read, or its bytes are at fault.
    """
    data = _read(path)
    with naming(path):
        for _ in decompress_sequence(data, model=model, threads=threads):
            pass


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as fault:
        raise CodecError(
            f"{path!r}: expected a sequence to read, found: {fault.strerror}; check the name"
        ) from fault


def parse_rate(text: str) -> tuple[int, int]:
    """Frames and seconds of "25", "29.97" or "30000/1001".

    Raises:
        UsageError: it is no number above 0.
    """
    rate = Fraction(0)
    if _RATE.fullmatch(text):
        try:
            rate = Fraction(text)
            rate = rate if "/" in text else rate.limit_denominator(LARGEST_PART)
        except ZeroDivisionError:
            rate = Fraction(0)
    if rate <= 0:
        raise UsageError(
            f"expected --fps as a number above 0, such as 25, 29.97 or 30000/1001, found {text!r}"
        )
    return rate.numerator, rate.denominator


def _counted(frames: Iterator[Any], count: int, step: Callable[[int, int], None]) -> Iterator[Any]:
    for number, frame in enumerate(frames, start=1):
        yield frame
        step(number, count)


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing in a pipe; yields what to call with frames done and frames in all."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, count: None
        return
    from rich.console import Console  # slow to import, and seldom needed
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, count: bar.update(task, completed=done, total=count)
