"""What one environment makes of the random maps, as a file of hashes, and two such files compared.

Hashes are the first 16 hexadecimal digits of SHA-256. Pictures are left out: the analysis is a float network, so
another machine may lawfully choose other tokens for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wisp.bench.exactness_maps import TokenMap
from wisp.bench.exactness_runners import Way
from wisp.bench.exactness_trials import Written, reads_back, write_with
from wisp.errors import UsageError

FORMAT = 1
HASH_DIGITS = 16


@dataclass(frozen=True)
class Digest:
    """One environment.

    Attributes:
        label: what people call it. runner: what ran the graphs, with its version.
        environment: as in meta.json, and `cpu_features`.
        model: SHA-256 of the bundle's files that decide the bytes.
        seed: of the maps.
        maps: by name, the hashes of tokens, logits and payload with blanks between.
        not_read_back: maps whose payload did not come back as its tokens.
    """

    label: str
    runner: str
    environment: dict[str, Any]
    model: dict[str, str]
    seed: int
    maps: dict[str, str]
    not_read_back: list[str]
    format: int = FORMAT


@dataclass(frozen=True)
class Comparison:
    """One environment held against another; columns as in results/FIELDS.md."""

    label: str
    runner: str
    cpu_features: str
    num_maps: int
    same_logits: int
    same_payloads: int
    read_back: int
    differences: list[str]

    @property
    def is_exact(self) -> bool:
        """Whether maps were compared and nothing differs."""
        return self.num_maps > 0 and not self.differences


def hashes(item: TokenMap, written: Written) -> str:
    """A map's line: tokens and depths, logits, payload."""
    tokens = hashlib.sha256(item.pyramid.grain_map.tobytes())
    for plane in item.pyramid.planes:
        tokens.update(plane.tobytes())
    payload = hashlib.sha256(written.data).hexdigest()
    return " ".join(text[:HASH_DIGITS] for text in (tokens.hexdigest(), written.logits_hash, payload))


def digest_map(item: TokenMap, way: Way) -> tuple[str, bool]:
    """A map's line, and whether the payload is read back by the same way."""
    written = write_with(way, item.pyramid)
    return hashes(item, written), reads_back(way, written.data, item.pyramid)


def cpu_features() -> str:
    """The vector instructions that numpy found when it asked the processor, which an emulator answers too.

    /proc/cpuinfo would name those of the machine below the emulator.
    """
    found: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    extensions = found.get("SIMD Extensions", {})
    names = [*extensions.get("baseline", []), *extensions.get("found", [])]
    return " ".join(names) or "unknown"


def read_digest(path: Path) -> Digest:
    """A digest from its file.

    Raises:
        UsageError: it is none.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["format"] != FORMAT:
            raise UsageError(f"--compare: expected format {FORMAT} in {path.name}, found {table['format']}")
        digest = Digest(**table)
        str(digest.environment["cpu_features"])
        if not all(len(line.split()) == 3 for line in digest.maps.values()):
            raise ValueError("a map without three hashes")
    except OSError as fault:
        raise UsageError(f"--compare: expected a digest in {path.name}, found {fault.strerror}") from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise UsageError(f"--compare: expected a digest in {path.name}, found {fault!r}") from fault
    return digest


def compare(first: Digest, other: Digest) -> Comparison:
    """The maps that both have.

    Raises:
        UsageError: other weights, another seed, or other tokens under the same names.
    """
    if (first.model, first.seed) != (other.model, other.seed):
        raise UsageError(
            f"--compare: expected the model and seed of {first.label!r}, found others in {other.label!r}; make "
            "both with the same commit and --seed"
        )
    names = [name for name in first.maps if name in other.maps]
    same_logits = same_payloads = 0
    differences = []
    for name in names:
        mine, theirs = first.maps[name].split(), other.maps[name].split()
        if mine[0] != theirs[0]:
            raise UsageError(
                f"--compare: expected the same tokens in {name} of {other.label!r}, found others"
            )
        same_logits += mine[1] == theirs[1]
        same_payloads += mine[2] == theirs[2]
        if mine != theirs:
            what = "logits" if mine[2] == theirs[2] else "payload"
            differences.append(f"{name}, {other.label}: other {what} than {first.label}")
    unread = [name for name in names if name in other.not_read_back]
    differences += [f"{name}, {other.label}: its own payload did not come back" for name in unread]
    return Comparison(
        other.label,
        other.runner,
        str(other.environment["cpu_features"]),
        len(names),
        same_logits,
        same_payloads,
        len(names) - len(unread),
        differences,
    )


def compare_all(digests: Sequence[Digest]) -> list[Comparison]:
    """Every other one against the first."""
    return [compare(digests[0], other) for other in digests[1:]]
