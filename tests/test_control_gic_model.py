"""The released control_gic bundle, where the checkout has it: it lies in models/, outside the package."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import numpy as np
import pytest
from cli_runner import run_cli
from PIL import Image

import wisp
from wisp.codecs import codec_for_model, decode_tokens
from wisp.container import HUFFMAN_VERSION, unpack_file

FOLDER = Path(__file__).parent.parent / "models" / "control_gic"
MODEL = "control_gic"
RATIOS = [(0.5, 0.4, 0.1), (0.1, 0.8, 0.1), (0, 0.5, 0.5), (0, 0, 1)]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="models/control_gic is not in this checkout")


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
    assert bundle.config.model_number == 3
    assert (bundle.config.strides, bundle.config.groups) == ((16, 8, 4), (2, 2, 2))
    assert bundle.config.grain == "routed"
    assert bundle.has_prior
    assert bundle.tables["huffman"].shape == (1024,)
    assert "Control-GIC" in bundle.verified("card.md").read_text(encoding="utf-8")


def test_wisp_models_lists_it() -> None:
    tables = json.loads(run_cli("models", "--json").out)
    assert {table["name"]: table["model_number"] for table in tables}[MODEL] == 3


@pytest.mark.parametrize("ratios", RATIOS)
def test_the_published_configuration_round_trips(photograph: Image.Image, ratios: tuple[float, ...]) -> None:
    data = wisp.compress(photograph, ratios=ratios, huffman=True, model=MODEL, threads=1)
    assert data == wisp.compress(photograph, ratios=ratios, huffman=True, model=MODEL, threads=2)
    assert unpack_file(data).header.version == HUFFMAN_VERSION
    better = wisp.compress(photograph, ratios=ratios, model=MODEL)
    assert len(better) < len(data)
    tokens = decode_tokens(data)
    assert tokens == decode_tokens(better)
    shares = [(tokens.grain_map == level).mean() for level in (3, 2, 1)]
    assert np.allclose(shares, ratios, atol=0.02)  # equal regions may be coarser
    info = wisp.read_info(data)
    assert info.model_name == MODEL
    assert info.header_num_bytes + info.payload_num_bytes == len(data)
    assert wisp.decompress(data).size == photograph.size


def test_finer_shares_cost_more_and_show_more(photograph: Image.Image) -> None:
    files = [wisp.compress(photograph, ratios=r, model=MODEL) for r in ((0, 0, 1), (0, 1, 0), (1, 0, 0))]
    errors = [
        float(np.square(np.asarray(wisp.decompress(data)).astype(float) - np.asarray(photograph)).mean())
        for data in files
    ]
    assert [len(data) for data in files] == sorted({len(data) for data in files})
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("ratios", RATIOS)
def test_a_flat_picture_costs_less_than_a_busy_one(
    photograph: Image.Image, grey: int, ratios: tuple[float, ...]
) -> None:
    flat = Image.new("RGB", photograph.size, (grey,) * 3)
    sizes = [len(wisp.compress(image, ratios=ratios, model=MODEL)) for image in (flat, photograph)]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("size", [300, 900, 3000])
def test_budgets_are_kept(photograph: Image.Image, size: int) -> None:
    data = wisp.compress(photograph, size=size, model=MODEL)
    assert 0.95 * size <= len(data) <= size
    assert wisp.decompress(data).size == photograph.size
