"""The learning rate over a stage."""

from __future__ import annotations

import math

from wisp.train.recipe import StageConfig


def learning_rate(stage: StageConfig, progress: float) -> float:
    """Linear warm-up over the first 2 % of the stage, then a cosine to final_lr_ratio; progress in 0..1."""
    warm = min(1.0, progress / 0.02 + 1e-3)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return stage.learning_rate * warm * (stage.final_lr_ratio + (1 - stage.final_lr_ratio) * cosine)
