"""Checkpoints: everything that a run needs to go on as if it had not been stopped."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wisp.errors import UsageError

FILE_NAME = "checkpoint.pt"


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        stage: index of the current stage.
        stage_seconds: wall-clock seconds of training spent in it.
        stage_step: optimiser steps taken in it.
        history: one (stage name, total step, total minutes, metrics) record a preview, for the model card.
        usual: running means of the training MSE and feature distance at each base depth.
        environments: hardware and PyTorch of every leg of the run, each named once.
    """

    stage: int = 0
    stage_seconds: float = 0.0
    stage_step: int = 0
    total_seconds: float = 0.0
    total_step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    usual: dict[str, float] = field(default_factory=dict)
    environments: list[str] = field(default_factory=list)


def save_checkpoint(
    run: Path,
    name: str,
    *,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    beside: dict[str, Any],
    recipe: dict[str, Any],
    sampler_state: dict[str, Any],
) -> Path:
    """Write a checkpoint atomically and return its path; `beside` holds the states of what learns beside the model."""
    path = run / name
    part = path.with_suffix(".part")
    torch.save(
        {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "progress": asdict(progress),
            "beside": beside,
            "recipe": recipe,
            "sampler": sampler_state,
            "torch_rng": torch.get_rng_state(),
        },
        part,
    )
    os.replace(part, path)
    return path


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint (tensors and plain values only: nothing in it is executed).

    Raises:
        UsageError: there is none.
    """
    if path.is_dir():
        path = path / FILE_NAME
    if not path.is_file():
        raise UsageError(f"expected a checkpoint at {path}, found none; name a run that has one")
    found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found
