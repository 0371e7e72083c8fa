"""Tables and numbers of the summaries, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | None, places: int) -> str:
    """The number to so many places, or a dash."""
    return "-" if value is None else f"{value:.{places}f}"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, a line a list item."""
    rule = ["---"] * len(header)
    return ["| " + " | ".join(cells) + " |" for cells in (header, rule, *lines)]
