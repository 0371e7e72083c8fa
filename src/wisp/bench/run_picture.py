"""One picture through every codec at every budget: what comes out, piece by piece, as it is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.bench.pictures import picture_hash, read_picture
from wisp.bench.provenance import without_folders
from wisp.bench.row_store import Identity, Key, Row
from wisp.bench.wall import crop_file
from wisp.bench.workshop import Workshop
from wisp.errors import CodecError, ImageError
from wisp.imaging.wording import one_line
from wisp.rate import rate_bpp

if TYPE_CHECKING:
    from wisp.bench.metrics.panel import Reference


@dataclass(frozen=True)
class PictureTask:
    """A picture to be measured.

    Attributes:
        path: its file.
        budgets_bpp: in bits per pixel.
        stored: rows that need not be measured again if they were measured with just this.
        on_wall: whether crops are wanted.
    """

    path: Path
    budgets_bpp: tuple[float, ...]
    stored: Mapping[Key, Identity]
    on_wall: bool = False


@dataclass(frozen=True)
class Measured:
    """A row that is new, and on the wall the crop of what was decoded, as a WebP file."""

    row: Row
    crop: bytes | None


@dataclass(frozen=True)
class Failed:
    """A codec that broke on a picture; columns as in results/FIELDS.md."""

    image: str
    codec: str
    budget_bpp: float
    reason: str


@dataclass(frozen=True)
class Skipped:
    """A file that cannot be measured."""

    file_name: str
    reason: str


@dataclass(frozen=True)
class Finished:
    """All was tried with a picture; on the wall with the crop of the original."""

    image: str
    image_hash: str
    original_crop: bytes | None


Message = Measured | Failed | Skipped | Finished


def measure_picture(task: PictureTask, workshop: Workshop) -> Iterator[Message]:
    """Measure what is not stored: rows and failures as they come, in the end Finished, or only Skipped."""
    name = task.path.stem
    try:
        image = read_picture(task.path)
        image_hash = picture_hash(image)
        missing = _missing(task, workshop, image_hash)
        bench = _PictureBench(image, workshop, image_hash, name) if missing else None
    except Exception as fault:  # no picture, or one that a metric breaks on
        reason = str(fault) if isinstance(fault, ImageError) else f"{task.path.name}: {one_line(fault)}"
        yield Skipped(task.path.name, without_folders(reason))
        return
    for codec, bpp in missing:
        assert bench is not None
        try:
            row, decoded = bench.measure(codec, bpp)
        except Exception as fault:  # coders of many makers, which raise what they like
            yield Failed(name, codec.name, bpp, without_folders(one_line(fault)))
            continue
        yield Measured(row, crop_file(decoded) if task.on_wall and decoded is not None else None)
    yield Finished(name, image_hash, crop_file(image) if task.on_wall else None)


def _missing(task: PictureTask, workshop: Workshop, image_hash: str) -> list[tuple[AbstractCodec, float]]:
    missing = []
    for codec in workshop.codecs:
        now = (image_hash, workshop.codec_versions[codec.name], workshop.panel.version)
        for bpp in task.budgets_bpp:
            if task.stored.get((bpp, codec.name, task.path.stem)) != now:
                missing.append((codec, bpp))
    return missing


class _PictureBench:
    """One picture, and what is known of it already.

    No codec searches again below a size that it called its smallest, and no decoded picture that came out
    before, as a placeholder's does at every budget, is compared again.
    """

    def __init__(self, image: Image.Image, workshop: Workshop, image_hash: str, name: str) -> None:
        self._image, self._name, self._hash = image, name, image_hash
        self._workshop = workshop
        self._reference: Reference = workshop.panel.reference(image)
        self._smallest: dict[str, int] = {}
        self._scores: dict[str, dict[str, float | None]] = {}

    def measure(self, codec: AbstractCodec, budget_bpp: float) -> tuple[Row, Image.Image | None]:
        """One row: the codec's best file within the budget, decoded and compared; with the decoded picture."""
        width, height = self._image.size
        budget = budget_num_bytes(budget_bpp, width, height)
        found = self._fit(codec, budget)
        encoded = found if isinstance(found, Encoded) else None
        row = Row(
            image=self._name,
            codec=codec.name,
            budget_bpp=budget_bpp,
            budget_num_bytes=budget,
            reached=encoded is not None,
            num_bytes=encoded.data_num_bytes if encoded else None,
            rate_bpp=rate_bpp(encoded.data_num_bytes, width, height) if encoded else None,
            scores=self._compare(encoded.decoded) if encoded else {},
            setting=encoded.setting if encoded else None,
            smallest_num_bytes=found.smallest_num_bytes if isinstance(found, Unreachable) else None,
            image_hash=self._hash,
            codec_version=self._workshop.codec_versions[codec.name],
            metrics_version=self._workshop.panel.version,
        )
        return row, encoded.decoded if encoded else None

    def _fit(self, codec: AbstractCodec, budget: int) -> Encoded | Unreachable:
        smallest = self._smallest.get(codec.name)
        if smallest is not None and budget < smallest:
            return Unreachable(smallest)
        found = codec.fit(
            self._image, max(1, budget)
        )  # no file has 0 bytes, and no codec takes such a budget
        if isinstance(found, Unreachable):
            self._smallest[codec.name] = found.smallest_num_bytes
        elif found.data_num_bytes > budget:
            raise CodecError(f"expected at most {budget} bytes, found a file of {found.data_num_bytes}")
        return found

    def _compare(self, decoded: Image.Image) -> dict[str, float | None]:
        key = picture_hash(decoded)
        if key not in self._scores:
            self._scores[key] = self._reference.compare(decoded)
        return self._scores[key]
