"""`wisp compress frames/ clip.wisps` and `wisp decompress clip.wisps frames/`: sequences of frames."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from wisp.api import open_image
from wisp.cli.console import say
from wisp.cli.files import STREAM, check_output, naming, write_output
from wisp.errors import CodecError, ImageError, UsageError
from wisp.imaging import Picture, encode_picture, to_picture
from wisp.sequences import DEFAULT_KEY_EVERY, compress_sequence, decompress_sequence, read_sequence_info

SUFFIX = ".wisps"
DEFAULT_RATE = (25, 1)
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".webm", ".avi", ".gif"})
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm"}
)
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
                f"expected a sequence without --{name.replace('_', '-')}, found it; give --size or --quality alone"
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
    frames, rate = _frames(sources)
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
            f"expected a sequence and a folder or a video for its frames, found {len(paths)} names"
        )
    source, target = paths
    try:
        data = sys.stdin.buffer.read() if source == STREAM else Path(source).read_bytes()
    except OSError as fault:
        raise CodecError(
            f"{source!r}: expected a sequence to read, found: {fault.strerror}; check the name"
        ) from fault
    with naming(source):
        info = read_sequence_info(data)
        start = first or 0
        frames = decompress_sequence(data, first=start, model=model, threads=threads)
        count = len(info.frame_num_bytes) - start
        with _bar(quiet) as step:
            if Path(target).suffix.lower() in VIDEO_SUFFIXES:
                check_output(target, force)
                _write_video(target, _counted(frames, count, step), info.rate)
            else:
                _write_folder(target, _counted(frames, count, step), start, force)
    if not quiet:
        say(f"{target}: {count} frames of {info.width}x{info.height}")


def parse_rate(text: str) -> tuple[int, int]:
    """Frames and seconds of "25", "29.97" or "30000/1001".

    Raises:
        UsageError: it is no number above 0.
    """
    try:
        rate = Fraction(text)
        if "/" not in text:
            rate = rate.limit_denominator(LARGEST_PART)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"expected --fps as a number such as 25, 29.97 or 30000/1001, found {text!r}")
    return rate.numerator, rate.denominator


def _frames(sources: Sequence[str]) -> tuple[list[Picture], tuple[int, int]]:
    if len(sources) == 1 and os.path.isdir(sources[0]):
        names = sorted(os.listdir(sources[0]))
        paths = [os.path.join(sources[0], n) for n in names if Path(n).suffix.lower() in PICTURE_SUFFIXES]
        if not paths:
            raise ImageError(f"{sources[0]!r}: expected a folder of pictures, found none")
        return [open_image(path) for path in paths], DEFAULT_RATE
    if len(sources) == 1 and Path(sources[0]).suffix.lower() in VIDEO_SUFFIXES:
        return _read_video(sources[0])
    return [open_image(path) for path in sources], DEFAULT_RATE


def _av() -> Any:
    try:
        import av  # heavy, and only videos need it
    except ModuleNotFoundError:
        raise UsageError(
            "expected the package av to read or write videos, found none: install wisp-codec[video], or use a "
            "folder of frames"
        ) from None
    return av


def _read_video(path: str) -> tuple[list[Picture], tuple[int, int]]:
    av = _av()
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            rate = Fraction(stream.average_rate or 25).limit_denominator(1001)
            frames = [to_picture(frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
    except (av.FFmpegError, OSError, IndexError, ValueError) as fault:
        reason = " ".join(str(fault).split())
        raise ImageError(f"{path!r}: expected a video, found: {reason}") from None
    if not frames:
        raise ImageError(f"{path!r}: expected a video with frames, found none")
    return frames, (rate.numerator, rate.denominator)


def _write_video(target: str, frames: Iterator[Any], rate: tuple[int, int]) -> None:
    """Nearly lossless H.264, or what the container takes; it appears whole or not at all."""
    av = _av()
    part = Path(target).with_name(f".{Path(target).stem}.part{Path(target).suffix}")
    try:
        with av.open(str(part), "w") as container:
            stream = None
            for image in frames:
                colour = image.convert("RGB")
                if stream is None:
                    stream = container.add_stream("libx264", rate=Fraction(*rate), options={"crf": "10"})
                    stream.width, stream.height = (side - side % 2 for side in colour.size)
                    stream.pix_fmt = "yuv420p"
                cut = colour.crop((0, 0, stream.width, stream.height))
                container.mux(stream.encode(av.VideoFrame.from_image(cut)))
            if stream is not None:
                container.mux(stream.encode())
        os.replace(part, target)
    except (av.FFmpegError, OSError) as fault:
        reason = " ".join(str(fault).split())
        raise CodecError(f"cannot write {target!r}: {reason}") from None
    finally:
        part.unlink(missing_ok=True)


def _write_folder(target: str, frames: Iterator[Any], start: int, force: bool) -> None:
    folder = Path(target)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not force)):
        raise UsageError(f"expected an empty place for frames, found {target!r}; choose another, or give -f")
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(frames, start=start):
        write_output(str(folder / f"{number:05d}.png"), encode_picture(image, "png"))


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
