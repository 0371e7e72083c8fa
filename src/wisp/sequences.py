"""The door for sequences: key frames, and between them frames that move the one before (docs/sequences.md)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.codecs import AnyCodec, any_codec_for_file, any_codec_for_model
from wisp.codecs.frame_sequence import SequenceWriter, read_sequence
from wisp.container import read_header
from wisp.container.sequence import Frame, FrameSequence, pack_sequence, unpack_sequence
from wisp.errors import BitstreamError, BudgetError, LimitExceeded, UsageError
from wisp.imaging import Picture, to_picture
from wisp.rate import make_target
from wisp.types import SequenceInfo

ImageLike = Image.Image | NDArray[Any]
Rate = tuple[int, int]

DEFAULT_KEY_EVERY = 24
MAX_KEY_EVERY = 1000
MAX_FRAME_PIXELS = 1 << 24  # of one frame
HALVINGS = 6  # of the quality, for a size
LOW = (0.0, 3.0, 6.0, 10.0)  # qualities among which the smallest sequence is
Progress = Callable[[int, int], None]


def compress_sequence(
    frames: Iterable[ImageLike | Picture],
    *,
    size: int | str | None = None,
    quality: float | None = None,
    rate: Rate = (25, 1),
    key_every: int = DEFAULT_KEY_EVERY,
    model: str | Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Compress frames of one size to a wisp sequence.

    Args:
        frames: PIL images or uint8 arrays (H, W, 3) or (H, W), in order, at least one.
        size: the most bytes of the whole sequence, such as 50000 or "50kB": a promise. Frames are coded several times.
        quality: 0..100 (default 50): of every frame, as for pictures.
        rate: (frames, seconds): 30000, 1001 is 29.97 frames a second. It is written down and used by players only.
        key_every: at least every so many frames is a key frame, at which decoding can begin, 1..1000; so is the first
            of another scene. 1 makes key frames only.
        model: name of a model, or path of a bundle; any. Those with a grain map can also code single regions anew.
        threads: for the networks.
        progress: called with how many frames are done, and how many there are in all.

    Returns:
        the sequence's bytes.

    Raises:
        ImageError: a frame cannot be used, or is of another size than the first.
        BudgetError: no sequence that was tried is that small; it carries the smallest size found.
        LimitExceeded: there are too many frames.
        ModelError: the model is unknown, missing or broken.
        UsageError: there is no frame, or an option is out of range.
    """
    if size is not None and quality is not None:
        raise UsageError("expected one of size and quality, found both; give just one")
    if isinstance(frames, Image.Image | Picture | np.ndarray) or not isinstance(frames, Iterable):
        raise UsageError(f"expected frames one after another, found {type(frames).__name__}; give a list")
    target = make_target(size, None, quality)
    key_every, rate = _settle(key_every, 1, MAX_KEY_EVERY, "key_every"), _settle_rate(rate)
    codec = any_codec_for_model(model, threads)
    if target.quality is not None:
        return _code(codec, frames, target.quality, key_every, rate, progress, 0, None)
    pictures = [_picture(frame) for frame in frames]
    assert target.size is not None
    every, done = len(pictures) * (HALVINGS + 1), 0
    best: bytes | None = None
    smallest = 1 << 62
    low, high = 0.0, 100.0
    tried = [*LOW]  # bytes rise with quality, but for a few at its lower end
    while done < every:
        here = tried.pop(0) if best is None and tried else (low + high) / 2
        if done + len(pictures) >= every and high == 100:
            here = high
        data = _code(codec, pictures, here, key_every, rate, progress, done, every)
        done += len(pictures)
        smallest = min(smallest, len(data))
        if len(data) <= target.size:
            low = max(low, here)
            best = data if best is None or len(data) > len(best) else best
        elif best is not None:
            high = here
        elif not tried:
            raise BudgetError(
                f"expected a size of about {smallest} bytes, the least that was tried, or more for these frames, found "
                f"{target.size}; ask for more, or take fewer or smaller frames",
                smallest,
            )
    assert best is not None
    return best


