"""What a person sees of a long run: a bar on a terminal, a line a picture in a pipe; always on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from wisp.bench.provenance import note

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class RunProgress:
    """Counts rows and pictures; a context, in which the bar is drawn."""

    def __init__(self, num_pictures: int, rows_per_picture: int) -> None:
        self._num_pictures, self._rows_per_picture = num_pictures, rows_per_picture
        self._pictures_done = 0
        self._rows_by_image: dict[str, int] = {}
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    @property
    def num_rows(self) -> int:
        """Rows that were measured so far."""
        return sum(self._rows_by_image.values())

    def __enter__(self) -> RunProgress:
        if sys.stderr.isatty():
            from rich.console import Console  # slow to import, and not seen in a pipe
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=self._num_pictures * self._rows_per_picture)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def row(self, image: str) -> None:
        """A row was measured."""
        self._rows_by_image[image] = self._rows_by_image.get(image, 0) + 1
        self._advance(1)

    def finished(self, image: str) -> None:
        """All was tried with a picture."""
        measured = self._rows_by_image.get(image, 0)
        self._pictures_done += 1
        self._advance(self._rows_per_picture - measured)
        self.say(f"{self._pictures_done}/{self._num_pictures} {image}: {measured} rows measured")

    def skipped(self, reason: str) -> None:
        """A picture cannot be measured."""
        self._pictures_done += 1
        self._advance(self._rows_per_picture)
        self.say(f"skipped {reason}")

    def say(self, line: str) -> None:
        """A line above the bar."""
        if self._bar is None:
            note(line)
        else:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _advance(self, rows: int) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, rows)
