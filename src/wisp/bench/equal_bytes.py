"""Reading rows of many codecs at equal bytes: means, ratios and wins.

The best peer of a mean is the one with the best mean among the peers that reach the budget on every picture: a
peer that gives up on the hard ones would otherwise look better than it is. On a single picture the best peer
is the best of all that reach it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from wisp.bench.catalogue import WISP
from wisp.bench.row_store import Row


@dataclass(frozen=True)
class Measure:
    """A metric as a column to compare by.

    Attributes:
        name: its key in a row's scores.
        higher_is_better: its direction.
        unit: such as "dB"; empty without one.
    """

    name: str
    higher_is_better: bool
    unit: str = ""

    def is_better(self, one: float, other: float) -> bool:
        """Whether `one` is strictly better than `other`."""
        return one > other if self.higher_is_better else one < other


@dataclass(frozen=True)
class CodecMeans:
    """Means of one codec at one budget over the pictures it reaches; None where there is none.

    Attributes:
        codec: its name.
        num_images: pictures of all rows, whether or not the codec has a row of each.
        num_reached: pictures on which it has a file.
        num_bytes, rate_bpp: means over those.
        scores: by measure, the mean over those of them whose score is a number.
        num_scored: by measure, how many those are.
    """

    codec: str
    num_images: int
    num_reached: int
    num_bytes: float | None
    rate_bpp: float | None
    scores: dict[str, float | None]
    num_scored: dict[str, int]

    def over_all(self, measure: Measure) -> float | None:
        """The mean if it is over every picture, so that it may stand beside another codec's; else None."""
        return self.scores[measure.name] if self.num_scored[measure.name] == self.num_images else None


@dataclass(frozen=True)
class Comparison:
    """wisp's mean beside a peer's in one measure.

    Attributes:
        peer: its name; None where there is no peer to compare with.
        num_images: pictures that the means are over.
        wisp, theirs: the means; None where there is none.
        num_won: pictures on which wisp is strictly better.
    """

    peer: str | None
    num_images: int
    wisp: float | None
    theirs: float | None
    num_won: int

    @property
    def ratio(self) -> float | None:
        """wisp's mean over the peer's; means something for distances, whose zero is a perfect copy."""
        if self.wisp is None or self.theirs is None or self.theirs == 0.0:
            return None
        return self.wisp / self.theirs

    @property
    def difference(self) -> float | None:
        """wisp's mean minus the peer's, for measures without such a zero."""
        return None if self.wisp is None or self.theirs is None else self.wisp - self.theirs


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def means(rows: Sequence[Row], codec: str, budget_bpp: float, measures: Sequence[Measure]) -> CodecMeans:
    """Means of that codec's rows at that budget."""
    got = [row for row in rows if row.codec == codec and row.budget_bpp == budget_bpp and row.reached]
    values = {m.name: [row.scores.get(m.name) for row in got] for m in measures}
    return CodecMeans(
        codec=codec,
        num_images=len({row.image for row in rows}),
        num_reached=len(got),
        num_bytes=_mean(row.num_bytes for row in got),
        rate_bpp=_mean(row.rate_bpp for row in got),
        scores={name: _mean(found) for name, found in values.items()},
        num_scored={name: sum(value is not None for value in found) for name, found in values.items()},
    )


def _measured(rows: Sequence[Row], codec: str, budget_bpp: float, measure: Measure) -> dict[str, float]:
    """Picture -> score, where the codec reaches the budget and the score is a number."""
    found: dict[str, float] = {}
    for row in rows:
        if row.codec == codec and row.budget_bpp == budget_bpp and row.reached:
            value = row.scores.get(measure.name)
            if value is not None:
                found[row.image] = value
    return found


def against_peer(rows: Sequence[Row], peer: str, budget_bpp: float, measure: Measure) -> Comparison:
    """wisp against one peer on the pictures that both reach."""
    ours, theirs = (_measured(rows, codec, budget_bpp, measure) for codec in (WISP, peer))
    both = sorted(ours.keys() & theirs.keys())
    return Comparison(
        peer=peer,
        num_images=len(both),
        wisp=_mean(ours[image] for image in both),
        theirs=_mean(theirs[image] for image in both),
        num_won=sum(measure.is_better(ours[image], theirs[image]) for image in both),
    )


def against_best(
    rows: Sequence[Row], peers: Sequence[str], budget_bpp: float, measure: Measure
) -> Comparison:
    """wisp's mean beside the best mean of a peer that reaches all pictures; wisp's is None if it does not.

    `num_won` is as in `num_images_won`.
    """
    all_means = {codec: means(rows, codec, budget_bpp, [measure]) for codec in (WISP, *peers)}
    best: str | None = None
    theirs: float | None = None
    for peer in peers:
        mean = all_means[peer].over_all(measure)
        if mean is not None and (theirs is None or measure.is_better(mean, theirs)):
            best, theirs = peer, mean
    ours = all_means[WISP]
    return Comparison(
        peer=best,
        num_images=ours.num_images,
        wisp=ours.over_all(measure),
        theirs=theirs,
        num_won=num_images_won(rows, peers, budget_bpp, measure),
    )


def num_images_won(rows: Sequence[Row], peers: Sequence[str], budget_bpp: float, measure: Measure) -> int:
    """Pictures on which wisp is better than every peer that reaches them; none reaching counts as won.

    A picture on which a peer was not measured, or whose copy is so good that its value is infinite, is not won.
    """
    ours = _measured(rows, WISP, budget_bpp, measure)
    here = {(row.codec, row.image): row for row in rows if row.budget_bpp == budget_bpp}

    def is_beaten(peer: str, image: str) -> bool:
        row = here.get((peer, image))
        if row is None or not row.reached:
            return row is not None
        theirs = row.scores.get(measure.name)
        return theirs is not None and measure.is_better(ours[image], theirs)

    return sum(all(is_beaten(peer, image) for peer in peers) for image in ours)
