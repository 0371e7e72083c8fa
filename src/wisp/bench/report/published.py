"""Numbers that others published, from published.toml: shown beside ours, never mixed with them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from wisp.bench.report.load import Run


@dataclass(frozen=True)
class Series:
    """Points of one codec in one metric.

    Attributes:
        codec: the codec's name with what tells its variants apart.
        metric: the column whose definition it shares.
        points: (rate in bits per pixel, value), by rising rate.
        evidence: how the numbers came here.
        source: who published them.
    """

    codec: str
    metric: str
    points: tuple[tuple[float, float], ...]
    evidence: str
    source: str


@dataclass(frozen=True)
class Published:
    """All series, and the pictures they are means over."""

    pictures: str
    images: frozenset[str]
    series: tuple[Series, ...]

    def fits(self, run: Run) -> bool:
        """Whether the run is on exactly these pictures, so that means may stand side by side."""
        return frozenset(run.images) == self.images


def published() -> Published:
    """The table that comes with the package."""
    table = tomllib.loads(files("wisp.bench.report").joinpath("published.toml").read_text(encoding="utf-8"))
    evidence: dict[str, str] = table["evidence"]
    sources: dict[str, str] = table["source"]
    return Published(
        pictures=table["pictures"],
        images=frozenset(
            table["image_pattern"].format(number) for number in range(1, table["num_images"] + 1)
        ),
        series=tuple(
            Series(
                codec=entry["codec"],
                metric=entry["metric"],
                points=tuple((float(rate), float(value)) for rate, value in entry["points"]),
                evidence=evidence[entry["evidence"]],
                source=sources[entry["source"]],
            )
            for entry in table["series"]
        ),
    )
