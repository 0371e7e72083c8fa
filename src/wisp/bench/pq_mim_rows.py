"""Rows of the pq_mim bench: typed, one JSON object a line, and kept across runs while nothing they stand on changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wisp.bench.provenance import row_line, write_text
from wisp.codecs import TokenPyramidCodec
from wisp.errors import UsageError
from wisp.runtime import CONFIG_NAME

Key = tuple[str, str, int, int, str, float]


@dataclass(frozen=True)
class PqMimRow:
    """One picture, coded and shown in one way; columns as in results/FIELDS.md, None where they mean nothing."""

    image: str
    model: str
    depth: int
    kept_percent: int
    fill: str
    target_bpp: float
    num_bytes: int
    rate_bpp: float
    order_0_num_bytes: int | None
    tables_num_bytes: int | None
    prior_num_bytes: int | None
    num_tokens: int | None
    num_generated: int
    scores: dict[str, float | None]
    image_hash: str
    model_version: str
    metrics_version: str

    @property
    def key(self) -> Key:
        """What there is only one row of."""
        return (self.image, self.model, self.depth, self.kept_percent, self.fill, self.target_bpp)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What decided the values beside the key."""
        return (self.image_hash, self.model_version, self.metrics_version)


class PqMimStore:
    """The file rows.jsonl; of two rows with one key the later counts."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line without its newline was cut by a kill and is dropped.

        Raises:
            UsageError: a whole line is not a row.
        """
        self._path = path
        self._rows: dict[Key, PqMimRow] = {}
        data = path.read_bytes() if path.exists() else b""
        self._whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(self._whole.split(b"\n")[:-1], start=1):
            try:
                row = PqMimRow(**json.loads(line))
            except (ValueError, TypeError) as fault:
                raise UsageError(
                    f"{path.name} line {number}: expected a row, found {fault}; move the file away or mend it"
                ) from fault
            self._rows[row.key] = row

    def current(self, key: Key, identity: tuple[str, str, str]) -> PqMimRow | None:
        """The row of that key if it was measured with just these."""
        row = self._rows.get(key)
        return row if row is not None and row.identity == identity else None

    def add(self, row: PqMimRow) -> None:
        """Keep the row, on disk at once."""
        self._rows[row.key] = row
        self._whole += row_line(asdict(row)).encode("utf-8") + b"\n"
        write_text(self._path, self._whole.decode("utf-8"))


def model_version(codec: TokenPyramidCodec) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a bundle's configuration, which holds its files' hashes."""
    return hashlib.sha256((codec.bundle.folder / CONFIG_NAME).read_bytes()).hexdigest()[:12]
