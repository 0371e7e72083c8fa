"""Writes reference/entropy/latents.json. Run by hand when the format changes on purpose; tests only read."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from wisp.entropy.bit_stream import BitWriter
from wisp.entropy.elias import Delta, Gamma, Omega
from wisp.entropy.gaussian_tables import NUM_SCALES, scale_frequencies
from wisp.entropy.latent_bytes import LatentKind, write_qsgd, write_stepped
from wisp.entropy.qsgd import QsgdVector, quantise
from wisp.entropy.uniform_steps import SteppedVector

ELIAS_KINDS = (LatentKind.GAMMA, LatentKind.DELTA, LatentKind.OMEGA, LatentKind.GAPS)
NUMBERS = [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 100, 255, 256, 65535, 65536, 2**31, 2**32 - 1]


def word(code: Gamma | Delta | Omega) -> dict:
    """The words of all numbers after each other, as hex."""
    writer = BitWriter()
    for number in NUMBERS:
        code.write(writer, number)
    return {"code": code.name, "numbers": NUMBERS, "words": writer.finish().hex()}


def rounded(name: str, vector: list[float], bits: int, rounding: str, seed: int) -> dict:
    """What a writer makes of a vector."""
    found = quantise(vector, bits, rounding, seed)
    norm = struct.pack(">f", found.norm).hex()
    options = {"bits": bits, "rounding": rounding, "seed": seed}
    return {"name": name, "vector": vector, **options, "norm": norm, "levels": found.levels.tolist()}


def qsgd(name: str, norm: float, bits: int, levels: list[int]) -> list[dict]:
    """One vector in each of the Elias kinds."""
    vector = QsgdVector(norm, bits, np.array(levels, np.int16))
    about = {"norm": norm, "bits": bits, "levels": levels}
    return [
        {
            "name": f"{name} {kind.name.lower()}",
            "kind": int(kind),
            **about,
            "bytes": write_qsgd(vector, kind).hex(),
        }
        for kind in ELIAS_KINDS
    ]


def stepped(name: str, step: float, levels: list[int], scales: list[int] | None = None) -> dict:
    """One vector range coded; with scales, those of a model."""
    vector = SteppedVector(step, np.array(levels, np.int16))
    data = write_stepped(vector, None if scales is None else np.array(scales))
    return {"name": name, "step": step, "levels": levels, "scales": scales, "bytes": data.hex()}


def main() -> None:
    eighths = [n / 8 for n in (-9, 4, 0, 7, -1, 30, -2, 5, 11, -16, 3, 1)]
    random = np.random.default_rng(20261121)
    bell = np.rint(random.normal(0, 3, 40)).astype(int).tolist()
    scales = [int(i) for i in random.integers(0, NUM_SCALES, 30)]
    various = [round(random.normal(0, 2 ** (i / 8 - 3))) for i in scales]
    value = {
        "words": [word(code) for code in (Gamma(), Delta(), Omega())],
        "rounding": [
            rounded(f"{bits} bits, {rounding}", eighths, bits, rounding, 7)
            for bits in (4, 6, 8)
            for rounding in ("nearest", "stochastic")
        ],
        "qsgd": [
            *qsgd("ordinary", 2.5, 4, [0, 3, -1, 0, 0, 15, -15, 1]),
            *qsgd("one bit", 0.75, 1, [0, 0, -1, 0, 1, 0, 0, 0, 0, 0]),
            *qsgd("largest", 1.0, 8, [255, -255]),
            *qsgd("only zeros", 2.0**-100, 6, [0] * 20),
            *qsgd("no length", 0.0, 8, [0] * 300),
        ],
        "stepped": [
            stepped("bell", 0.5, bell),
            stepped("bell, given scales", 0.5, bell, [37] * 40),
            stepped("far out", 2.0**-126, [0, 127, -127, 128, -128, 255, -255, 1]),
            stepped("scales of every kind", 1.5, [max(-255, min(255, v)) for v in various], scales),
            stepped("only zeros", 2.0**119, [0] * 1000),
        ],
        "scales": {str(i): scale_frequencies()[i].tolist() for i in (0, 24, 37, 56, 95)},
    }
    path = Path(__file__).parent / "entropy" / "latents.json"
    path.write_text(json.dumps(value) + "\n")


if __name__ == "__main__":
    main()
