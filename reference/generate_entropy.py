"""Writes reference/entropy/range_coder.json. Run by hand when the format changes on purpose; tests only read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from wisp.entropy.integer_softmax import cumulatives, frequencies
from wisp.entropy.range_coder import RangeEncoder


def vector(name: str, logits: np.ndarray, symbols: list[int]) -> dict:
    """One vector: logits in 1/16 nat, symbols, and the payload as hex."""
    freqs = frequencies(logits.astype(np.int16))
    rows = cumulatives(freqs)
    every = np.arange(len(symbols))
    encoder = RangeEncoder()
    encoder.encode(rows[every, symbols].tolist(), freqs[every, symbols].tolist())
    return {"name": name, "logits": logits.tolist(), "symbols": symbols, "payload": encoder.finish().hex()}


def main() -> None:
    random = np.random.default_rng(20261121)
    vectors = [
        vector("flat", np.zeros((8, 16)), [0, 15, 7, 3, 3, 0, 15, 8]),
        vector("certain", np.tile(np.where(np.arange(12) == 4, 300, 0), (40, 1)), [4] * 40),
        vector("improbable", np.tile(np.where(np.arange(12) == 4, 300, 0), (6, 1)), [0, 11, 4, 0, 4, 11]),
        vector("carries", np.tile(np.where(np.arange(4) == 3, 60, 0), (30, 1)), [3] * 29 + [0]),
        vector("mixed", random.integers(-60, 60, (24, 40)), random.integers(0, 40, 24).tolist()),
    ]
    path = Path(__file__).parent / "entropy" / "range_coder.json"
    path.write_text(json.dumps(vectors) + "\n")


if __name__ == "__main__":
    main()
