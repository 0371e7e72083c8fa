"""Small models of continuous latents, trained for seconds on generated pictures and exported like real ones."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from wisp.train.latent_configs import GridConfig, VectorConfig
from wisp.train.latent_export import export_latent_bundle
from wisp.train.latent_trainer import LatentTrainer
from wisp.train.recipe import DataConfig, LatentRecipe, StageConfig
from wisp.train.run_options import RunOptions
from wisp.train.verify import example_picture

STEPS = 120
STAGE = StageConfig("distortion", 1.0, learning_rate=3e-3, mse_weight=1.0, rate_weight=0.3)


def tiny_grid_recipe() -> LatentRecipe:
    """A grid of four channels."""
    model = GridConfig(4, (1, 2, 4), (8, 12), (1, 1), (1, 1))
    return LatentRecipe(
        "tiny_grid",
        5,
        "latent_grid",
        "A grid, trained for seconds",
        model=model,
        data=DataConfig(64, 4),
        stages=(STAGE,),
    )


def tiny_vector_recipe() -> LatentRecipe:
    """A vector of sixteen numbers for squares of 64 pixels."""
    model = VectorConfig(16, 64, (8, 8, 8), (1, 1, 1), (1, 1, 1), 8, (0.25, 4.0))
    data = DataConfig(64, 4, reduced_share=0.0)
    return LatentRecipe(
        "tiny_vector",
        6,
        "latent_vector",
        "A vector, trained for seconds",
        model=model,
        data=data,
        stages=(STAGE,),
    )


def write_pictures(folder: Path, height: int = 96, width: int = 128) -> Path:
    """Four generated pictures."""
    folder.mkdir(parents=True)
    for seed in range(4):
        Image.fromarray(example_picture(height, width, seed)).save(folder / f"{seed}.png")
    return folder


def tiny_latent_bundle(folder: Path, work: Path, recipe: LatentRecipe) -> Path:
    """Train and export a tiny model into `folder`; the pictures and the run lie under `work`."""
    is_vector = isinstance(recipe.model, VectorConfig)
    data = write_pictures(work / "pictures", *((64, 64) if is_vector else (96, 128)))
    run = work / "run"
    run.mkdir()
    trainer = LatentTrainer(recipe, RunOptions(data, run, minutes=1, device="cpu", threads=1))
    for step in range(STEPS):  # by steps and not by the clock: the same model on a busy machine
        trainer.step(recipe.stages[0], step / STEPS)
        trainer.progress.total_step += 1
    trainer.save()
    export_latent_bundle(run, folder, data)
    return folder
