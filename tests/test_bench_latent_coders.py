"""The bench of latent coders: its bounds, its orders of ways, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from wisp.bench import latent_coders
from wisp.errors import CodecError


def test_the_papers_bounds() -> None:
    # at s = sqrt(n) the logarithm is 1: 4.5 g + 32 with g = 2 n
    assert latent_coders.expected_bits(256, 16) == pytest.approx(4.5 * 512 + 32)
    assert latent_coders.expected_error(256, 16) == 1
    assert latent_coders.expected_error(512, 255) == pytest.approx(512 / 255**2)
    assert latent_coders.least_bits(512, 0.25) == 512
    assert latent_coders.least_bits(512, 1.5) == 0
    assert latent_coders.expected_error(512, 1) == pytest.approx(512**0.5)


def test_ways_compare_as_they_should() -> None:
    rows = list(latent_coders.measure(128, [4, 8], 8))
    assert len(rows) == 2 * (2 * 4 + 3) + 2 * len(latent_coders.STEPS)
    found = {(r.bits, r.step, r.quantiser, r.coder): r for r in rows}
    assert all(r.num_bytes > r.least_num_bytes for r in rows)
    for bits in (4, 8):
        published = found[bits, None, "qsgd stochastic", "gaps"]
        assert published.bound_num_bytes is not None
        assert published.bound_relative_squared_error is not None
        assert published.num_bytes < published.bound_num_bytes
        assert published.relative_squared_error < published.bound_relative_squared_error
        nearest = found[bits, None, "qsgd nearest", "omega"]
        assert nearest.relative_squared_error < 0.7 * published.relative_squared_error
        equal = found[bits, None, "steps, error of qsgd stochastic", "gaussian"]
        assert equal.relative_squared_error <= published.relative_squared_error
        assert equal.num_bytes < 0.8 * min(
            r.num_bytes
            for r in rows
            if r.bits == bits and "stochastic" in r.quantiser and r.coder != "gaussian"
        )
    sizes = [found[None, step, "steps", "gaussian"].num_bytes for step in latent_coders.STEPS]
    assert sizes == sorted(sizes, reverse=True)


def test_a_coder_that_loses_levels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    other = latent_coders.quantise(np.zeros(9), 4)
    monkeypatch.setattr(latent_coders, "read_latent", lambda data: other)
    for way in latent_coders.ways([4]):
        with pytest.raises(CodecError, match="levels back"):
            way.code(np.ones(9) * 1.5, 0)


def test_files_and_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "latents"
    assert latent_coders.main(["--seeds", "2", "--lengths", "20,6", "--bits", "4", "--out", str(out)]) == 0
    value = json.loads((out / "latent_coders.json").read_text())
    assert value["num_vectors"] == 2
    assert {row["length"] for row in value["rows"]} == {20, 6}
    assert capsys.readouterr().out.strip() == (out / "summary.md").read_text().strip()
    assert "latent_coders" in json.loads((out / "meta.json").read_text())["command"]
    for wrong in (["--seeds", "0"], ["--bits", "9"], ["--lengths", "x"], ["--lengths", "0"]):
        assert latent_coders.main(wrong) == 2
    (tmp_path / "file").write_text("")
    assert latent_coders.main(["--out", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 5
