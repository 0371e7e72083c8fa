"""The exactness bench: random maps, ways that agree, ways that do not, digests and what they may be compared with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wisp.bench import exactness
from wisp.bench.exactness_digest import hashes
from wisp.bench.exactness_maps import random_map
from wisp.bench.exactness_runners import (
    IntegerPrior,
    WatchedPrior,
    Way,
    all_ways,
    make_way,
    numpy_way,
    onnxruntime_way,
)
from wisp.bench.exactness_table import differences
from wisp.bench.exactness_trials import Written, reads_back, try_map, write_with
from wisp.bench.prior_reference import ReferenceRunner
from wisp.bench.wasm_runner import WasmProcess
from wisp.codecs import TokenPyramidCodec, codec_for_model
from wisp.errors import UsageError

STRIDES, GROUPS = (32, 16, 8), (4, 4, 4)


@pytest.fixture(scope="module")
def codec(prior_model: Path) -> TokenPyramidCodec:
    return codec_for_model(prior_model, 1)


@pytest.mark.parametrize(
    ("index", "tokens"), [(0, "ad70eb5df68c8f3c"), (3, "855d30b23de1c449"), (19, "d24a646250eaea57")]
)
def test_random_maps_are_frozen(index: int, tokens: str) -> None:
    # Digests of different machines can be compared only while every machine makes these tokens.
    line = hashes(random_map(index, 0, STRIDES, GROUPS), Written(b"", "", 0, 0.0))
    assert line.split()[0] == tokens


def test_the_seed_changes_a_map() -> None:
    assert random_map(0, 0, STRIDES, GROUPS).pyramid != random_map(0, 1, STRIDES, GROUPS).pyramid


def test_random_maps_vary() -> None:
    maps = [random_map(index, 0, STRIDES, GROUPS) for index in range(60)]
    shapes = {(m.pyramid.shape.rows, m.pyramid.shape.columns) for m in maps}
    assert (1, 1) in shapes
    assert max(max(shape) for shape in shapes) == 12
    assert max(max(shape) / min(shape) for shape in shapes) >= 6
    assert {int(m.pyramid.grain_map.max()) for m in maps} >= {1, 12}
    assert min(int(m.pyramid.grain_map.min()) for m in maps) == 1
    assert all(m.pyramid == m.pyramid.cut_to_map() for m in maps)


@pytest.mark.parametrize("index", [0, 3, 16, 17])
def test_ways_agree(codec: TokenPyramidCodec, index: int) -> None:
    trials, _ = try_map(random_map(index, 5, STRIDES, GROUPS), all_ways(codec, window=8))
    assert [trial.way for trial in trials] == ["onnxruntime_1", "onnxruntime_2", "windows", "numpy"]
    assert all(trial.is_exact for trial in trials)
    assert differences(trials) == []


def test_windows_are_many(codec: TokenPyramidCodec) -> None:
    trials, _ = try_map(random_map(39, 0, STRIDES, GROUPS), all_ways(codec, window=8))
    runs = {trial.way: trial.num_runs for trial in trials}
    assert runs["windows"] > 3 * runs["onnxruntime_1"]


class WrongPrior(WatchedPrior):
    """One logit of 256 is off by one: what a float that rounds differently would do."""

    def last_layer(self, place: int, features: NDArray[np.float32]) -> NDArray[np.int16]:
        found = super().last_layer(place, features)
        found[:, 7] += 1
        return found

    def check(self, level: int) -> None:
        """Let it pass: the golden hash would refuse it."""


def wrong_way(codec: TokenPyramidCodec) -> Way:
    return make_way("wrong", codec, ReferenceRunner, WrongPrior)


def test_a_wrong_logit_is_found(codec: TokenPyramidCodec) -> None:
    ways = [onnxruntime_way("onnxruntime_1", codec, 1), wrong_way(codec)]
    trials, _ = try_map(random_map(16, 0, STRIDES, GROUPS), ways)
    assert (trials[1].same_bytes, trials[1].same_logits, trials[1].same_tokens) == (False, False, False)
    assert not trials[0].same_tokens
    assert differences(trials) == [
        "random_00016, onnxruntime_1: other tokens read",
        "random_00016, wrong: other bytes, logits, tokens read",
    ]


def test_a_longer_payload_is_not_read_back(codec: TokenPyramidCodec) -> None:
    way, pyramid = numpy_way(codec), random_map(2, 0, STRIDES, GROUPS).pyramid
    data = write_with(way, pyramid).data
    assert reads_back(way, data, pyramid)
    assert not reads_back(way, data + b"\0", pyramid)
    assert not reads_back(way, data[:-1] + bytes([data[-1] ^ 0xFF]), pyramid)


def test_the_last_layer_in_integers_is_the_floats(codec: TokenPyramidCodec) -> None:
    config = codec.bundle.config
    parts = codec.bundle.prior_parts
    slow = IntegerPrior(parts, ReferenceRunner, config.strides, config.groups)
    features = np.random.default_rng(0).integers(-127, 128, (50, slow.heads[0].shape[0])).astype(np.float32)
    assert np.array_equal(slow.last_layer(0, features), WatchedPrior.last_layer(slow, 0, features))


def order(folder: Path, *more: object) -> list[str]:
    return ["--model", str(folder), "--maps", "4", *map(str, more)]


@pytest.fixture(scope="module")
def digest(prior_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digest") / "here.json"
    assert exactness.main(order(prior_model, "--digest", path, "--label", "here")) == 0
    return path


def changed(digest: Path, path: Path, **changes: Any) -> Path:
    """The digest with some of its values replaced, under another label."""
    path.write_text(json.dumps({**json.loads(digest.read_text()), "label": "there", **changes}))
    return path


def maps_of(digest: Path) -> dict[str, str]:
    maps: dict[str, str] = json.loads(digest.read_text())["maps"]
    return maps


def test_the_command(
    prior_model: Path,
    digest: Path,
    tmp_path: Path,
    photo_u8: NDArray[np.uint8],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photo_u8).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    more = ("--images", tmp_path / "in", "--bpp", "0.1", "--out", out, "--compare", digest)
    assert exactness.main(order(prior_model, *more)) == 0
    record = json.loads((out / "cells.json").read_text())
    assert {(cell["kind"], cell["way"]) for cell in record["cells"]} >= {
        ("pictures at 0.1 bpp", "numpy"),
        ("pictures at 0.1 bpp", "windows"),
    }
    assert all(cell["same_tokens"] == cell["num_maps"] for cell in record["cells"])
    assert record["differences"] == []
    assert record["environments"][0]["same_payloads"] == 4
    assert maps_of(out / "digest.json") == maps_of(digest)
    assert list(json.loads((out / "meta.json").read_text())["skipped_images"]) == ["b.png"]
    page = (out / "summary.md").read_text()
    assert "**Nothing differs.**" in page
    assert "| here |" in page
    assert str(tmp_path) not in "".join(path.read_text() for path in out.iterdir())


def test_pictures_too_large_for_numpy_are_said(prior_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert exactness.main(order(prior_model, "--out", out, "--numpy-regions", 1)) == 0
    ways = {(cell["kind"], cell["way"]) for cell in json.loads((out / "cells.json").read_text())["cells"]}
    assert ("random, up to 9 regions", "windows") in ways
    assert ("random, up to 9 regions", "numpy") not in ways
    assert "no float; 0 of the 4 maps" in (out / "summary.md").read_text()


@pytest.mark.parametrize(("part", "what"), [(1, "logits"), (2, "payload")])
def test_a_difference_is_loud(
    digest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: int, what: str
) -> None:
    maps = maps_of(digest)
    line = maps["random_00001"].split()
    line[part] = "0" * 16
    there = changed(digest, tmp_path / "there.json", maps={**maps, "random_00001": " ".join(line)})
    assert exactness.main(["--compare", str(digest), str(there)]) == 1
    shown = capsys.readouterr().out
    assert "**1 DIFFERENCES.**" in shown
    assert f"random_00001, there: other {what} than here" in shown


def test_a_payload_that_did_not_come_back_is_loud(
    digest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = changed(digest, tmp_path / "there.json", not_read_back=["random_00002"])
    assert exactness.main(["--compare", str(digest), str(there)]) == 1
    assert "random_00002, there: its own payload did not come back" in capsys.readouterr().out


def test_the_firsts_payload_counts_too(digest: Path, tmp_path: Path) -> None:
    first = changed(digest, tmp_path / "there.json", not_read_back=["random_00002"])
    assert exactness.main(["--compare", str(first), str(digest)]) == 1


def test_a_digest_alone_claims_nothing(
    prior_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exactness.main(order(prior_model, "--digest", tmp_path / "d.json", "--runner", "numpy")) == 0
    shown = capsys.readouterr().out
    assert "differs" not in shown
    assert "4 maps of" in shown


def test_another_seed_is_refused_before_anything_is_measured(
    prior_model: Path, digest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--out", tmp_path / "out", "--seed", 1, "--compare", digest)
    assert exactness.main(order(prior_model, *more)) == 2
    assert "expected the model and seed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_in_common_is_no_proof(digest: Path, tmp_path: Path) -> None:
    there = changed(digest, tmp_path / "there.json", maps={})
    assert exactness.main(["--compare", str(digest), str(there)]) == 1


def test_other_tokens_are_refused(digest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maps = {name: "0" * 16 + line[16:] for name, line in maps_of(digest).items()}
    there = changed(digest, tmp_path / "there.json", maps=maps)
    assert exactness.main(["--compare", str(digest), str(there)]) == 2
    assert "expected the same tokens in random_00000 of 'there'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "expected the model and seed of 'here'"),
        ({"model": {"prior.npz": "0"}}, "expected the model and seed of 'here'"),
        ({"format": 2}, "expected format 1"),
        ({"maps": {"random_00000": "a"}}, "a map without three hashes"),
        ({"maps": None}, "expected a digest"),
        ({"environment": {}}, "expected a digest"),
        ({"surprise": 1}, "expected a digest"),
    ],
)
def test_what_cannot_be_compared_is_named(
    digest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    there = changed(digest, tmp_path / "there.json", **changes)
    assert exactness.main(["--compare", str(digest), str(there)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected --out, --digest, or two files"),
        (["--compare", "a.json"], "expected --out, --digest, or two files"),
        (["--out", "o", "--digest", "d"], "found both"),
        (["--digest", "d", "--images", "i"], "--images: expected with --out alone"),
        (["--digest", "d", "--maps", "0"], "expected --maps"),
        (["--digest", "d", "--runner", "wasm"], "expected --wasm FOLDER"),
        (["--compare", "missing.json", "missing.json"], "expected a digest in missing.json"),
    ],
)
def test_wrong_usage_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exactness.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_prior_is_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exactness.main(order(tiny_model, "--digest", tmp_path / "d.json")) == 2
    assert "expected a model with a masked prior" in capsys.readouterr().err


def test_without_onnxruntime_web_the_reason_is_named(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed; it runs WebAssembly")
    with pytest.raises(UsageError, match="npm install onnxruntime-web"):
        WasmProcess(tmp_path)


WITHOUT_EXTRAS = """
import sys
for name in ("torch", "onnx", "safetensors"):
    sys.modules[name] = None  # an import of it raises ImportError
from wisp.bench import exactness
raise SystemExit(exactness.main(sys.argv[1:]))
"""


def test_a_digest_needs_no_extra(prior_model: Path, digest: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    command = [
        sys.executable,
        "-c",
        WITHOUT_EXTRAS,
        *order(prior_model, "--digest", mine, "--compare", digest),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| here |" in done.stdout
