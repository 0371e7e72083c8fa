"""The released vae_gan and gan_inversion bundles, where the checkout has them: they lie in models/, outside the
package."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import numpy as np
import pytest
from cli_runner import run_cli
from PIL import Image

import wisp
from wisp.codecs import LatentGridCodec, LatentVectorCodec, any_codec_for_model
from wisp.container import unpack_file

FOLDER = Path(__file__).parent.parent / "models"
GRID, VECTOR = "vae_gan", "gan_inversion"
RATES = (2, 4, 8, 16, 28)

pytestmark = pytest.mark.skipif(not (FOLDER / GRID).is_dir(), reason="models/ is not in this checkout")


@pytest.fixture(autouse=True)
def _found_beside_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package does not know of the checkout that its tests lie in."""
    monkeypatch.setenv("WISP_MODEL_PATH", str(FOLDER))


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    data = importlib.resources.files("wisp.cli") / "photograph" / "coffee.png"
    with importlib.resources.as_file(data) as path, Image.open(path) as image:
        return image.convert("RGB").crop((100, 60, 420, 270))  # sides that are no multiples of 8


@pytest.mark.parametrize(
    ("name", "number", "kind"), [(GRID, 5, LatentGridCodec), (VECTOR, 6, LatentVectorCodec)]
)
def test_the_bundle_is_what_the_registry_says(name: str, number: int, kind: type) -> None:
    codec = any_codec_for_model(name)
    assert isinstance(codec, kind)
    assert codec.bundle.folder == (FOLDER / name).resolve()
    assert codec.bundle.num_bytes <= 4_000_000
    assert codec.bundle.config.model_number == number
    assert "Generative Compression" in codec.bundle.verified("card.md").read_text(encoding="utf-8")
    tables = {table["name"]: table for table in json.loads(run_cli("models", "--json").out)}
    assert tables[name]["model_number"] == number


def test_five_rates(photograph: Image.Image) -> None:
    files = [wisp.compress(photograph, channels=c, model=GRID, threads=1) for c in RATES]
    assert files == [wisp.compress(photograph, channels=c, model=GRID, threads=2) for c in RATES]
    sizes = [len(data) for data in files]
    assert sizes == sorted(set(sizes))
    wanted = np.asarray(photograph).astype(float)
    errors = [np.square(np.asarray(wisp.decompress(data)) - wanted).mean() for data in files]
    assert errors == sorted(errors, reverse=True)
    assert 10 * np.log10(255**2 / errors[-1]) > 27
    assert wisp.read_info(files[0]).model_name == GRID


def test_a_photograph_is_no_face(photograph: Image.Image, tmp_path: Path) -> None:
    photograph.save(tmp_path / "a.png")
    result = run_cli("compress", tmp_path / "a.png", tmp_path / "a.wisp", "--size", "200", "--model", VECTOR)
    assert result.code == 0
    assert "out of the domain of gan_inversion" in result.stderr
    assert (tmp_path / "a.wisp").stat().st_size <= 200
    assert wisp.decompress((tmp_path / "a.wisp").read_bytes()).size == photograph.size


def test_a_face_of_the_prior_comes_back() -> None:
    """What the generator draws, the analysis finds again."""
    from wisp.bench.generative import drawn_faces

    codec = any_codec_for_model(VECTOR, 1)
    assert isinstance(codec, LatentVectorCodec)
    for face in drawn_faces(codec, 2):
        data = wisp.compress(face, size=250, model=VECTOR, threads=1)
        assert len(data) <= 250
        error = np.square(np.asarray(wisp.decompress(data)).astype(float) - np.asarray(face)).mean()
        assert 10 * np.log10(255**2 / error) > 18


def test_the_published_modes_are_in_the_generators_size() -> None:
    """About the published sizes for so many numbers: 320 instead of 512."""
    from wisp.entropy.latent_bytes import LatentKind, write_qsgd
    from wisp.entropy.qsgd import quantise
    from wisp.imaging import to_picture

    codec = any_codec_for_model(VECTOR, 1)
    assert isinstance(codec, LatentVectorCodec)
    latent = np.random.default_rng(0).standard_normal(codec.dimensions)
    picture = to_picture(np.zeros((128, 128, 3), np.uint8))
    sizes = {}
    for bits in (4, 6, 8):
        vector = quantise(latent, bits, "stochastic")
        data = codec.write_published(picture, write_qsgd(vector, LatentKind.GAPS))
        found = codec.decode(unpack_file(data))
        assert np.allclose(found.values, vector.values())
        sizes[bits] = len(data)
    assert sizes[4] < sizes[6] < sizes[8] < 400
