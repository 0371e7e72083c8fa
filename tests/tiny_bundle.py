"""A small model with random weights, exported like a real one: for tests of everything but quality."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from wisp.train.checkpoint import Progress, save_checkpoint
from wisp.train.export import ExportReport, export_bundle
from wisp.train.networks import TokenPyramid
from wisp.train.recipe import DataConfig, ModelConfig, Recipe, StageConfig
from wisp.train.verify import test_picture as make_picture


def tiny_recipe() -> Recipe:
    """A recipe of a few thousand weights."""
    model = ModelConfig(
        latent_channels=(8, 8, 4), widths=(8, 8, 16, 16), analysis_blocks=(1, 1, 1, 1), synthesis_blocks=(1, 1, 1, 1)
    )
    stages = (StageConfig("distortion", 1.0),)
    return Recipe("tiny", 0, "Random weights, for tests", model=model, data=DataConfig(64, 2), stages=stages)


def tiny_bundle(folder: Path, work: Path) -> ExportReport:
    """Export a random model into `folder`, fitted on a few generated pictures kept under `work`."""
    recipe = tiny_recipe()
    torch.manual_seed(0)
    network = TokenPyramid(recipe.model)
    for module in network.quantizers:
        module.codebooks.mul_(0.3)
    data = work / "pictures"
    data.mkdir(parents=True)
    for seed in range(4):
        Image.fromarray(make_picture(96, 128, seed)).save(data / f"{seed}.png")
    save_checkpoint(
        work,
        "checkpoint.pt",
        model=network,
        average=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        progress=Progress(),
        recipe=asdict(recipe),
        sampler_state=dict(np.random.default_rng(0).bit_generator.state),
    )
    return export_bundle(work, folder, data)
