"""The learning rate over a stage, and of which part of the network."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from wisp.train.recipe import StageConfig


def learning_rate(stage: StageConfig, progress: float) -> float:
    """Linear warm-up over the first 2 % of the stage, then a cosine to final_lr_ratio; progress in 0..1."""
    warm = min(1.0, progress / 0.02 + 1e-3)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return stage.learning_rate * warm * (stage.final_lr_ratio + (1 - stage.final_lr_ratio) * cosine)


def parameter_groups(model: nn.Module, stage: StageConfig) -> list[dict[str, Any]]:
    """What learns, for an optimizer; `share`: how much of the rate, which is `analysis_rate` but for the synthesis."""
    learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if stage.analysis_rate == 1:
        return [{"params": [p for _, p in learning], "share": 1.0}]
    synthesis = [p for name, p in learning if name.startswith("synthesis.")]
    others = [p for name, p in learning if not name.startswith("synthesis.")]
    return [{"params": synthesis, "share": 1.0}, {"params": others, "share": stage.analysis_rate}]
