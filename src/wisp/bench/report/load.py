"""The files of one run, checked and typed: rows.jsonl, meta.json and the folder wall/.

Everything is read and checked before anything is drawn or written. Rows that an older codec or other metrics
left behind are put aside and counted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wisp.bench.report.wording import metric_rank
from wisp.bench.row_store import Row
from wisp.errors import UsageError

_METRIC_NAME = re.compile(r"\w+", re.ASCII)


@dataclass(frozen=True)
class Metric:
    """A metric that the run measured: its column's name, direction, unit and version."""

    name: str
    is_higher_better: bool
    unit: str
    version: str


@dataclass(frozen=True)
class Run:
    """One run of the bench.

    Attributes:
        folder: where it lies; its name is the run's name.
        meta: meta.json as it is.
        rows: the rows of this run's codecs and metrics, one for each picture, codec and budget.
        codecs: names, in the order of the command line.
        budgets: bits per pixel, rising.
        images: names, sorted; those that the run says it measured, of older runs those that have rows.
        metrics: those measured on at least one row, in the order of the page.
        unavailable_metrics, unavailable_codecs: name -> reason.
        failures: codec -> on how many of its measurements it broke, and how first.
        num_stale: rows put aside: of other versions of codec or metrics, or of budgets or pictures that the run did
            not ask for.
        places: (codec, budget) -> its rows, by picture.
    """

    folder: Path
    meta: Mapping[str, Any]
    rows: tuple[Row, ...]
    codecs: tuple[str, ...]
    budgets: tuple[float, ...]
    images: tuple[str, ...]
    metrics: tuple[Metric, ...]
    unavailable_metrics: Mapping[str, str]
    unavailable_codecs: Mapping[str, str]
    failures: Mapping[str, str]
    num_stale: int
    places: Mapping[tuple[str, float], tuple[Row, ...]]

    @property
    def num_missing(self) -> int:
        """Rows that a finished run would have beside those that are here."""
        return len(self.images) * len(self.meta["codecs"]) * len(self.budgets) - len(self.rows)

    def at(self, codec: str, budget_bpp: float) -> tuple[Row, ...]:
        """The rows of that codec at that budget, by picture."""
        return self.places.get((codec, budget_bpp), ())


def load_run(folder: Path) -> Run:
    """Read a folder that `wisp bench run` wrote; nothing in it is changed.

    Raises:
        UsageError: the folder or a file is missing, or does not hold what it should.
    """
    if not folder.is_dir():
        raise UsageError(
            f"expected a folder of results, found no folder {folder}; make it with `wisp bench run`"
        )
    meta = _read_meta(folder / "meta.json")
    versions: dict[str, str] = meta["codecs"]
    everything = _read_rows(folder / "rows.jsonl")
    asked = meta.get("budgets_bpp")
    images: dict[str, str] | None = meta.get("images")
    rows = [
        row
        for row in everything
        if versions.get(row.codec) == row.codec_version
        and row.metrics_version == meta["metrics_version"]
        and (asked is None or row.budget_bpp in asked)
        and (images is None or images.get(row.image) == row.image_hash)
    ]
    if not rows:
        raise UsageError(
            f"{folder}: expected rows of the codecs and metrics in meta.json, found none; run `wisp bench run` again"
        )
    scored = {name for row in rows for name, value in row.scores.items() if value is not None}
    stated: dict[str, dict[str, str]] = meta["metrics"]
    metrics = [_metric(name, stated[name]) for name in scored & stated.keys() if "direction" in stated[name]]
    return Run(
        folder=folder,
        meta=meta,
        rows=tuple(rows),
        codecs=tuple(codec for codec in versions if any(row.codec == codec for row in rows)),
        budgets=tuple(sorted({row.budget_bpp for row in rows})),
        images=tuple(sorted({row.image for row in rows} if images is None else images)),
        metrics=tuple(sorted(metrics, key=lambda metric: metric_rank(metric.name))),
        unavailable_metrics={n: stated[n]["unavailable"] for n in stated if "unavailable" in stated[n]},
        unavailable_codecs=dict(meta.get("unavailable_codecs") or {}),
        failures=_failures(meta.get("failed_fits") or []),
        num_stale=len(everything) - len(rows),
        places=_by_place(rows),
    )


