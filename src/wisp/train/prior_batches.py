"""Training examples of the masked prior: crops of token pyramids, masked as the coding procedure masks them.

Most crops stand at a stage of a group, under a grain map that the allocation chose; the rest have holes drawn at
random, so that the prior can also fill what was lost or never sent. With a uniform grain the depth is drawn, and in a
share of the crops the share of the positions as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.tokens.choices import chosen_at
from wisp.tokens.pyramid import NOT_SENT, TokenPyramid
from wisp.tokens.stages import stage_map
from wisp.tokens.uniform_grain import SIXTEENTHS, UniformGrain
from wisp.train.prior_tokens import Sample

CROPS = ((10, 32), (8, 12), (4, 12))  # regions along a crop's side, crops a batch, for each level
RANDOM_SHARE = 0.15  # crops with random holes
SPARSE_SHARE = 0.3  # crops of a uniform model with positions of which nothing is sent
LATER_WEIGHT = 0.25  # of tokens that are unknown as well, but belong to later stages


@dataclass(frozen=True)
class Batch:
    """One step's examples.

    Attributes:
        coarser: planes (B, G, h, w) int64 of each coarser level, 256 where not sent.
        plane: (B, G, h, w) int64 of the level itself, 256 where not known.
        depths: (B, h, w) int64 on the level's grid.
        chosen: (B, h, w) bool, the tokens to be predicted.
        targets, weights: (n,) int64 and float32, of the chosen positions.
        base: (n, 256) float32, the tables' logits of the chosen positions in 1/16 nat.
    """

    coarser: list[Tensor]
    plane: Tensor
    depths: Tensor
    chosen: Tensor
    targets: Tensor
    weights: Tensor
    base: Tensor


class BatchMaker:
    """Draws batches for one level."""

    def __init__(
        self,
        samples: Sequence[Sample],
        tables: PyramidEntropyModel,
        level: int,
        stages: Sequence[int],
        seed: int,
    ) -> None:
        side, self.count = CROPS[min(level, len(CROPS) - 1)]
        smallest = min(min(s.maps.shape[1:]) for s in samples)
        large = [s for s in samples if min(s.maps.shape[1:]) >= side]
        self.side = side if large else smallest
        self.samples = large or list(samples)
        sizes = np.array([s.pyramid.shape.num_regions for s in self.samples], np.float64)
        self._ends = np.cumsum(sizes / sizes.sum())
        self.tables, self.level, self.stages = tables, level, tuple(stages)
        self.random = np.random.default_rng(seed)
        groups = self.samples[0].pyramid.shape.groups
        self.first_place = sum(groups[:level])

    def draw(self) -> tuple[int, Batch]:
        """A group, and a batch for it."""
        group = int(self.random.integers(len(self.stages)))
        return group, self.make([self._crop(self.first_place + group) for _ in range(self.count)], group)

    def _crop(self, place: int) -> TokenPyramid:
        random, side = self.random, self.side
        sample = self.samples[min(int(np.searchsorted(self._ends, random.random())), len(self.samples) - 1)]
        shape = sample.pyramid.shape
        top = int(random.integers(shape.rows - side + 1))
        left = int(random.integers(shape.columns - side + 1))
        if (
            self.tables.is_uniform
        ):  # where a file's tile of ranks begins, so that stages and shares are a file's
            top, left = top - top % 4, left - left % 4
            return crop_sample(sample, top, left, side, self._uniform_map(place, shape.num_groups))
        maps = sample.maps[:, top : top + side, left : left + side]
        deep = [grain for grain in maps if shape.sends(grain, place).any()]
        if deep:
            grain = deep[random.integers(len(deep))]
        elif shape.routed:
            grain = np.full((side, side), self.level + 1, np.uint8)
        else:
            grain = np.full((side, side), random.integers(place + 1, shape.num_groups + 1), np.uint8)
        return crop_sample(sample, top, left, side, grain)

    def _uniform_map(self, place: int, num_groups: int) -> NDArray[np.uint8]:
        """A depth beyond `place`, at all positions or at a share of them."""
        depth = int(self.random.integers(place + 1, num_groups + 1))
        is_sparse = self.random.random() < SPARSE_SHARE
        kept = int(self.random.integers(1, SIXTEENTHS)) if is_sparse else SIXTEENTHS
        return UniformGrain(depth, kept).map(self.side, self.side)

    def make(self, crops: Sequence[TokenPyramid], group: int, stage: int | None = None) -> Batch:
        """Stack crops of equal shape, mask them, and gather what is to be predicted."""
        tall = stack(crops)
        shape, level = tall.shape, self.level
        known = list(tall.with_absences())
        height, width = shape.plane_shape(level)
        count = len(crops)
        sent = tall.sent(self.first_place + group, level)
        hidden = np.empty((count, height // count, width), bool)
        weights = np.ones((count, height // count, width), np.float32)
        plane = known[level]
        plane[group + 1 :] = NOT_SENT
        for i in range(count):
            hidden[i], weights[i] = self._hide(hidden.shape[1:], group, stage)
            if stage is None and self.random.random() < RANDOM_SHARE:
                ratio = self.random.random()
                hidden[i] = self.random.random(hidden.shape[1:]) < ratio
                weights[i] = 1.0
                holes = self.random.random(hidden.shape[1:]) < 0.5 * self.random.random()
                plane[:group, i * hidden.shape[1] : (i + 1) * hidden.shape[1]][:, holes] = NOT_SENT
        mask = hidden.reshape(height, width)
        plane[group][mask] = NOT_SENT
        chosen = mask & sent & (weights.reshape(height, width) > 0)
        targets = tall.planes[level][group][chosen]
        base = self.tables.logits(tall, self.first_place + group, level, chosen)
        fold = shape.fold(level)
        depths = tall.grain_map.repeat(fold, 0).repeat(fold, 1)
        return Batch(
            [_split(p, count) for p in known[:level]],
            _split(plane, count),
            _tensor(depths.reshape(count, -1, width)),
            torch.from_numpy(chosen.reshape(count, -1, width)),
            _tensor(targets),
            torch.from_numpy(weights.reshape(height, width)[chosen]),
            torch.from_numpy(base.astype(np.float32)),
        )

    def _hide(
        self, size: tuple[int, ...], group: int, stage: int | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """What a stage of a group does not know, and how much each token counts."""
        many = self.stages[group]
        now = int(self.random.integers(many)) if stage is None else stage
        stages = stage_map(size[0], size[1], many)
        later = 0.0 if stage is not None else LATER_WEIGHT
        return stages >= now, np.where(stages == now, 1.0, later).astype(np.float32)


def crop_sample(sample: Sample, top: int, left: int, side: int, grain: NDArray[np.uint8]) -> TokenPyramid:
    """What is sent of a square part of a picture, in regions, with another grain map."""
    shape = sample.pyramid.shape

    def cut(levels: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], ...]:
        folds = [shape.fold(level) for level in range(len(levels))]
        return tuple(
            planes[:, top * fold : (top + side) * fold, left * fold : (left + side) * fold]
            for fold, planes in zip(folds, levels, strict=True)
        )

    whole = TokenPyramid(replace(shape, rows=side, columns=side), cut(sample.pyramid.planes), grain)
    return chosen_at(whole, cut(sample.choices), grain)


def stack(crops: Sequence[TokenPyramid]) -> TokenPyramid:
    """Pyramids of equal shape, one below another."""
    first = crops[0].shape
    shape = replace(first, rows=first.rows * len(crops))
    planes = tuple(np.concatenate(level, 1) for level in zip(*(c.planes for c in crops), strict=True))
    return TokenPyramid(shape, planes, np.concatenate([c.grain_map for c in crops]))


def _tensor(array: NDArray[np.integer]) -> Tensor:
    return torch.from_numpy(array.astype(np.int64))


def _split(plane: NDArray[np.int32], count: int) -> Tensor:
    groups, height, width = plane.shape
    parts = plane.reshape(groups, count, height // count, width).swapaxes(0, 1)
    return _tensor(parts)
