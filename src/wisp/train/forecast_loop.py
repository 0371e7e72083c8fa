"""Training the forecast on its examples.

The allocation asks what a group would gain, so the falls from depth to depth are what is learned, each measured by its
usual size: the mean of what may happen is the best forecast of a sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wisp.train.depth_samples import DepthSamples

HELD_OUT = 12  # every 12th crop
HIDDEN = 48
DROPOUT = 0.1
BATCH = 1024  # regions
STEPS = 3000
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05


@dataclass(frozen=True)
class TrainedForecast:
    """Arrays for `wisp.allocation.forecast.Forecast`, and how good they are.

    `explained` are the shares of the variance of each group's gain, from the second on, foreseen on held-out crops.
    """

    parts: dict[str, NDArray[Any]]
    explained: tuple[float, ...]


def train_perceptron(samples: DepthSamples, *, max_steps: int | None = None) -> TrainedForecast:
    """Fit a perceptron to all but every 12th crop."""
    torch.manual_seed(0)
    inputs = torch.log(_regions(samples.errors).clamp(min=0) + 1)
    wanted = _falls(_regions(samples.distances))
    number = torch.arange(len(samples.errors)).repeat_interleave(samples.errors[0, 0].size)
    is_held = number % HELD_OUT == HELD_OUT - 1
    train = torch.nonzero(~is_held)[:, 0]
    centre, spread = inputs[train].mean(0), inputs[train].std(0).clamp(min=1e-3)
    usual, scale = wanted[train].mean(0), wanted[train].std(0).clamp(min=1e-6)
    inputs, aims = (inputs - centre) / spread, (wanted - usual) / scale
    layers = [nn.Linear(inputs.shape[1], HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, aims.shape[1])]
    network = nn.Sequential(layers[0], nn.SiLU(), nn.Dropout(DROPOUT), layers[1], nn.SiLU(), layers[2])
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = STEPS if max_steps is None else min(STEPS, max_steps)
    for step in range(steps):
        for part in optimizer.param_groups:
            part["lr"] = LEARNING_RATE * (1 - step / steps)
        chosen = train[torch.randint(len(train), (BATCH,))]
        loss = (network(inputs[chosen]) - aims[chosen]).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        layers[-1].bias.mul_(scale).add_(usual)
        layers[-1].weight.mul_(scale[:, None])
        explained = _explained(network(inputs[is_held]), wanted[is_held])
    parts = {"centre": centre.numpy(), "spread": spread.numpy()}
    for i, layer in enumerate(layers):
        parts[f"weight_{i}"], parts[f"bias_{i}"] = (p.detach().numpy() for p in (layer.weight, layer.bias))
    return TrainedForecast(parts, explained)


def _explained(found: Tensor, wanted: Tensor) -> tuple[float, ...]:
    if not len(wanted):
        return ()
    shares = 1 - (found - wanted).square().mean(0) / wanted.var(0).clamp(min=1e-12)
    return tuple(float(share) for share in shares[1:])


def _regions(maps: NDArray[np.float32]) -> Tensor:
    """(N, K, rows, cols) -> (N * rows * cols, K)."""
    return torch.from_numpy(np.ascontiguousarray(maps.transpose(0, 2, 3, 1)).reshape(-1, maps.shape[1]))


def _falls(distances: Tensor) -> Tensor:
    """(R, D) distances -> the one at depth 1, then what each further group takes off it."""
    return torch.cat([distances[:, :1], distances[:, :-1] - distances[:, 1:]], 1)
