"""Rows of measurements that survive a killed run.

Peers are slow to search, so every row is on disk as soon as it is measured. A later run takes a row over when
the picture, the codec's version and the metrics' version are still those it was measured with.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from wisp.bench.provenance import row_line, write_text
from wisp.errors import UsageError

Key = tuple[float, str, str]
Identity = tuple[str, str, str]

_MAY_BE_NULL = ("num_bytes", "rate_bpp", "setting", "smallest_num_bytes")


@dataclass(frozen=True)
class Row:
    """One picture by one codec at one budget; columns as in results/FIELDS.md, None where not reached.

    `scores` maps a metric's name to its value, None where it is infinite or undefined; empty where not reached.
    """

    image: str
    codec: str
    budget_bpp: float
    budget_num_bytes: int
    reached: bool
    num_bytes: int | None
    rate_bpp: float | None
    scores: dict[str, float | None]
    setting: str | None
    smallest_num_bytes: int | None
    image_hash: str
    codec_version: str
    metrics_version: str

    def __post_init__(self) -> None:
        if not isinstance(self.scores, dict):
            raise TypeError(f"expected scores by metric, found {self.scores!r}")

    @property
    def key(self) -> Key:
        """What there is only one row of: budget, codec, picture."""
        return (self.budget_bpp, self.codec, self.image)

    @property
    def identity(self) -> Identity:
        """What decided the row's values beside its key: picture, codec's version, metrics' version."""
        return (self.image_hash, self.codec_version, self.metrics_version)

    def rounded(self) -> Row:
        """The row as it comes back from the disk: floats to six places."""
        scores = {name: None if score is None else round(score, 6) for name, score in self.scores.items()}
        rate = None if self.rate_bpp is None else round(self.rate_bpp, 6)
        return replace(self, rate_bpp=rate, scores=scores)

    def to_json(self) -> str:
        """One line, floats to six places; what is null because nothing was reached is left out."""
        return row_line({key: v for key, v in asdict(self.rounded()).items() if v is not None})

    @classmethod
    def from_json(cls, line: bytes | str) -> Row:
        """The inverse.

        Raises:
            ValueError, TypeError: the line is no row.
        """
        values = json.loads(line)
        if not isinstance(values, dict):
            raise TypeError(f"expected an object, found {values!r}")
        return cls(**{**dict.fromkeys(_MAY_BE_NULL), **values})


class RowStore:
    """The file rows.jsonl: one JSON object a line; of two rows with one key the later counts."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line without its newline was cut by a kill and is dropped.

        Nothing is written before the first row is added, but for the cut line's removal.

        Raises:
            UsageError: a whole line is not a row.
        """
        self._path = path
        self._rows: dict[Key, Row] = {}
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]  # bytes: a kill may cut a letter in two
        for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
            try:
                row = Row.from_json(line)
            except (ValueError, TypeError) as fault:
                raise UsageError(
                    f"{path.name} line {number}: expected a row, found {fault}; move the file away or mend it"
                ) from fault
            self._rows[row.key] = row
        if whole != data:
            write_text(path, whole.decode("utf-8"))

    def current(self, key: Key, identity: Identity) -> Row | None:
        """The row of that key if it was measured with just these."""
        row = self._rows.get(key)
        return row if row is not None and row.identity == identity else None

    def of_image(self, image: str) -> list[Row]:
        """All rows of one picture, current or not."""
        return [row for row in self._rows.values() if row.image == image]

    def add(self, row: Row) -> None:
        """Keep the row, on disk at once."""
        self._rows[row.key] = row.rounded()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as sink:
            sink.write(row.to_json().encode("utf-8") + b"\n")

    def tidy(self) -> None:
        """Rewrite the file with one row a key, in order of budget, codec and picture."""
        ordered = (self._rows[key] for key in sorted(self._rows))
        write_text(self._path, "".join(row.to_json() + "\n" for row in ordered))
