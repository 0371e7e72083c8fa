"""One map in every way: the payload that each way writes, and the tokens that it reads of another way's."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wisp.bench.exactness_maps import TokenMap
from wisp.bench.exactness_runners import Way
from wisp.errors import BitstreamError
from wisp.tokens.pyramid import TokenPyramid

BEHIND = b"\0\0"  # a file has two bytes of check behind its payload


@dataclass(frozen=True)
class Written:
    """A payload, the hash of the logits that it took, how often the networks ran, and the seconds."""

    data: bytes
    logits_hash: str
    num_runs: int
    seconds: float


@dataclass(frozen=True)
class Trial:
    """One map in one way, held against the first way.

    Attributes:
        name, kind: of the map. way: of the trial.
        num_regions, num_tokens: of the map; tokens as sent.
        num_bytes, num_runs: of the payload; of the networks, to write it.
        same_bytes, same_logits: as the first way's; None for the first way itself.
        same_tokens: whether the payload of another way came back as the tokens it was made of.
        write_s, read_s: seconds.
    """

    name: str
    kind: str
    way: str
    num_regions: int
    num_tokens: int
    num_bytes: int
    num_runs: int
    same_bytes: bool | None
    same_logits: bool | None
    same_tokens: bool
    write_s: float
    read_s: float

    @property
    def is_exact(self) -> bool:
        """Whether nothing differs."""
        return self.same_bytes is not False and self.same_logits is not False and self.same_tokens


def write_with(way: Way, pyramid: TokenPyramid) -> Written:
    """The payload of a way."""
    way.prior.restart()
    begun = time.perf_counter()
    data = way.model.write(pyramid).data
    seconds = time.perf_counter() - begun
    return Written(data, way.prior.logits_hash, way.prior.num_runs, seconds)


def reads_back(way: Way, data: bytes, pyramid: TokenPyramid) -> bool:
    """Whether a way reads a payload, all of it, as these tokens."""
    try:
        found, num_bytes, _ = way.model.read(data + BEHIND, pyramid.shape)
    except BitstreamError:
        return False
    return found == pyramid and num_bytes == len(data)


def num_tokens(pyramid: TokenPyramid) -> int:
    """How many tokens are sent."""
    return sum(int(pyramid.sent(place, level).sum()) for place, level, _ in pyramid.shape.order())


def try_map(item: TokenMap, ways: Sequence[Way]) -> tuple[list[Trial], Written]:
    """Every way writes it; every way reads the first one's payload, and the first one the last one's.

    Returns:
        a trial of each way, and what the first one wrote.
    """
    pyramid = item.pyramid
    written = [write_with(way, pyramid) for way in ways]
    first = written[0]
    trials = []
    for i, (way, mine) in enumerate(zip(ways, written, strict=True)):
        begun = time.perf_counter()
        same_tokens = reads_back(way, written[-1].data if i == 0 else first.data, pyramid)
        trials.append(
            Trial(
                item.name,
                item.kind,
                way.name,
                pyramid.shape.num_regions,
                num_tokens(pyramid),
                len(mine.data),
                mine.num_runs,
                None if i == 0 else mine.data == first.data,
                None if i == 0 else mine.logits_hash == first.logits_hash,
                same_tokens,
                mine.seconds,
                time.perf_counter() - begun,
            )
        )
    return trials, first


def cells(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """Counts and sums by kind and way, columns as in results/FIELDS.md; random and small maps first."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    largest: dict[str, tuple[bool, int]] = {}
    for trial in trials:
        groups.setdefault((trial.kind, trial.way), []).append(trial)
        size = not trial.kind.startswith("random"), trial.num_regions
        largest[trial.kind] = max(size, largest.get(trial.kind, size))
    return [
        {
            "kind": kind,
            "way": way,
            "num_maps": len(group),
            "num_tokens": sum(t.num_tokens for t in group),
            "num_bytes": sum(t.num_bytes for t in group),
            "num_runs": sum(t.num_runs for t in group),
            "same_bytes": _count([t.same_bytes for t in group]),
            "same_logits": _count([t.same_logits for t in group]),
            "same_tokens": sum(t.same_tokens for t in group),
            "write_s": round(sum(t.write_s for t in group), 3),
            "read_s": round(sum(t.read_s for t in group), 3),
        }
        for (kind, way), group in sorted(groups.items(), key=lambda item: largest[item[0][0]])
    ]


def _count(found: Sequence[bool | None]) -> int | None:
    return None if None in found else sum(bool(f) for f in found)
