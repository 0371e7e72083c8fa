"""Rows of measurements, a picture at a time: a run that was stopped goes on with the next picture.

Every picture carries the `identity` of what it was measured with. Pictures whose rows have another one, or whose pixels
have changed, are measured again. The file is small: what all rows of a picture share stands once, nulls are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from wisp.bench.pictures import picture_hash, read_picture
from wisp.bench.provenance import note, row_line, write_text
from wisp.errors import UsageError

Row = Mapping[str, Any]


def identity_of(*parts: object) -> str:
    """Twelve hexadecimal digits that change with any of the parts: codec, metrics, options."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


class PictureRows:
    """The file rows.jsonl: a line a picture, with `image`, `image_hash`, `identity` and its `rows`."""

    def __init__(self, path: Path, identity: str) -> None:
        """Read what is there; a last line that a kill has cut is dropped.

        Raises:
            UsageError: a whole line is no picture's rows.
        """
        self._path, self._identity = path, identity
        self._pictures: dict[str, dict[str, Any]] = {}
        data = path.read_bytes() if path.exists() else b""
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            try:
                picture = json.loads(line)
                self._pictures[picture["image"]] = {**picture, "rows": [dict(r) for r in picture["rows"]]}
            except (ValueError, KeyError, TypeError) as fault:
                raise UsageError(
                    f"{path.name} line {number}: expected a picture's rows, found {fault}; move the file away"
                ) from fault

    def has(self, image: str, image_hash: str) -> bool:
        """Whether the picture was measured with just this."""
        found = self._pictures.get(image, {})
        return (found.get("image_hash"), found.get("identity")) == (image_hash, self._identity)

    def add(self, image: str, image_hash: str, rows: Iterable[Row]) -> None:
        """Keep all rows of a picture, on disk at once; earlier ones of the same name go."""
        kept = [{name: value for name, value in row.items() if value is not None} for row in rows]
        self._pictures[image] = {
            "image": image, "image_hash": image_hash, "identity": self._identity, "rows": kept
        }  # fmt: skip
        lines = (row_line(self._pictures[name]) for name in sorted(self._pictures))
        write_text(self._path, "".join(f"{line}\n" for line in lines))

    def fill(self, paths: Sequence[Path], measure: Callable[[Image.Image], Iterable[Row]]) -> list[str]:
        """Measure each picture that was not measured with just this; the names of all.

        Raises:
            WispError: of `measure`, or a picture cannot be read; what came before is kept.
        """
        for path in paths:
            image = read_picture(path)
            digest = picture_hash(image)
            if not self.has(path.stem, digest):
                self.add(path.stem, digest, measure(image))
            note(f"{path.stem}: done")
        return [path.stem for path in paths]

    def of(self, images: Iterable[str], columns: Iterable[str]) -> list[dict[str, Any]]:
        """All rows of these pictures, each with `image` and these columns, None where one was left out."""
        wanted = tuple(columns)
        chosen = [(name, row) for name in images for row in self._pictures.get(name, {}).get("rows", [])]
        return [{"image": name, **{column: row.get(column) for column in wanted}} for name, row in chosen]
