"""The range decoder in JavaScript reads what Python writes: a browser's doubles are enough for the format."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wisp.entropy.exponential import EXPONENTIAL
from wisp.entropy.integer_softmax import cumulatives, frequencies
from wisp.entropy.range_coder import RangeEncoder

ROOT = Path(__file__).parent.parent
VECTORS = json.loads((ROOT / "reference" / "entropy" / "range_coder.json").read_text(encoding="utf-8"))

# Reads [{logits, bytes}] from stdin, writes what became of each: symbols and length, or an error's name.
SCRIPT = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const { RangeDecoder, cumulatives } = await import(pathToFileURL(process.argv[1]).href);
const decode = ({ logits, bytes }) => {
  try {
    const decoder = new RangeDecoder(Uint8Array.from(Buffer.from(bytes, "hex")));
    const symbols = logits.map((row) => decoder.decode(cumulatives(row)));
    return { symbols, length: decoder.finish() };
  } catch (fault) {
    return { error: fault.message };
  }
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(decode)));
"""


def decode_all(streams: list[dict[str, Any]]) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; it runs the JavaScript decoder")
    module = ROOT / "web" / "range_decoder.mjs"
    done = subprocess.run(
        [node, "--input-type=module", "--eval", SCRIPT, str(module)],
        input=json.dumps(streams),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def random_stream(seed: int) -> dict[str, Any]:
    """Logits from flat to nearly certain, and symbols of any probability, as Python codes them."""
    random = np.random.default_rng(seed)
    alphabet, count = int(random.integers(2, 257)), int(random.integers(1, 120))
    spread = (1, 12, 60, 200)[seed % 4]
    logits = np.rint(random.normal(0, spread, (count, alphabet))).astype(np.int16)
    rows = cumulatives(frequencies(logits))
    improbable = random.random(count) < 0.3
    drawn = (rows[:, 1:] <= random.integers(0, 1 << 16, (count, 1))).sum(1)
    symbols = np.where(improbable, random.integers(0, alphabet, count), drawn)
    starts = rows[np.arange(count), symbols]
    encoder = RangeEncoder()
    encoder.encode(starts.tolist(), (rows[np.arange(count), symbols + 1] - starts).tolist())
    return {"logits": logits.tolist(), "symbols": symbols.tolist(), "payload": encoder.finish().hex()}


@pytest.mark.parametrize("tail", ["0000", "ffff", "a55a01"])
def test_every_frozen_vector_decodes(tail: str) -> None:
    found = decode_all([{"logits": v["logits"], "bytes": v["payload"] + tail} for v in VECTORS])
    assert found == [{"symbols": v["symbols"], "length": len(v["payload"]) // 2} for v in VECTORS]


def test_random_streams_decode() -> None:
    streams = [random_stream(seed) for seed in range(60)]
    found = decode_all([{"logits": s["logits"], "bytes": s["payload"] + "c3d2"} for s in streams])
    assert found == [{"symbols": s["symbols"], "length": len(s["payload"]) // 2} for s in streams]


def test_every_cut_is_noticed() -> None:
    cuts = []
    for vector in VECTORS:
        data = vector["payload"] + "a55a"
        cuts += [(data[:end], vector["logits"]) for end in range(0, len(data), 2)]
    found = decode_all([{"logits": logits, "bytes": data} for data, logits in cuts])
    for (data, _), outcome in zip(cuts, found, strict=True):
        # as in Python: either the error, or a length that leaves no room for the check's two bytes
        assert outcome.get("error") == "Truncated" or outcome["length"] + 2 > len(data) // 2


def test_bytes_that_no_encoder_writes_are_corrupt() -> None:
    flat = [[0] * 16] * 8
    assert decode_all([{"logits": flat, "bytes": "ff" * 12}]) == [{"error": "Corrupt"}]


def test_the_table_is_that_of_the_format() -> None:
    text = (ROOT / "web" / "exponential.mjs").read_text(encoding="utf-8")
    listed = [int(digits) for digits in re.findall(r"\d+", text.split("[", 1)[1])]
    assert listed + [0] * (len(EXPONENTIAL) - len(listed)) == list(EXPONENTIAL)
