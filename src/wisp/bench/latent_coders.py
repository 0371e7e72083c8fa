"""Bytes of a Gaussian latent against what is left of it: QSGD in Elias codes beside uniform steps, range coded.

    wisp bench latent_coders [--out results/NAME] [--seeds 50] [--lengths 512,128] [--bits 8,6,4]

A latent is a vector of independent standard Gaussian numbers, what the generator of a GAN is fed with. Every way of
coding sees the same vectors, every size is that of the whole of its bytes (docs/latents.md), and every one is read
again. QSGD's stochastic rounding is as published, its bounds are those of Alistarh et al. 2017, section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.bench.command import command, command_parser, whole_number_list
from wisp.bench.latent_coders_table import summary
from wisp.bench.provenance import meta, require_place, write_json, write_text
from wisp.entropy.gaussian_levels import best_scale
from wisp.entropy.latent_bytes import LatentKind, read_latent, write_qsgd, write_stepped
from wisp.entropy.qsgd import MAX_BITS, MAX_LENGTH, Rounding, most, quantise
from wisp.entropy.uniform_steps import quantise_steps
from wisp.errors import CodecError, UsageError

STEPS = (0.1, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5)  # in standard deviations
ELIAS = (LatentKind.GAMMA, LatentKind.DELTA, LatentKind.OMEGA, LatentKind.GAPS)
ROUNDINGS: tuple[Rounding, ...] = ("stochastic", "nearest")
HALVINGS = 20
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Coded:
    """One vector: how many bytes it took, and what was read from them."""

    num_bytes: int
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """A way of coding: its names in a row, and the coding of one vector with the seed of its rounding."""

    bits: int | None
    step: float | None
    quantiser: str
    coder: str
    code: Callable[[Vector, int], Coded]


@dataclass(frozen=True)
class Row:
    """One way of coding, means over all vectors; columns are explained in results/FIELDS.md."""

    length: int
    bits: int | None
    step: float | None
    quantiser: str
    coder: str
    num_bytes: float
    relative_squared_error: float
    cosine: float
    least_num_bytes: float
    bound_num_bytes: float | None
    bound_relative_squared_error: float | None


def expected_bits(n: int, s: int) -> float:
    """Theorem 3.2 of the QSGD paper without its o(1): (3 + 3/2 log2(2 (s^2 + n) / g)) g + 32, g = s (s + sqrt n)."""
    dense = s * (s + math.sqrt(n))
    return (3 + 1.5 * math.log2(2 * (s * s + n) / dense)) * dense + 32


def expected_error(n: int, s: int) -> float:
    """Lemma 3.1 of the QSGD paper: E ||Q(v) - v||^2 / ||v||^2 is at most min(n / s^2, sqrt(n) / s)."""
    return min(n / s**2, math.sqrt(n) / s)


def least_bits(n: int, error: float) -> float:
    """n / 2 log2(1 / error): no code for Gaussian numbers needs fewer (Cover and Thomas 2006, theorem 10.3.2)."""
    return n / 2 * max(0.0, -math.log2(error))


def code_qsgd(vector: Vector, bits: int, rounding: Rounding, seed: int, kind: LatentKind) -> Coded:
    """QSGD in one of the Elias codes."""
    quantised = quantise(vector, bits, rounding, seed)
    data = write_qsgd(quantised, kind)
    found = read_latent(data)
    if found.levels.tolist() != quantised.levels.tolist():
        raise CodecError(f"expected the levels back from {kind.name.lower()}, found others")
    return Coded(len(data), found.values())


def code_steps(vector: Vector, step: float, centroids: bool) -> Coded:
    """Uniform steps under one Gaussian."""
    quantised = quantise_steps(vector, step)
    data = write_stepped(quantised)
    if read_latent(data).levels.tolist() != quantised.levels.tolist():
        raise CodecError("expected the levels back from the range coder, found others")
    scales = np.full(len(vector), best_scale(quantised.levels))
    return Coded(len(data), quantised.centroids(scales) if centroids else quantised.values())


def same_step(vector: Vector, seed: int, bits: int) -> float:
    """The step of QSGD, norm / s, whatever the seed."""
    return float(np.linalg.norm(vector)) / most(bits)


def same_error_step(vector: Vector, seed: int, bits: int) -> float:
    """The largest step, as far as bisection finds one, whose squared error is not above published QSGD's."""
    allowed = relative_squared_error(vector, quantise(vector, bits, "stochastic", seed).values())
    low, high = same_step(vector, seed, bits), 4 * float(np.abs(vector).max())
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        if relative_squared_error(vector, quantise_steps(vector, middle).values()) <= allowed:
            low = middle
        else:
            high = middle
    return low


