"""Reading rows of many codecs at equal bytes: means, ratios and wins.

The best peer of a mean is the one with the lowest mean among the peers that reach the budget on every
picture: a peer that gives up on the hard ones would otherwise look better than it is. On a single picture the
best peer is the best of all that reach it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from wisp.bench.catalogue import WISP
from wisp.bench.row_store import Row

Measure = Literal["lpips_squeeze", "feature_distance", "texture_distance"]


@dataclass(frozen=True)
class CodecMeans:
    """Means of one codec at one budget over the pictures it reaches; None where it reaches none."""

    codec: str
    num_images: int
    num_reached: int
    num_bytes: float | None
    rate_bpp: float | None
    psnr_db: float | None
    lpips_squeeze: float | None
    feature_distance: float | None
    texture_distance: float | None

    @property
    def reaches_all(self) -> bool:
        return self.num_reached == self.num_images


@dataclass(frozen=True)
class AgainstPeer:
    """wisp's means over a peer's, on the pictures that both reach; below 1, wisp is better."""

    peer: str
    num_images: int
    lpips_ratio: float | None
    feature_ratio: float | None
    num_lpips_won: int


@dataclass(frozen=True)
class AgainstBest:
    """wisp's mean over the best peer's mean in one measure; None where no peer, or not wisp, reaches all."""

    peer: str | None
    ratio: float | None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def means(rows: Sequence[Row], codec: str, budget_bpp: float) -> CodecMeans:
    """Means of that codec's rows at that budget."""
    mine = [row for row in rows if row.codec == codec and row.budget_bpp == budget_bpp]
    got = [row for row in mine if row.reached]
    return CodecMeans(
        codec=codec,
        num_images=len(mine),
        num_reached=len(got),
        num_bytes=_mean(row.num_bytes for row in got),
        rate_bpp=_mean(row.rate_bpp for row in got),
        psnr_db=_mean(row.psnr_db for row in got),
        lpips_squeeze=_mean(row.lpips_squeeze for row in got),
        feature_distance=_mean(row.feature_distance for row in got),
        texture_distance=_mean(row.texture_distance for row in got),
    )


def _measured(rows: Sequence[Row], codec: str, budget_bpp: float, measure: Measure) -> dict[str, float]:
    """Picture -> distance, where the codec reaches the budget."""
    found: dict[str, float] = {}
    for row in rows:
        value: float | None = getattr(row, measure)
        if row.codec == codec and row.budget_bpp == budget_bpp and row.reached and value is not None:
            found[row.image] = value
    return found


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    if not ours or not theirs or sum(theirs) == 0.0:
        return None
    return fmean(ours) / fmean(theirs)


def against_best(
    rows: Sequence[Row], peers: Sequence[str], budget_bpp: float, measure: Measure
) -> AgainstBest:
    """wisp's mean over the best peer's mean."""
    candidates = [means(rows, peer, budget_bpp) for peer in peers]
    complete = [c for c in candidates if c.num_images and c.reaches_all]
    if not complete:
        return AgainstBest(peer=None, ratio=None)
    best = min(complete, key=lambda c: float(getattr(c, measure)))
    wisp = means(rows, WISP, budget_bpp)
    if not wisp.num_images or not wisp.reaches_all:
        return AgainstBest(peer=best.codec, ratio=None)
    ours = _measured(rows, WISP, budget_bpp, measure)
    theirs = _measured(rows, best.codec, budget_bpp, measure)
    return AgainstBest(peer=best.codec, ratio=_ratio(list(ours.values()), list(theirs.values())))


def num_images_won(rows: Sequence[Row], peers: Sequence[str], budget_bpp: float, measure: Measure) -> int:
    """Pictures on which wisp is better than every peer that reaches them; none reaching counts as won."""
    ours = _measured(rows, WISP, budget_bpp, measure)
    theirs = [_measured(rows, peer, budget_bpp, measure) for peer in peers]
    return sum(all(mine < peer[image] for peer in theirs if image in peer) for image, mine in ours.items())


def against_peer(rows: Sequence[Row], peer: str, budget_bpp: float) -> AgainstPeer:
    """wisp against one peer on the pictures that both reach."""
    pairs: dict[Measure, list[tuple[float, float]]] = {}
    measures: tuple[Measure, ...] = ("lpips_squeeze", "feature_distance")
    for measure in measures:
        ours, theirs = (_measured(rows, codec, budget_bpp, measure) for codec in (WISP, peer))
        pairs[measure] = [(ours[image], theirs[image]) for image in sorted(ours.keys() & theirs.keys())]
    lpips, feature = pairs["lpips_squeeze"], pairs["feature_distance"]
    return AgainstPeer(
        peer=peer,
        num_images=len(lpips),
        lpips_ratio=_ratio([a for a, _ in lpips], [b for _, b in lpips]),
        feature_ratio=_ratio([a for a, _ in feature], [b for _, b in feature]),
        num_lpips_won=sum(a < b for a, b in lpips),
    )
