"""A small model, trained for seconds on generated pictures and exported like a real one."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from wisp.runtime import Bundle
from wisp.train.export import ExportReport, export_bundle
from wisp.train.pyramid_trainer import PyramidTrainer
from wisp.train.recipe import DataConfig, ModelConfig, Recipe, StageConfig
from wisp.train.run_options import RunOptions
from wisp.train.verify import example_picture as make_picture

STEPS = 150


def tiny_recipe() -> Recipe:
    """A recipe of a few thousand weights."""
    model = ModelConfig(
        latent_channels=(8, 8, 8),
        widths=(8, 8, 16, 16),
        analysis_blocks=(1, 1, 1, 1),
        synthesis_blocks=(1, 1, 1, 1),
    )
    stages = (StageConfig("distortion", 1.0, learning_rate=3e-3),)
    return Recipe(
        "tiny", 0, "Trained for seconds, for tests", model=model, data=DataConfig(64, 4), stages=stages
    )


def tiny_uniform_recipe() -> Recipe:
    """The same with one stride, four product groups and a uniform grain."""
    model = ModelConfig(
        strides=(16,),
        groups=(4,),
        latent_channels=(8,),
        kinds=("product",),
        widths=(8, 8, 16),
        analysis_blocks=(1, 1, 1),
        synthesis_blocks=(1, 1, 1),
        grain="uniform",
        same_contexts=1,
    )
    stages = (StageConfig("distortion", 1.0, learning_rate=3e-3, analysis_rate=0.1),)
    description = "Uniform grain, trained for seconds, for tests"
    return Recipe("tiny_uniform", 2, description, model=model, data=DataConfig(64, 4), stages=stages)


def tiny_bundle(folder: Path, work: Path, recipe: Recipe | None = None) -> ExportReport:
    """Train and export a tiny model into `folder`; the pictures and the run lie under `work`."""
    data = work / "pictures"
    data.mkdir(parents=True)
    for seed in range(4):
        Image.fromarray(make_picture(96, 128, seed)).save(data / f"{seed}.png")
    run, recipe = work / "run", recipe or tiny_recipe()
    run.mkdir()
    trainer = PyramidTrainer(recipe, RunOptions(data, run, minutes=1, device="cpu", threads=1))
    for step in range(STEPS):  # by steps and not by the clock: the same model on a busy machine
        trainer.step(recipe.stages[0], step / STEPS)
        trainer.progress.total_step += 1
    trainer.save()
    return export_bundle(run, folder, data)


def tiny_prior(folder: Path, work: Path, max_steps: int = 25) -> None:
    """Train a masked prior of a few thousand weights for a tiny bundle; pictures lie under `work`."""
    from wisp.train.prior_export import train_prior
    from wisp.train.prior_network import LevelConfig

    data = work / "prior_pictures"
    data.mkdir(parents=True)
    for seed in range(4):
        Image.fromarray(make_picture(96, 128, seed)).save(data / f"{seed}.png")
    groups = Bundle(folder).config.groups
    config = [LevelConfig(16, 16, 2, (stages,) * n) for stages, n in zip((4, 2, 2), groups, strict=False)]
    train_prior(folder, data, 1.0, max_steps=max_steps, config=config, threads=1)


def tiny_routed_recipe() -> Recipe:
    """Three strides down to 4 with one shared codebook, one level a region: Control-GIC's shape."""
    model = ModelConfig(
        strides=(16, 8, 4),
        groups=(1, 1, 1),
        codebook_size=1024,
        latent_channels=(4, 4, 4),
        kinds=("residual",) * 3,
        widths=(8, 8, 16),
        analysis_blocks=(1, 1, 1),
        synthesis_blocks=(1, 1, 1),
        grain="routed",
    )
    stages = (StageConfig("distortion", 1.0, learning_rate=3e-3, commitment_weight=0.5),)
    description = "Routed, trained for seconds, for tests"
    return Recipe("tiny_routed", 3, description, model=model, data=DataConfig(64, 4), stages=stages)
