"""The page of `latent_coders`: a table for each length of a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wisp.bench.markdown import number, table

HEADER = (
    "quantiser",
    "bits or step",
    "coder",
    "bytes",
    "relative squared error",
    "cosine",
    "least, bytes",
    "bound, bytes",
    "bound, error",
)
INTRODUCTION = """# Latent coders

Means over {seeds} vectors of standard Gaussian numbers. Bytes are all that is needed to read a vector: kind, bits and
length (3 bytes), norm (4) or step and scale (3), and the payload. `gaps` is the code that QSGD is published with;
gamma, delta and omega code level + 1 of every number, and a sign where there is one. Steps are in standard deviations.

Least is what the rate-distortion function of Gaussian numbers asks for that error, n / 2 log2(1 / error) bits.
The bounds are for stochastic rounding: expected bits by Theorem 3.2 (without its o(1), so it is no strict bound),
expected error by Lemma 3.1 of Alistarh et al. 2017, section 3.1. Corollary 3.3 promises 2.8 n + 32 bits at s = sqrt(n)
levels: {corollary}."""


def summary(rows: Sequence[Mapping[str, Any]], seeds: int) -> str:
    """The page; rows as in latent_coders.json, those of one length after each other."""
    lengths = list(dict.fromkeys(row["length"] for row in rows))
    corollary = ", ".join(f"{(2.8 * n + 32) / 8:.0f} bytes for {n} numbers" for n in lengths)
    parts = [INTRODUCTION.format(seeds=seeds, corollary=corollary)]
    for length in lengths:
        lines = [_line(row) for row in rows if row["length"] == length]
        parts += ["", f"## {length} numbers", "", *table(HEADER, lines)]
    return "\n".join(parts) + "\n"


def _line(row: Mapping[str, Any]) -> list[str]:
    setting = f"{row['bits']} bits" if row["step"] is None else f"step {row['step']}"
    return [
        row["quantiser"],
        setting,
        row["coder"],
        number(row["num_bytes"], 1),
        f"{row['relative_squared_error']:.3g}",
        number(row["cosine"], 4),
        number(row["least_num_bytes"], 1),
        number(row["bound_num_bytes"], 0),
        "-" if row["bound_relative_squared_error"] is None else f"{row['bound_relative_squared_error']:.3g}",
    ]