def relative_squared_error(vector: Vector, values: NDArray[np.float32]) -> float:
    """||values - vector||^2 / ||vector||^2."""
    return float(((values - vector) ** 2).sum() / (vector**2).sum())


def cosine(vector: Vector, values: NDArray[np.float32]) -> float:
    """Cosine of the angle between them, 0 where all values are 0."""
    lengths = float(np.linalg.norm(vector) * np.linalg.norm(values))
    return float(values @ vector) / lengths if lengths else 0.0


def ways(bits: Sequence[int]) -> Iterator[Way]:
    """All of them: at each number of bits, and at steps of a fixed size."""
    for b in bits:
        for rounding in ROUNDINGS:
            for kind in ELIAS:
                yield _qsgd_way(b, rounding, kind)
        yield _steps_way(b, None, "steps, step of qsgd", partial(same_step, bits=b), False)
        yield _steps_way(b, None, "steps, centroids, step of qsgd", partial(same_step, bits=b), True)
        yield _steps_way(b, None, "steps, error of qsgd stochastic", partial(same_error_step, bits=b), False)
    for step in STEPS:
        yield _steps_way(None, step, "steps", partial(_fixed_step, step=step), False)
        yield _steps_way(None, step, "steps, centroids", partial(_fixed_step, step=step), True)


def _fixed_step(vector: Vector, seed: int, step: float) -> float:
    return step


def _qsgd_way(bits: int, rounding: Rounding, kind: LatentKind) -> Way:
    def code(vector: Vector, seed: int) -> Coded:
        return code_qsgd(vector, bits, rounding, seed, kind)

    return Way(bits, None, f"qsgd {rounding}", kind.name.lower(), code)


def _steps_way(
    bits: int | None, step: float | None, name: str, step_of: Callable[[Vector, int], float], centroids: bool
) -> Way:
    def code(vector: Vector, seed: int) -> Coded:
        return code_steps(vector, step_of(vector, seed), centroids)

    return Way(bits, step, name, "gaussian", code)


def measure(length: int, bits: Sequence[int], seeds: int) -> Iterator[Row]:
    """Vectors of one length in all ways.

    Raises:
        CodecError: a way did not give the levels back.
    """
    vectors = [np.random.default_rng(seed).standard_normal(length) for seed in range(seeds)]
    for way in ways(bits):
        coded = [way.code(vector, seed) for seed, vector in enumerate(vectors)]
        pairs = list(zip(vectors, (c.values for c in coded), strict=True))
        error = float(np.mean([relative_squared_error(*pair) for pair in pairs]))
        s = most(way.bits) if way.bits is not None and way.quantiser == "qsgd stochastic" else None
        yield Row(
            length,
            way.bits,
            way.step,
            way.quantiser,
            way.coder,
            float(np.mean([c.num_bytes for c in coded])),
            error,
            float(np.mean([cosine(*pair) for pair in pairs])),
            least_bits(length, error) / 8,
            expected_bits(length, s) / 8 if s is not None and way.coder == "gaps" else None,
            expected_error(length, s) if s is not None else None,
        )


@command("latent_coders")
def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = command_parser("latent_coders", "bytes of a latent")
    parser.add_argument("--out", type=Path, help="folder for the results; only printed without it")
    parser.add_argument("--seeds", type=int, default=50, help="vectors of each length")
    parser.add_argument("--lengths", default="512,128", help="numbers in a vector")
    parser.add_argument("--bits", default="8,6,4", help="of QSGD")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        raise UsageError("--seeds: expected at least 1")
    lengths = whole_number_list("--lengths", options.lengths, 1, MAX_LENGTH)
    bits = whole_number_list("--bits", options.bits, 1, MAX_BITS)
    if options.out is not None:
        require_place(options.out)
    rows = [asdict(row) for length in lengths for row in measure(length, bits, options.seeds)]
    page = summary(rows, options.seeds)
    print(page)
    if options.out is not None:
        value: dict[str, Any] = {"num_vectors": options.seeds, "rows": rows}
        write_json(options.out / "latent_coders.json", value)
        write_text(options.out / "summary.md", page)
        write_json(options.out / "meta.json", meta("wisp.bench.latent_coders", arguments))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
