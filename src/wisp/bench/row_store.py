"""Rows of measurements that survive a killed run.

Peers are slow to search, so every row is on disk as soon as it is measured. A later run takes a row over when
the picture, the codec's version and the metrics' weights are still those it was measured with.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wisp.bench.provenance import write_text
from wisp.errors import UsageError


@dataclass(frozen=True)
class Row:
    """One picture by one codec at one budget; columns as in results/FIELDS.md, None where not reached."""

    image: str
    codec: str
    budget_bpp: float
    budget_num_bytes: int
    reached: bool
    num_bytes: int | None
    rate_bpp: float | None
    psnr_db: float | None
    lpips_squeeze: float | None
    feature_distance: float | None
    texture_distance: float | None
    setting: str | None
    smallest_num_bytes: int | None
    image_hash: str
    codec_version: str
    metrics_version: str

    @property
    def key(self) -> tuple[float, str, str]:
        """What there is only one row of: budget, codec, picture."""
        return (self.budget_bpp, self.codec, self.image)

    def to_json(self) -> str:
        """One line, floats to six places."""
        values = {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return json.dumps(values, ensure_ascii=False, allow_nan=False)


class RowStore:
    """The file rows.jsonl: one JSON object a line; of two rows with one key the later counts."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line without its newline was cut by a kill and is dropped.

        Raises:
            UsageError: a whole line is not a row.
        """
        self._path = path
        self._rows: dict[tuple[float, str, str], Row] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = Row(**json.loads(line))
            except (ValueError, TypeError) as fault:
                raise UsageError(
                    f"{path.name} line {number}: expected a row, found {fault}; move the file away or mend it"
                ) from fault
            self._rows[row.key] = row
        if whole != text:
            write_text(path, whole)

    def current(
        self, key: tuple[float, str, str], image_hash: str, codec_version: str, metrics_version: str
    ) -> Row | None:
        """The row of that key if it was measured with just these."""
        row = self._rows.get(key)
        if row is None:
            return None
        same = (row.image_hash, row.codec_version, row.metrics_version) == (
            image_hash,
            codec_version,
            metrics_version,
        )
        return row if same else None

    def add(self, row: Row) -> None:
        """Keep the row, on disk at once."""
        self._rows[row.key] = row
        with self._path.open("a", encoding="utf-8") as sink:
            sink.write(row.to_json() + "\n")

    def tidy(self) -> None:
        """Rewrite the file with one row a key, in order of budget, codec and picture."""
        ordered = (self._rows[key] for key in sorted(self._rows))
        write_text(self._path, "".join(row.to_json() + "\n" for row in ordered))
