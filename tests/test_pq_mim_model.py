"""The released pq_mim bundle, where the checkout has it: it lies in models/, outside the package."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from PIL import Image

import wisp
from wisp.codecs import codec_for_model, decode_tokens

FOLDER = Path(__file__).parent.parent / "models" / "pq_mim"
MODEL = "pq_mim"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="models/pq_mim is not in this checkout")


@pytest.fixture(autouse=True)
def _found_beside_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package does not know of the checkout that its tests lie in."""
    monkeypatch.setenv("WISP_MODEL_PATH", str(FOLDER.parent))


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    data = importlib.resources.files("wisp.cli") / "photograph" / "coffee.png"
    with importlib.resources.as_file(data) as path, Image.open(path) as image:
        return image.convert("RGB").crop((100, 60, 420, 270))  # sides that are no multiples of 16


def test_the_bundle_is_what_the_registry_says() -> None:
    bundle = codec_for_model(MODEL).bundle
    assert bundle.folder == FOLDER.resolve()
    assert bundle.num_bytes <= 4_000_000
    assert bundle.config.model_number == 2
    assert (bundle.config.strides, bundle.config.groups, bundle.config.grain) == ((16,), (8,), "uniform")
    assert bundle.has_prior
    assert "PQ-MIM" in bundle.verified("card.md").read_text(encoding="utf-8")


def test_wisp_models_lists_it() -> None:
    tables = json.loads(run_cli("models", "--json").out)
    assert {table["name"]: table["model_number"] for table in tables}[MODEL] == 2


@pytest.mark.parametrize("groups", range(1, 9))
def test_every_prefix_comes_back(photograph: Image.Image, groups: int) -> None:
    data = wisp.compress(photograph, quality=100 * groups / 8, model=MODEL, threads=1)
    assert data == wisp.compress(photograph, quality=100 * groups / 8, model=MODEL, threads=2)
    tokens = decode_tokens(data)
    assert (tokens.grain_map == groups).all()
    assert wisp.read_info(data).model_name == MODEL
    assert wisp.decompress(data).size == photograph.size


def test_more_groups_cost_more_and_show_more(photograph: Image.Image) -> None:
    files = [wisp.compress(photograph, quality=100 * m / 8, model=MODEL) for m in (1, 2, 4, 8)]
    errors = [
        float(np.square(np.asarray(wisp.decompress(data)).astype(float) - np.asarray(photograph)).mean())
        for data in files
    ]
    assert [len(data) for data in files] == sorted({len(data) for data in files})
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("groups", [4, 8])
def test_the_hybrid_mode(photograph: Image.Image, keep: float, groups: int) -> None:
    whole = wisp.compress(photograph, quality=100 * groups / 8, model=MODEL)
    data = wisp.compress(photograph, quality=100 * groups / 8, keep=keep, model=MODEL)
    assert len(data) < (keep + 0.15) * len(whole)
    shown = [wisp.reconstruct(data, fill="generate", seed=0, threads=n) for n in (1, 2)]
    tokens = decode_tokens(data)
    assert shown[0].num_generated == shown[1].num_generated == groups * int((tokens.grain_map == 0).sum())
    other = wisp.reconstruct(data, fill="generate", seed=1)
    assert np.abs(np.asarray(other.image).astype(int) - np.asarray(shown[0].image)).max() > 8
    smooth = wisp.reconstruct(data)
    assert not smooth.generated
    assert abs(float(smooth.confidence.mean()) - keep * groups / 8) < 0.05


@pytest.mark.parametrize("size", [400, 900, 1500])
def test_budgets_are_kept(photograph: Image.Image, size: int) -> None:
    data = wisp.compress(photograph, size=size, model=MODEL)
    assert len(data) <= size
    assert wisp.decompress(data).size == photograph.size


def test_packets_are_refused_on_one_line(photograph: Image.Image, tmp_path: Path) -> None:
    photograph.save(tmp_path / "a.png")
    result = run_cli("packets", tmp_path / "a.png", tmp_path / "out", "--model", MODEL)
    assert_one_line_error(result, 2, "grain map")


def test_pillow_passes_keep_on(photograph: Image.Image, tmp_path: Path) -> None:
    import wisp.pillow

    photograph.save(tmp_path / "a.wisp", model=MODEL, quality=50, keep=0.25)
    assert (tmp_path / "a.wisp").read_bytes() == wisp.compress(photograph, model=MODEL, quality=50, keep=0.25)
