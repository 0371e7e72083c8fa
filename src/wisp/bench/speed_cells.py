"""Every codec at every size and number of threads: the cells of the speed bench, measured one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.catalogue import WISP
from wisp.bench.fresh_process import Task
from wisp.bench.provenance import note, without_folders
from wisp.bench.speed_children import Children
from wisp.bench.speed_peers import quality_for
from wisp.bench.speed_rows import Growth, SpeedRow, growth, speed_row
from wisp.errors import CodecError

BPP = 0.1
SMALL_SIZE = 2000  # bytes
RATE_TARGET, SMALL_TARGET = f"{BPP:g} bpp", f"{SMALL_SIZE} bytes"
FEW_REPEATS = 3
PATIENCE_S = 60.0  # a cell whose runs would take longer is run FEW_REPEATS times
ACTIONS = ("compress", "decompress")


def mirrored(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture continued by its own mirror images, or cut, to width x height."""
    pixels = np.asarray(image)[:height, :width]
    missing = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
    return Image.fromarray(np.pad(pixels, missing, mode="symmetric"))


@dataclass(frozen=True)
class SpeedPlan:
    """What to measure.

    Attributes:
        codecs: wisp and peers.
        sizes: width and height of the pictures, the photograph's own first.
        threads: numbers of threads, rising.
        repeats: runs of each cell after its first.
        model: wisp's model, a name or a bundle's path; None is the default model.
    """

    codecs: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    threads: tuple[int, ...]
    repeats: int
    model: str | None = None


@dataclass
class SpeedCells:
    """Goes through a plan; a cell that fails is noted, and the rest is measured.

    Attributes:
        children: starts the measuring processes.
        plan: what to measure.
        rows: what was measured.
        failures: a line for each cell that failed.
    """

    children: Children
    plan: SpeedPlan
    rows: list[SpeedRow] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def measure(self, image: Image.Image) -> None:
        """All cells of the plan, the photograph being mirrored to each size.

        A peer's quality is that of its largest file at 0.1 bpp of the photograph itself, or of its smallest
        file, and is kept for all sizes.

        Raises:
            CodecError: wisp's very first cell fails: a model that is not there, most likely.
        """
        budget = budget_num_bytes(BPP, image.width, image.height)
        peers = [codec for codec in self.plan.codecs if codec != WISP]
        qualities = {codec: quality_for(codec, image, budget) for codec in peers}
        photo, file = self.children.folder / "photo.png", self.children.folder / "file"
        for size in self.plan.sizes:
            mirrored(image, *size).save(photo, compress_level=1)
            for codec in self.plan.codecs:
                compress = Task("compress", str(photo), codec=codec, output=str(file))
                if codec == WISP:
                    compress = replace(compress, size=budget_num_bytes(BPP, *size), model=self.plan.model)
                else:
                    compress = replace(compress, quality=qualities[codec])
                for threads in self.plan.threads:
                    if codec == WISP and size == self.plan.sizes[0]:
                        self._pair(replace(compress, size=SMALL_SIZE), size, threads, SMALL_TARGET)
                    self._pair(compress, size, threads, RATE_TARGET)

    def _pair(self, compress: Task, size: tuple[int, int], threads: int, target: str) -> None:
        """Compress, and if that worked decompress what came out."""
        if self._cell(compress, size, threads, target):
            made = str(self.children.folder / "file")
            decompress = Task("decompress", made, codec=compress.codec, model=compress.model)
            self._cell(decompress, size, threads, target)

    def _cell(self, task: Task, size: tuple[int, int], threads: int, target: str) -> bool:
        """Measure one cell; whether it worked."""
        what = f"{task.codec} {task.action}, {size[0]}x{size[1]}, {target}, threads {threads}"
        repeated = replace(
            task,
            repeats=self.plan.repeats,
            few_repeats=FEW_REPEATS,
            patience_s=PATIENCE_S,
            threads=threads,
        )
        try:
            answer = self.children.run(repeated)
        except CodecError as fault:
            if task.codec == WISP and not self.rows:
                raise
            self.failures.append(without_folders(f"{what}: {fault}"))
            note(self.failures[-1])
            return False
        row = speed_row(repeated, size, target, answer)
        self.rows.append(row)
        note(f"{what}: {row.wall_s.median:.3f} s, median of {row.runs}; {row.num_bytes} bytes")
        return True

    def growths(self) -> list[Growth]:
        """Growth with pixels at the common rate, for each codec, action and number of threads."""
        found = []
        for codec in self.plan.codecs:
            for action in ACTIONS:
                for threads in self.plan.threads:
                    of_cells = growth(self._at(codec, action, threads))
                    if of_cells is not None:
                        found.append(of_cells)
        return found

    def _at(self, codec: str, action: str, threads: int) -> Sequence[SpeedRow]:
        wanted = (codec, action, threads, RATE_TARGET)
        return [row for row in self.rows if (row.codec, row.action, row.threads, row.target) == wanted]
