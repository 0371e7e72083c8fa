"""Which trainer a recipe asks for."""

from __future__ import annotations

from wisp.errors import UsageError
from wisp.train.latent_trainer import LatentTrainer
from wisp.train.loop import Trainer
from wisp.train.pyramid_trainer import PyramidTrainer
from wisp.train.recipe import AnyRecipe, LatentRecipe
from wisp.train.run_options import RunOptions


def trainer_of(recipe: AnyRecipe, options: RunOptions) -> Trainer:
    """A run of a recipe, ready to train.

    Raises:
        UsageError: the options do not suit the recipe, or there are no photographs.
    """
    if isinstance(recipe, LatentRecipe):
        if options.start is not None:
            raise UsageError("expected a token pyramid's recipe with --start, found another; leave it out")
        return LatentTrainer(recipe, options)
    return PyramidTrainer(recipe, options)
