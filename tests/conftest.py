"""Fixtures that many tests share."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

with suppress(ModuleNotFoundError):  # releases are read with the lowest versions, without it
    from hypothesis import settings

    settings.register_profile("untimed", deadline=None)  # how fast the machine is today is no test's business
    settings.load_profile("untimed")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a bundle with random weights: quick, and ugly."""
    from tiny_bundle import tiny_bundle

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_bundle(folder, tmp_path_factory.mktemp("run"))
    return folder


@pytest.fixture(scope="session")
def prior_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with a tiny prior."""
    from tiny_bundle import tiny_prior

    work = tmp_path_factory.mktemp("prior")
    folder = work / "tiny"
    shutil.copytree(tiny_model, folder)
    tiny_prior(folder, work)
    return folder


@pytest.fixture(scope="session")
def uniform_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a tiny bundle of one stride and uniform grain, with a tiny prior."""
    from tiny_bundle import tiny_bundle, tiny_prior, tiny_uniform_recipe

    folder = tmp_path_factory.mktemp("models") / "tiny_uniform"
    work = tmp_path_factory.mktemp("uniform")
    tiny_bundle(folder, work, tiny_uniform_recipe())
    tiny_prior(folder, work)
    return folder


@pytest.fixture(scope="session")
def routed_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a tiny bundle of routed grain, with a tiny prior: Control-GIC's shape."""
    from tiny_bundle import tiny_bundle, tiny_prior, tiny_routed_recipe

    folder = tmp_path_factory.mktemp("models") / "tiny_routed"
    work = tmp_path_factory.mktemp("routed")
    tiny_bundle(folder, work, tiny_routed_recipe())
    tiny_prior(folder, work)
    return folder


@pytest.fixture(scope="session")
def grid_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a tiny bundle of a latent grid: four channels, of which 1, 2 or 4 are the rates."""
    from tiny_latents import tiny_grid_recipe, tiny_latent_bundle

    folder = tmp_path_factory.mktemp("models") / "tiny_grid"
    return tiny_latent_bundle(folder, tmp_path_factory.mktemp("grid"), tiny_grid_recipe())


@pytest.fixture(scope="session")
def vector_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a tiny bundle of a latent vector: sixteen numbers for squares of 64 pixels."""
    from tiny_latents import tiny_latent_bundle, tiny_vector_recipe

    folder = tmp_path_factory.mktemp("models") / "tiny_vector"
    return tiny_latent_bundle(folder, tmp_path_factory.mktemp("vector"), tiny_vector_recipe())


@pytest.fixture(scope="session")
def photo_u8() -> NDArray[np.uint8]:
    """A generated picture (200, 300, 3) uint8 with shading, edges and noise."""
    from wisp.train.verify import example_picture as make_picture

    return make_picture(200, 300)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with a feature network of a few random weights."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "weights"
    folder.mkdir()
    channels = (3, 4, 4, 8, 8, 8)
    generator = torch.Generator().manual_seed(0)
    table = {}
    for i in range(1, 6):
        shape = (channels[i], channels[i - 1], 3, 3)
        table[f"conv{i}.weight"] = 0.5 * torch.randn(shape, generator=generator)
        table[f"conv{i}.bias"] = torch.zeros(channels[i])
    save_file(table, folder / "darknet_reference.safetensors")
    return folder


@pytest.fixture
def both_networks(weights: Path) -> Path:
    """The folder of `weights` with a second network of a few random weights."""
    import torch
    from safetensors.torch import save_file

    table, channels = {}, 3
    for block, count in ((1, 2), (2, 2), (3, 4)):
        for i in range(1, count + 1):
            table[f"conv{block}_{i}.weight"] = torch.randn(4, channels, 3, 3) * 0.2
            table[f"conv{block}_{i}.bias"] = torch.zeros(4)
            channels = 4
    save_file(table, weights / "vgg19_relu3_4.safetensors")
    return weights


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with one made picture, large enough for crops of 256 pixels."""
    from PIL import Image

    from wisp.train.verify import example_picture

    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(example_picture(256, 288, 0)).save(folder / "0.png")
    return folder
