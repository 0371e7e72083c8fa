"""Looking for the latent vector of a picture by gradients, at a budget of bits.

The first approach of Generative Compression inverts a generator from one random start, on pixels alone, and
quantises the result. Here (research on inversion since then: Zhu et al. 2016, initialisation by an encoder; Gu et
al. 2020, several codes): several starts from the analysis network's guess at several steps, pixels and features,
the code length under the model's Gaussians as a price that rises until the budget is kept, and vectors that are
rounded while they are optimised, so that the rounded one is what is looked for. The best rounded vector that keeps
the budget is remembered at all times.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wisp.entropy.gaussian_levels import bits_of_levels
from wisp.entropy.level_rows import LARGEST
from wisp.train.feature_loss import FeatureLoss
from wisp.train.latent_networks import straight_through
from wisp.train.latent_rate import gaussian_mass_bits

TRIAL_SHARE = 0.2  # of the steps, for all starts; then the best of each picture goes on
LOOK_EVERY = 5  # steps from one look at rounded vectors to the next
COARSER = (0, 4, 8, 12)  # eighths of an octave: steps of the starts, beside the analysis' own
WANDER = 0.1  # standard deviations of the prior by which later starts are moved
RISE, FALL = 1.1, 0.95  # of the price on bits, a step
FIRST_PRICE = 2e-3  # of a bit, in shares of the first loss
AIM = 0.985  # share of the budget at which the price stands still
REACH = 3.5  # standard deviations of the prior, beyond which no number goes


@dataclass(frozen=True)
class InversionOptions:
    """How long and how to look.

    Attributes:
        steps: of the optimiser, at most.
        minutes: wall-clock, at most; None for no limit.
        starts: for each picture, 1..4.
        learning_rate: in standard deviations of the prior.
        feature_weight: of the feature distance beside the squared error, both in shares of what the start has.
        seed: of the starts.
    """

    steps: int = 200
    minutes: float | None = None
    starts: int = 3
    learning_rate: float = 0.06
    feature_weight: float = 2.0
    seed: int = 0


@dataclass(frozen=True)
class InversionTask:
    """What is looked for.

    Attributes:
        draw: latents (B, n) and log2 of their steps (B, 1) -> pictures (B, 3, S, S), nominally -1..1, with gradients.
        spreads: (n,) standard deviations of the prior.
        scales_at: (n,) scale indices of levels at a step index.
        step_of: a step index to a step.
        starts: (B, n) latents to start from.
        levels: (B, n) int16, those of the starts in files that keep the budget.
        indices: (B,) step indices of these files.
        last_index: the coarsest step.
        wanted: (B, 3, S, S) in -1..1.
        budgets: (B,) bits that levels may take.
    """

    draw: Callable[[Tensor, Tensor], Tensor]
    spreads: Tensor
    scales_at: Callable[[int], NDArray[np.int64]]
    step_of: Callable[[int], float]
    starts: Tensor
    levels: NDArray[np.int16]
    indices: NDArray[np.int64]
    last_index: int
    wanted: Tensor
    budgets: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Inverted:
    """What was found.

    Attributes:
        levels: (B, n) int16.
        indices: (B,) step indices.
        scores: (B,) loss in shares of the first start's: 1 if nothing better was found.
        num_steps: how many steps were taken.
        interrupted: whether Ctrl-C ended it.
    """

    levels: NDArray[np.int16]
    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    num_steps: int
    interrupted: bool


class _Search:
    """Rows of vectors under way: `starts` rows a picture at first, one each at last."""

    def __init__(self, task: InversionTask, options: InversionOptions, features: FeatureLoss | None) -> None:
        self.task, self.options, self.features = task, options, features
        count = len(task.starts)
        generator = torch.Generator().manual_seed(options.seed)
        places, latents, indices = [], [], []
        for start in range(options.starts):
            noise = torch.randn(task.starts.shape, generator=generator) * task.spreads * WANDER
            latents.append(task.starts + (noise if start else 0.0))
            indices.append(np.minimum(task.indices + COARSER[start % len(COARSER)], task.last_index))
            places.append(np.arange(count))
        self.places = np.concatenate(places)
        self._set(torch.cat(latents), np.concatenate(indices))
        self.best_levels, self.best_indices = task.levels.copy(), task.indices.copy()
        self.best_scores = np.ones(count)
        with torch.no_grad():
            errors, distances = self._errors(self.latent()[:count], self.steps[:count], task.wanted)
        self.usual = errors, distances

    def _set(self, latents: Tensor, indices: NDArray[np.int64]) -> None:
        self.indices = indices
        self.steps = torch.tensor([[self.task.step_of(int(i))] for i in indices], dtype=torch.float32)
        self.units = nn.Parameter((latents / self.task.spreads).clamp(-REACH, REACH))
        self.optimizer = torch.optim.Adam(
            [self.units], lr=self.options.learning_rate, betas=(0.8, 0.98), capturable=False
        )
        self.prices = torch.full((len(indices), 1), FIRST_PRICE)

    def latent(self) -> Tensor:
        """(R, n) before rounding."""
        return self.units * self.task.spreads

    def _errors(self, latent: Tensor, steps: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        levels = straight_through(latent / steps).clamp(-LARGEST, LARGEST)
        shown = self.task.draw(levels * steps, steps.log2())
        errors = (shown - wanted).square().mean((1, 2, 3))
        if self.features is None:
            return errors, torch.zeros_like(errors)
        return errors, self.features(wanted, shown.clamp(-1, 1))

    def scores(self) -> Tensor:
        """(R,) losses without the price of bits."""
        place = torch.from_numpy(self.places)
        errors, distances = self._errors(self.latent(), self.steps, self.task.wanted[place])
        score = errors / self.usual[0][place]
        if self.features is None:
            return score
        weight = self.options.feature_weight
        return (score + weight * distances / self.usual[1][place]) / (1 + weight)

    def step(self, progress: float) -> None:
        """One step of the optimiser."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * (
                0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress))
            )
        latent = self.latent()
        bits = gaussian_mass_bits(latent, self.steps, self.task.spreads[None]).sum(1, keepdim=True)
        loss = (self.scores() + (self.prices * bits)[:, 0]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.units.clamp_(-REACH, REACH)
            budgets = torch.from_numpy(self.task.budgets[self.places]).float()[:, None]
            self.prices = torch.where(bits > AIM * budgets, self.prices * RISE, self.prices * FALL).clamp(
                1e-6, 1.0
            )

    @torch.no_grad()
    def look(self) -> NDArray[np.float64]:
        """(R,) scores of the rounded vectors, infinite beyond the budget; remembers the best of each picture."""
        scores = self.scores().double().numpy()
        levels = (self.latent() / self.steps).round().clamp(-LARGEST, LARGEST).numpy().astype(np.int16)
        for row, place in enumerate(self.places):
            index = int(self.indices[row])
            if bits_of_levels(levels[row], self.task.scales_at(index)) > self.task.budgets[place]:
                scores[row] = math.inf
            elif scores[row] < self.best_scores[place]:
                self.best_levels[place], self.best_indices[place] = levels[row], index
                self.best_scores[place] = scores[row]  # last: an interruption finds a vector with its score
        return scores

    def keep_best_rows(self) -> None:
        """One row a picture goes on: the best that keeps its budget, or the best of all."""
        scores = self.look()
        with torch.no_grad():
            free = self.scores().double().numpy()
        chosen = []
        for place in range(len(self.task.starts)):
            rows = np.flatnonzero(self.places == place)
            kept = rows[np.isfinite(scores[rows])]
            chosen.append(
                int(kept[np.argmin(scores[kept])]) if len(kept) else int(rows[np.argmin(free[rows])])
            )
        latents, prices = self.latent().detach()[chosen], self.prices[chosen]
        self.places = np.arange(len(chosen))
        self._set(latents, self.indices[chosen])
        self.prices = prices


def invert(
    task: InversionTask,
    options: InversionOptions,
    features: FeatureLoss | None = None,
    note: Callable[[int, float], None] = lambda step, score: None,
) -> Inverted:
    """Look for the vectors of a batch of pictures until the steps or the minutes are spent, or Ctrl-C.

    Args:
        features: a network that may train; pixels alone without it.
        note: called after each step with its number and the mean of the best scores.
    """
    started, done, interrupted = time.monotonic(), 0, False
    trial = round(TRIAL_SHARE * options.steps) if options.starts > 1 else 0
    search = _Search(task, options, features)
    try:
        search.look()
        for done in range(1, options.steps + 1):
            spent = (time.monotonic() - started) / 60
            if options.minutes is not None and spent >= options.minutes:
                done -= 1
                break
            shares = [done / options.steps]
            if options.minutes is not None:
                shares.append(spent / options.minutes)
            search.step(max(shares))
            if done == trial:
                search.keep_best_rows()
            elif done % LOOK_EVERY == 0 or done == options.steps:
                search.look()
            note(done, float(search.best_scores.mean()))
    except KeyboardInterrupt:
        interrupted = True
    return Inverted(search.best_levels, search.best_indices, search.best_scores, done, interrupted)
