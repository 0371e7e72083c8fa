"""Training the network of distances on decoded crops.

Each step shows crops at two neighbouring depths. What must agree is the distance at each, and above all the difference
between the two, which is what a group gains; both are measured by their usual size at that depth.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wisp.train.depth_samples import DepthSamples
from wisp.train.distance_network import DistanceNetwork
from wisp.train.forecast_loop import HELD_OUT

BATCH = 8  # crops a step, each at two depths
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.01
WARM_STEPS = 50
LEVEL_WEIGHT = 0.25  # of the distances themselves, beside their differences


@dataclass(frozen=True)
class TrainedDistance:
    """The network, and the shares of the variance of each group's gain, from the second on, that it sees: on held-out
    crops, none if there are too few."""

    network: DistanceNetwork
    explained: tuple[float, ...]


def train_distance_network(
    samples: DepthSamples,
    decoded_u8: NDArray[np.uint8],
    minutes: float,
    *,
    max_steps: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> TrainedDistance:
    """Fit a network to all but every 12th crop; `decoded_u8` (N, D, H, W, 3) are the crops at all depths."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    network = DistanceNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    number = np.arange(len(samples.crops_u8))
    is_held = number % HELD_OUT == HELD_OUT - 1
    distances = torch.from_numpy(samples.distances)
    usual = distances.std((0, 2, 3)).clamp(min=1e-6)
    usual_gain = (distances[:, :-1] - distances[:, 1:]).std((0, 2, 3)).clamp(min=1e-6)
    began = noted = time.monotonic()
    step = 0
    while (spent := (time.monotonic() - began) / 60) < minutes and (max_steps is None or step < max_steps):
        for part in optimizer.param_groups:
            part["lr"] = LEARNING_RATE * min(1, (step + 1) / WARM_STEPS) * _cosine(spent / minutes)
        chosen = random.choice(number[~is_held], BATCH)
        depth = random.integers(0, distances.shape[1] - 1, BATCH)
        crops = np.concatenate(
            [samples.crops_u8[chosen], decoded_u8[chosen, depth], decoded_u8[chosen, depth + 1]]
        )
        wanted = torch.stack([distances[chosen, depth], distances[chosen, depth + 1]])
        x = _tensor(crops)
        if random.random() < 0.5:
            x, wanted = x.flip(-1), wanted.flip(-1)
        with torch.autocast("cpu", torch.bfloat16):
            maps = [each.split(BATCH) for each in network.features(x)]
        side = x.shape[-1] // wanted.shape[-1]
        original, *shown = ([each[i] for each in maps] for i in range(3))
        found = torch.stack([network.compare(original, features, side) for features in shown])
        unit = torch.stack([usual[depth], usual[depth + 1]])[..., None, None]
        level = ((found - wanted) / unit).square().mean()
        gain = (found[0] - found[1] - wanted[0] + wanted[1]) / usual_gain[depth][:, None, None]
        loss = LEVEL_WEIGHT * 2 * level + gain.square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        if time.monotonic() - noted > 60:
            noted = time.monotonic()
            note(f"step {step}, {spent:.1f} of {minutes:g} minutes, loss {float(loss.detach()):.3f}")
    network.eval()
    held = number[is_held]
    return TrainedDistance(network, _explained(network, samples, decoded_u8, held) if len(held) else ())


@torch.no_grad()
def _explained(
    network: DistanceNetwork,
    samples: DepthSamples,
    decoded_u8: NDArray[np.uint8],
    held: NDArray[np.intp],
) -> tuple[float, ...]:
    side = samples.crops_u8.shape[2] // samples.distances.shape[3]
    found = []
    for i in held:
        original = [
            u.expand(decoded_u8.shape[1], -1, -1, -1)
            for u in network.features(_tensor(samples.crops_u8[i][None]))
        ]
        found.append(network.compare(original, network.features(_tensor(decoded_u8[i])), side))
    gains = [
        each[:, :-1] - each[:, 1:] for each in (torch.stack(found), torch.from_numpy(samples.distances[held]))
    ]
    wrong = (gains[0] - gains[1]).square().mean((0, 2, 3))
    return tuple(float(share) for share in 1 - wrong / gains[1].var((0, 2, 3)).clamp(min=1e-12))


def _cosine(progress: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))


def _tensor(pixels_u8: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) in -1..1, channels last."""
    return torch.from_numpy(pixels_u8).permute(0, 3, 1, 2).float() / 127.5 - 1
