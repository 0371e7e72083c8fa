"""Frames from folders and videos, and into them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from wisp.api import open_image
from wisp.cli.files import STREAM, check_output, write_output
from wisp.errors import CodecError, ImageError, UsageError
from wisp.imaging import RECEIVED, Picture, encode_picture, to_picture

DEFAULT_RATE = (25, 1)
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".webm", ".avi", ".gif"})
WRITABLE_SUFFIXES = frozenset({".mp4", ".mkv", ".mov"})
_FRAME_NAME = re.compile(r"\d{5}\.png")
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm"}
)


class _Pictures:
    """Pictures of these names, each read when its turn comes."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Picture]:
        size = None
        for path in self._paths:
            picture = open_image(path)
            size = size or (picture.width, picture.height)
            if size != (picture.width, picture.height):
                raise ImageError(
                    f"{path!r}: expected a frame of {size[0]}x{size[1]} like the first, found {picture.width}x"
                    f"{picture.height}; scale it"
                )
            yield picture


def frames_of(sources: Sequence[str]) -> tuple[Iterable[Picture], tuple[int, int]]:
    if len(sources) == 1 and os.path.isdir(sources[0]):
        names = sorted(os.listdir(sources[0]), key=_counted)
        paths = [os.path.join(sources[0], n) for n in names if Path(n).suffix.lower() in PICTURE_SUFFIXES]
        if not paths:
            raise ImageError(f"{sources[0]!r}: expected a folder of pictures, found none")
        return _Pictures(paths), DEFAULT_RATE
    if len(sources) == 1 and Path(sources[0]).suffix.lower() in VIDEO_SUFFIXES:
        return _read_video(sources[0])
    return _Pictures(sources), DEFAULT_RATE


def _counted(name: str) -> tuple[list[str | int], str]:
    """A key by which f2 comes before f10: digits count as the number they are."""
    parts = re.split("([0-9]+)", name)  # words and numbers in turn, beginning with a word
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _av() -> Any:
    try:
        import av  # heavy, and only videos need it
    except ModuleNotFoundError:
        raise UsageError(
            "expected the package av to read or write videos, found none: install wisp-codec[video], or use a "
            "folder of frames"
        ) from None
    return av


def _read_video(path: str) -> tuple[Iterable[Picture], tuple[int, int]]:
    av = _av()
    try:
        with av.open(path) as container:
            rate = Fraction(container.streams.video[0].average_rate or 25).limit_denominator(1001)
    except (av.FFmpegError, OSError, IndexError, ValueError) as fault:
        raise ImageError(f"{path!r}: expected a video, found: {' '.join(str(fault).split())}") from None
    return _video_frames(path), (rate.numerator, rate.denominator)


def _video_frames(path: str) -> Iterator[Picture]:
    av = _av()
    try:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                yield to_picture(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, ValueError) as fault:
        raise ImageError(f"{path!r}: expected a whole video, found: {' '.join(str(fault).split())}") from None


def write_video(target: str, frames: Iterator[Any], rate: tuple[int, int]) -> None:
    """Nearly lossless H.264, without an odd last line, that says where it comes from; whole or not at all."""
    av = _av()
    place = Path(os.path.realpath(target))
    part = _part_in(place.parent, place.suffix)
    try:
        with av.open(str(part), "w") as container:
            container.metadata["comment"] = RECEIVED
            stream = container.add_stream("libx264", rate=Fraction(*rate), options={"crf": "10"})
            stream.pix_fmt = "yuv420p"
            for number, image in enumerate(frames):
                width, height = (side - side % 2 for side in image.size)
                if not number:
                    stream.width, stream.height = width, height
                cut = image.convert("RGB").crop((0, 0, width, height))
                container.mux(stream.encode(av.VideoFrame.from_image(cut)))
            container.mux(stream.encode())
        os.replace(part, place)
    except (av.FFmpegError, OSError) as fault:
        raise CodecError(f"cannot write {target!r}: {' '.join(str(fault).split())}") from None
    finally:
        part.unlink(missing_ok=True)


def write_folder(target: str, frames: Iterator[Any], start: int) -> None:
    """Numbered PNG files, all of them or none; those of an earlier sequence go, once the new ones are there."""
    folder = Path(os.path.realpath(target))
    part = _part_in(folder)
    is_new = not folder.exists()
    names = set()
    try:
        part.mkdir(parents=is_new)
        for number, image in enumerate(frames, start=start):
            name = f"{number:05d}.png"
            write_output(str(part / name), encode_picture(image, "png"))
            names.add(name)
        for name in sorted(names):
            os.replace(part / name, folder / name)
        for old in folder.iterdir():
            if _FRAME_NAME.fullmatch(old.name) and old.name not in names:
                old.unlink()
    except OSError as fault:
        raise CodecError(f"cannot write {target!r}: {fault.strerror or fault}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()  # which it refuses if frames are in it


def _part_in(folder: Path, suffix: str = "") -> Path:
    """A name beside the target, so that a rename puts it in place, and nobody else's."""
    return folder / f".wisp-{os.urandom(8).hex()}.part{suffix}"


def check_target(target: str, width: int, height: int, force: bool) -> bool:
    """Whether the frames go into a video; else into a folder.

    Raises:
        UsageError: it is neither, or taken, or the frames are too small for a video.
    """
    suffix = Path(target).suffix.lower()
    if suffix in WRITABLE_SUFFIXES:
        check_output(target, force)
        if min(width, height) < 2:
            raise UsageError(f"expected frames of at least 2x2 pixels for a video, found {width}x{height}")
        return True
    if target == STREAM or suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
        raise UsageError(
            f"expected a folder for frames, or a name that ends in {', '.join(sorted(WRITABLE_SUFFIXES))}, "
            f"found {target!r}"
        )
    folder = Path(target)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not force)):
        raise UsageError(f"expected an empty place for frames, found {target!r}; choose another, or give -f")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"cannot write {target!r}: expected a writable place, found no directory above it")
    return False
