"""The page of the exactness benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wisp.bench.exactness_digest import Comparison, Digest
from wisp.bench.exactness_trials import Trial, cells
from wisp.bench.markdown import table

SHOWN = 20  # differences on the page; all of them are in cells.json


def differences(trials: Sequence[Trial]) -> list[str]:
    """A line for each trial that is not exact."""
    lines = []
    for trial in trials:
        verdicts = {"bytes": trial.same_bytes, "logits": trial.same_logits, "tokens read": trial.same_tokens}
        others = [what for what, same in verdicts.items() if same is False]
        if others:
            lines.append(f"{trial.name}, {trial.way}: other {', '.join(others)}")
    return lines


def trials_table(trials: Sequence[Trial]) -> list[str]:
    """A line for each kind of map and way."""
    lines = []
    for cell in cells(trials):
        count = cell["num_maps"]
        lines.append(
            [
                cell["kind"],
                cell["way"],
                str(count),
                _share(cell["same_bytes"], count),
                _share(cell["same_logits"], count),
                _share(cell["same_tokens"], count),
                str(cell["num_runs"]),
                f"{1000 * cell['write_s'] / count:.0f}",
                f"{1000 * cell['read_s'] / count:.0f}",
            ]
        )
    header = ["maps", "way", "count", "same bytes", "same logits", "same tokens read", "network runs"]
    return table([*header, "write, ms a map", "read, ms a map"], lines)


def _share(same: Any, count: int) -> str:
    return "-" if same is None else f"{same}/{count}"


def comparison_table(comparisons: Sequence[Comparison]) -> list[str]:
    """A line for each environment."""
    lines = [
        [
            found.label.replace("|", "/"),
            found.runner,
            found.cpu_features,
            str(found.num_maps),
            *(
                _share(same, found.num_maps)
                for same in (found.same_logits, found.same_payloads, found.read_back)
            ),
        ]
        for found in comparisons
    ]
    header = ["environment", "runner", "vector instructions", "maps", "same logits", "same payloads"]
    return table([*header, "read back"], lines)


def verdict(found: Sequence[str]) -> list[str]:
    """What differs, first of all."""
    if not found:
        return ["**Nothing differs.**", ""]
    more = [f"* and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return [f"**{len(found)} DIFFERENCES.**", "", *(f"* {line}" for line in found[:SHOWN]), *more, ""]


def summary(
    trials: Sequence[Trial],
    window: int,
    first: Digest,
    comparisons: Sequence[Comparison],
    found: Sequence[str],
) -> str:
    """The page: ways on one machine, then other environments."""
    names = {trial.name for trial in trials}
    by_numpy = sum(trial.way == "numpy" for trial in trials)
    lines = ["# Exactness of the masked prior", "", *verdict(found)]
    lines += [
        f"{len(names)} maps of tokens. Each way writes the payload, which is held against that of the first way; "
        "then it reads the first way's payload, and the first way the last one's. onnxruntime_1, onnxruntime_2: "
        "so many threads in a network, and so many networks at once. windows: the networks see about "
        f"{window} positions at once and their halo, two windows at a time. numpy: 64-bit integers, no float; "
        f"{by_numpy} of the {len(names)} maps, others are too large for it.",
        "",
        *trials_table(trials),
        "",
    ]
    if comparisons:
        lines += [
            "## Other environments",
            "",
            f"Random maps, held against {first.label} ({first.runner}; {first.environment['cpu_features']}).",
            "",
            *comparison_table(comparisons),
            "",
        ]
    return "\n".join(lines)
