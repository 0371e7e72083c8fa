"""Training the masked prior of a bundle, level by level, each for its share of the minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.train.prior_batches import Batch, BatchMaker
from wisp.train.prior_network import LevelConfig, LevelPrior
from wisp.train.prior_tokens import Sample

HELD_OUT = 25  # every 25th photograph
MEASURED = 24  # of them, at most so many are measured
LEARNING_RATE = 3e-3
ONWARD_RATE = 1.5e-3  # where a prior is trained on
WARM_STEPS = 100
LEVEL_SHARES = (0.25, 0.5, 0.25)  # of the minutes; about the shares of the bits at 0.1 bpp
NOTES = 8  # lines of progress a level
BITS = 1 / (16 * math.log(2))  # logits of 1/16 nat to bits


@dataclass(frozen=True)
class TrainedLevel:
    """A level's network, and for each group bits a token on held-out pictures: tables alone, with the prior."""

    network: LevelPrior
    table_bits: tuple[float, ...]
    prior_bits: tuple[float, ...]


def batch_bits(network: LevelPrior, batch: Batch, group: int) -> tuple[Tensor, Tensor]:
    """(n,) bits of each chosen token with the prior and with the tables alone."""
    features = network.step(batch.plane, batch.depths, network.context(batch.coarser))
    rows = features.permute(0, 2, 3, 1)[batch.chosen]
    nats = (batch.base + network.logits(rows, group)) / 16
    with_prior = F.cross_entropy(nats, batch.targets, reduction="none") / math.log(2)
    alone = F.cross_entropy(batch.base / 16, batch.targets, reduction="none") / math.log(2)
    return with_prior, alone


def train_level(
    samples: Sequence[Sample],
    tables: PyramidEntropyModel,
    config: LevelConfig,
    level: int,
    minutes: float,
    *,
    max_steps: int | None = None,
    seed: int = 0,
    start: LevelPrior | None = None,
    learning_rate: float | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> TrainedLevel:
    """Train one level for so many minutes, then measure it on the held-out pictures; `start` is trained on.

    `learning_rate` is the highest; None: LEARNING_RATE from random weights, ONWARD_RATE from a start.
    """
    torch.manual_seed(seed)
    shape = samples[0].pyramid.shape
    network = start or LevelPrior(config, level, shape.groups, shape.strides)
    peak = learning_rate or (LEARNING_RATE if start is None else ONWARD_RATE)
    train = [s for s in samples if s.photograph % HELD_OUT] or list(samples)
    maker = BatchMaker(train, tables, level, config.stages, seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    began, step, shown = time.monotonic(), 0, 0
    recent = [0.0, 0.0, 0.0]
    while True:
        elapsed = (time.monotonic() - began) / (60 * minutes) if minutes else 1.0
        progress = max(elapsed, step / max_steps) if max_steps is not None else elapsed
        if progress >= (shown + 1) / NOTES and recent[2]:
            shown += 1
            note(
                f"level {level}, step {step}, {elapsed * minutes:.1f} min: {recent[0] / recent[2]:.3f} bits a token, "
                f"tables {recent[1] / recent[2]:.3f}"
            )
            recent = [0.0, 0.0, 0.0]
        if progress >= 1 and step:
            break
        rate = peak * min(1.0, (step + 1) / WARM_STEPS) * (0.5 + 0.5 * math.cos(math.pi * progress))
        for part in optimizer.param_groups:
            part["lr"] = rate
        group, batch = maker.draw()
        with_prior, alone = batch_bits(network, batch, group)
        loss = (with_prior * batch.weights).sum() / batch.weights.sum().clamp(min=1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        now = batch.weights == 1
        recent[0] += float(with_prior.detach()[now].sum())
        recent[1] += float(alone[now].sum())
        recent[2] += float(now.sum())
        step += 1
    first = {s.photograph: s for s in reversed(samples)}  # not as in a mirror
    held = [first[number] for number in sorted(first) if not number % HELD_OUT][:MEASURED]
    return measure_level(network, held, maker)


@torch.no_grad()
def measure_level(network: LevelPrior, held: Sequence[Sample], maker: BatchMaker) -> TrainedLevel:
    """Bits a token of every group over all of its stages, under the pictures' own grain maps."""
    table_bits, prior_bits = [], []
    for group, count in enumerate(network.config.stages):
        place = maker.first_place + group
        sums = [0.0, 0.0, 0.0]
        for sample in held:
            shape = sample.pyramid.shape
            grain = max(sample.maps, key=lambda m: float(shape.sends(m, place).mean()))
            pyramid = sample.at(grain)
            for stage in range(count):
                batch = maker.make([pyramid], group, stage)
                if len(batch.targets):
                    with_prior, alone = batch_bits(network, batch, group)
                    sums[0] += float(with_prior.sum())
                    sums[1] += float(alone.sum())
                    sums[2] += len(batch.targets)
        prior_bits.append(sums[0] / max(1.0, sums[2]))
        table_bits.append(sums[1] / max(1.0, sums[2]))
    return TrainedLevel(network, tuple(table_bits), tuple(prior_bits))
