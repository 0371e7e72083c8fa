"""What a run has found so far: every message goes to the disk first, then into the tally."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wisp.atomic import write_bytes_atomic
from wisp.bench.row_store import Key, Row, RowStore
from wisp.bench.run_picture import Failed, Finished, Measured, Message, PictureTask, Skipped
from wisp.bench.run_progress import RunProgress
from wisp.bench.wall import crop_path, original_path
from wisp.bench.workshop import Workshop


class RunRecord:
    """The rows, crops, failures and skipped files of one run.

    A crop is on the disk before its row, and a row that is measured anew without a crop takes the old crop
    away: a run that is killed at any moment leaves no crop that is not its row's.
    """

    def __init__(
        self, folder: Path, paths: Sequence[Path], budgets: Sequence[float], wall: Collection[str]
    ) -> None:
        """Read what an earlier run left in `folder`.

        Raises:
            UsageError: a line of rows.jsonl is not a row.
        """
        self._folder = folder
        self._paths, self._budgets, self._wall = paths, tuple(budgets), frozenset(wall)
        self._store = RowStore(folder / "rows.jsonl")
        self._hashes: dict[str, str] = {}
        self._hashes_before: dict[str, set[str]] = {}
        self.failures: list[Failed] = []
        self.skipped_images: dict[str, str] = {}

    def tasks(self) -> list[PictureTask]:
        """What is to be looked at: every picture, with the rows that are there."""
        return [self._task(path) for path in self._paths]

    def _task(self, path: Path) -> PictureTask:
        on_wall = path.stem in self._wall
        rows = self._store.of_image(path.stem)
        if rows:
            self._hashes_before[path.stem] = {row.image_hash for row in rows}
        stored = {
            row.key: row.identity
            for row in rows
            if not (on_wall and row.reached and not self._crop(row.key).exists())
        }
        return PictureTask(path, self._budgets, stored, on_wall)

    def take(self, message: Message, progress: RunProgress) -> None:
        """Keep what a message brings, and show it."""
        if isinstance(message, Measured):
            crop = self._crop(message.row.key)
            if message.crop is None:
                crop.unlink(missing_ok=True)
            else:
                self._write(crop, message.crop)
            self._store.add(message.row)
            progress.row(message.row.image)
        elif isinstance(message, Failed):
            self.failures.append(message)
            progress.say(
                f"{message.image}: {message.codec} failed at {message.budget_bpp:g} bpp: {message.reason}"
            )
        elif isinstance(message, Skipped):
            self.skipped_images[message.file_name] = message.reason
            progress.skipped(message.reason)
        else:
            self._finish(message)
            progress.finished(message.image)

    def _finish(self, message: Finished) -> None:
        original = self._folder / original_path(message.image)
        if message.original_crop is not None:
            self._write(original, message.original_crop)
        elif message.image_hash not in self._hashes_before.get(message.image, {message.image_hash}):
            original.unlink(missing_ok=True)  # of another picture by that name
        self._hashes[message.image] = message.image_hash

    def rows(self, workshop: Workshop) -> list[Row]:
        """All rows that hold for this run, old and new, by codec, budget and picture as on the command line."""
        found = []
        for codec, version in workshop.codec_versions.items():
            for bpp in self._budgets:
                for image, image_hash in sorted(self._hashes.items()):
                    identity = (image_hash, version, workshop.panel.version)
                    row = self._store.current((bpp, codec, image), identity)
                    if row is not None:
                        found.append(row)
        return found

    def tidy(self) -> None:
        """Put rows.jsonl in order."""
        self._store.tidy()

    def for_meta(self) -> dict[str, Any]:
        """The pictures, and what was not measured, for meta.json."""
        return {
            "images": dict(sorted(self._hashes.items())),
            "skipped_images": dict(sorted(self.skipped_images.items())),
            "failed_fits": sorted(
                (asdict(failure) for failure in self.failures),
                key=lambda f: (f["budget_bpp"], f["codec"], f["image"]),
            ),
        }

    def _crop(self, key: Key) -> Path:
        bpp, codec, image = key
        return self._folder / crop_path(image, bpp, codec)

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(path, data)
