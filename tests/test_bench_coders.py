"""The bench of range coders: its streams, its bounds, and what it says without constriction."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from wisp.bench import coders


def test_streams_are_as_long_as_asked() -> None:
    streams = list(coders.make_streams(20, 100, 1))
    for stream in streams:
        assert (stream.frequencies.sum(1) == 65536).all()
        assert len(stream.symbols) == len(stream.frequencies)
        widths = stream.frequencies[np.arange(len(stream.symbols)), stream.symbols]
        assert stream.ideal_num_bytes == pytest.approx((16 - np.log2(widths)).sum() / 8)
        assert 75 <= stream.ideal_num_bytes < 127  # the last symbol may cost two bytes
    assert [s.ideal_num_bytes for s in streams] == [
        s.ideal_num_bytes for s in coders.make_streams(20, 100, 1)
    ]


def test_own_coder_adds_nine_bits_at_most_and_its_rounding() -> None:
    (found,) = coders.measure([coders.WispCoder()], coders.make_streams(60, 60, 2))
    assert 0 < found.mean_overhead_num_bytes < 0.75
    assert found.most_overhead_num_bytes < 1.25


def test_constriction_codes_the_same_symbols(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("constriction", reason="constriction comes with the extra [dev]")
    out = tmp_path / "coders"
    assert coders.main(["--streams", "40", "--bytes", "60", "--out", str(out)]) == 0
    wisp, constriction, trimmed = json.loads((out / "coders.json").read_text())["coders"]
    assert wisp["mean_overhead_num_bytes"] < trimmed["mean_overhead_num_bytes"]
    assert trimmed["mean_overhead_num_bytes"] <= constriction["mean_overhead_num_bytes"]
    assert capsys.readouterr().out.strip() == (out / "summary.md").read_text().strip()
    assert "coders" in json.loads((out / "meta.json").read_text())["command"]


def test_a_missing_package_and_bad_numbers_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert coders.main(["--streams", "0"]) == 2
    monkeypatch.setitem(sys.modules, "constriction", None)
    assert coders.main(["--streams", "2"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "wisp-codec[dev]" in lines[1]