def decompress_sequence(
    data: bytes,
    *,
    first: int = 0,
    count: int | None = None,
    model: str | Path | None = None,
    max_pixels: int = MAX_FRAME_PIXELS,
    threads: int | None = None,
) -> Iterator[Image.Image]:
    """The frames of a sequence, one after another: mode RGB, or L if the pictures are grey.

    Args:
        data: the whole sequence.
        first: number of the first frame; decoding begins at the key frame before it.
        count: how many; default all that follow.
        model, threads: as for `wisp.decompress`.
        max_pixels: larger frames are refused before anything is allocated; a frame takes about 100 bytes a pixel.

    Raises:
        BitstreamError: the bytes are at fault.
        ModelError: the model is unknown, missing or broken.
        UsageError: there is no frame of that number.
    """
    sequence = unpack_sequence(_as_bytes(data))
    last = len(sequence.frames)
    first = _settle(first, 0, last - 1, "first")
    count = last - first if count is None else _settle(count, 1, last - first, "count")
    known, *_ = read_header(sequence.frames[0].data, max_pixels)
    codec = any_codec_for_file(known.model_number, model, threads)
    shown = read_sequence(codec, sequence, first, max_pixels)
    return _images(shown, count, all(map(_is_grey, (f for f in sequence.frames if f.is_key))))


def read_sequence_info(data: bytes, *, max_pixels: int = MAX_FRAME_PIXELS) -> SequenceInfo:
    """What a sequence says of itself; no pixels are decoded and no model is needed.

    Raises:
        BitstreamError: the bytes are at fault.
    """
    data = _as_bytes(data)
    sequence = unpack_sequence(data)
    header, *_ = read_header(sequence.frames[0].data, max_pixels)
    return SequenceInfo(
        width=header.width,
        height=header.height,
        model_number=header.model_number,
        rate=sequence.rate,
        num_bytes=len(data),
        frame_num_bytes=tuple(len(frame.data) for frame in sequence.frames),
        keys=tuple(number for number, frame in enumerate(sequence.frames) if frame.is_key),
    )


def key_frame(data: bytes, number: int) -> bytes:
    """The wisp file that a key frame is: `wisp.decompress` shows it.

    Raises:
        BitstreamError: the bytes are at fault.
        UsageError: frame `number` is not there, or is no key frame.
    """
    sequence: FrameSequence = unpack_sequence(_as_bytes(data))
    number = _settle(number, 0, len(sequence.frames) - 1, "frame")
    if not sequence.frames[number].is_key:
        raise UsageError(
            f"expected a key frame, found frame {number}, which moves the one before; the key frame before it is "
            f"{sequence.key_before(number)}"
        )
    return sequence.frames[number].data


def _code(
    codec: AnyCodec,
    frames: Iterable[ImageLike | Picture],
    quality: float,
    key_every: int,
    rate: Rate,
    progress: Progress | None,
    done: int,
    every: int | None,
) -> bytes:
    writer = SequenceWriter(codec, quality, key_every)
    known = len(frames) if isinstance(frames, Sized) else 0
    coded = []
    for number, frame in enumerate(frames, start=1):
        coded.append(writer.add(_picture(frame)).frame)
        if progress is not None:
            progress(done + number, every or max(known, number))
    if not coded:
        raise UsageError("expected at least one frame, found none; name a folder of pictures")
    return pack_sequence(coded, rate)


def _picture(frame: ImageLike | Picture) -> Picture:
    picture = frame if isinstance(frame, Picture) else to_picture(frame)
    if picture.width * picture.height > MAX_FRAME_PIXELS:
        raise LimitExceeded(
            f"expected frames of at most {MAX_FRAME_PIXELS} pixels, found {picture.width}x{picture.height}; scale them"
        )
    return picture


def _images(
    shown: Iterator[tuple[NDArray[np.uint8], bool]], count: int, all_grey: bool
) -> Iterator[Image.Image]:
    for _, (pixels_u8, is_grey) in zip(range(count), shown, strict=False):
        image = Image.fromarray(pixels_u8)
        grey = image.convert("L") if is_grey else image
        yield grey if all_grey else grey.convert("RGB")


def _is_grey(frame: Frame) -> bool:
    """What a key frame's header says; damage is told when the frame's turn comes."""
    try:
        return read_header(frame.data)[0].greyscale
    except BitstreamError:
        return False


def _settle(value: Any, least: int, most: int, name: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most:
        raise UsageError(f"expected {name} as a whole number from {least} to {most}, found {value!r}")
    return number


def _settle_rate(rate: Any) -> Rate:
    parts = tuple(rate) if isinstance(rate, list | tuple) else ()
    if len(parts) != 2:
        raise UsageError(f"expected a frame rate as (frames, seconds), found {rate!r}")
    return _settle(parts[0], 1, 1 << 24, "frames"), _settle(parts[1], 1, 1 << 24, "seconds")


def _as_bytes(data: object) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UsageError(
            f"expected the bytes of a wisp sequence, found {type(data).__name__}; read the file first"
        )
    size = memoryview(data).nbytes
    if size > 1 << 31:
        raise LimitExceeded(f"expected a sequence of at most 2 GiB, found {size} bytes")
    return bytes(data)
