"""Rows of measurements, a picture at a time: a run that was stopped goes on with the next picture.

Every row carries the `identity` of what it was measured with. Pictures whose rows have another one, or whose pixels
have changed, are measured again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wisp.bench.provenance import write_text
from wisp.errors import UsageError

Row = Mapping[str, Any]


def identity_of(*parts: object) -> str:
    """Twelve hexadecimal digits that change with any of the parts: codec, metrics, options."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


class PictureRows:
    """The file rows.jsonl: one JSON object a line, with at least `image`, `image_hash` and `identity`."""

    def __init__(self, path: Path, identity: str) -> None:
        """Read what is there; a last line that a kill has cut is dropped.

        Raises:
            UsageError: a whole line is not a row.
        """
        self._path, self._identity = path, identity
        self._rows: dict[str, list[Row]] = {}
        data = path.read_bytes() if path.exists() else b""
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            try:
                row = json.loads(line)
                self._rows.setdefault(row["image"], []).append(row)
            except (ValueError, KeyError, TypeError) as fault:
                raise UsageError(
                    f"{path.name} line {number}: expected a row, found {fault}; move the file away or mend it"
                ) from fault

    def has(self, image: str, image_hash: str) -> bool:
        """Whether the picture was measured with just this."""
        rows = self._rows.get(image, [])
        return bool(rows) and all(
            row.get("identity") == self._identity and row.get("image_hash") == image_hash for row in rows
        )

    def add(self, image: str, image_hash: str, rows: Iterable[Row]) -> None:
        """Keep all rows of a picture, on disk at once; earlier ones of the same name go."""
        front = {"image": image, "image_hash": image_hash, "identity": self._identity}
        self._rows[image] = [{**front, **row} for row in rows]
        lines = (json.dumps(row, allow_nan=False) for name in sorted(self._rows) for row in self._rows[name])
        write_text(self._path, "".join(f"{line}\n" for line in lines))

    def of(self, images: Iterable[str]) -> list[Row]:
        """All rows of these pictures."""
        return [row for image in images for row in self._rows.get(image, [])]