def _by_place(rows: Sequence[Row]) -> dict[tuple[str, float], tuple[Row, ...]]:
    found: dict[tuple[str, float], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.image):
        found.setdefault((row.codec, row.budget_bpp), []).append(row)
    return {place: tuple(here) for place, here in found.items()}


def _failures(failed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for failure in failed:
        found.setdefault(failure["codec"], []).append(failure["reason"])
    return {codec: f"broke on {len(reasons)}: {reasons[0]}" for codec, reasons in found.items()}


def _metric(name: str, stated: Mapping[str, str]) -> Metric:
    if not _METRIC_NAME.fullmatch(name):  # it goes into ids of the page and names of files
        raise UsageError(f"meta.json: metrics: expected names such as psnr_db, found {name!r}; mend it")
    direction = stated["direction"].lower()
    if direction not in ("higher", "lower"):
        raise UsageError(
            f"meta.json: metrics: {name}: expected the direction higher or lower, found {direction!r}; mend it"
        )
    return Metric(name, direction == "higher", stated.get("unit", ""), stated.get("version", ""))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "bytes that are not UTF-8"
        raise UsageError(
            f"{path}: expected a file of `wisp bench run`, found: {reason}; run it (again) to make it"
        ) from fault


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_failure(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("codec", "reason"))


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(_read_text(path))
    except ValueError as fault:
        raise UsageError(f"{path}: expected JSON, found: {fault}; run `wisp bench run` again") from fault
    checks = {
        "codecs": _is_texts,
        "metrics": lambda value: isinstance(value, dict) and all(map(_is_texts, value.values())),
        "metrics_version": lambda value: isinstance(value, str),
        "unavailable_codecs": lambda value: value is None or _is_texts(value),
        "images": lambda value: value is None or _is_texts(value),
        "skipped_images": lambda value: value is None or _is_texts(value),
        "failed_fits": lambda value: (
            value is None or (isinstance(value, list) and all(map(_is_failure, value)))
        ),
        "budgets_bpp": lambda value: (
            value is None or (isinstance(value, list) and all(map(_is_number, value)))
        ),
    }
    for key, is_right in checks.items():
        if not isinstance(meta, dict) or not is_right(meta.get(key)):
            raise UsageError(
                f"{path}: expected {key!r} as `wisp bench run` writes it, found another form; run it again"
            )
    return meta


def _read_rows(path: Path) -> list[Row]:
    """All rows; of two with one key the later counts, as in `RowStore`, which would also mend the file."""
    text = _read_text(path)
    if text and not text.endswith("\n"):
        raise UsageError(
            f"{path}: expected whole rows, found the last one cut; let `wisp bench run` finish it"
        )
    found: dict[tuple[float, str, str], Row] = {}
    # Not splitlines: a name may hold one of the rarer signs at which that ends a line.
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            row = Row.from_json(line)
            _check(row)
        except (ValueError, TypeError) as fault:
            raise UsageError(
                f"{path} line {number}: expected a row, found: {fault}; run `wisp bench run` again"
            ) from fault
        found[row.key] = row
    return list(found.values())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check(row: Row) -> None:
    """Raise TypeError where a row could not have been written by the bench."""
    names: Sequence[object] = (row.image, row.codec, row.codec_version, row.metrics_version)
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a name that is no text")
    if "/" in row.image or "\\" in row.image or row.image in ("", ".", ".."):  # it is a folder of the wall
        raise TypeError(f"the picture's name {row.image!r}")
    if not _is_number(row.budget_bpp) or row.budget_bpp <= 0:
        raise TypeError(f"budget_bpp {row.budget_bpp!r}")
    if not isinstance(row.scores, dict):
        raise TypeError(f"scores {row.scores!r}")
    for name, value in row.scores.items():
        if value is not None and not _is_number(value):
            raise TypeError(f"scores: {name} {value!r}")
    if row.reached:
        if not _is_number(row.num_bytes) or not _is_number(row.rate_bpp) or not (row.rate_bpp or 0) > 0:
            raise TypeError("a reached budget without bytes and rate")
    elif any(value is not None for value in row.scores.values()):
        raise TypeError("scores of a budget that was not reached")
