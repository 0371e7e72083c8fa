"""What the allocation must know of a model: pixel gain per latent error, and the statistics of grain maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand, allocate, neighbours
from wisp.codecs.proposal import Proposal

UNITS = 16
BUDGETS_BPP = (0.012, 0.025, 0.05, 0.1, 0.2, 0.4)


def initial_grain_logits(num_groups: int) -> NDArray[np.int16]:
    """(N + 1, N + 1, N) logits before anything is known: near the mean of the neighbours."""
    left, up, depth = np.meshgrid(
        np.arange(num_groups + 1), np.arange(num_groups + 1), np.arange(1, num_groups + 1), indexing="ij"
    )
    known = (left > 0).astype(float) + (up > 0)
    mean = np.where(known > 0, (left + up) / np.maximum(known, 1), num_groups / 2)
    spread = np.where(known > 0, 1.2, 6.0)
    return np.asarray(np.rint(-UNITS * np.abs(depth - mean) / spread), np.int16)


def fit_grain_logits(maps: Sequence[NDArray[np.uint8]], num_groups: int) -> NDArray[np.int16]:
    """Logits from counts of (left, upper, depth), shrunk towards counts that know the rounded mean only."""
    joint = np.zeros((num_groups + 1, num_groups + 1, num_groups))
    for grain in maps:
        left, up = neighbours(grain)
        np.add.at(joint, (left, up, grain.astype(np.intp) - 1), 1)
    base = np.exp(initial_grain_logits(num_groups) / UNITS)
    base /= base.sum(-1, keepdims=True)
    smooth = np.zeros_like(joint)
    for row in range(num_groups + 1):
        for column in range(num_groups + 1):  # neighbouring contexts lend their counts
            rows = slice(max(0, row - 1) if row else 0, row + 2 if row else 1)
            columns = slice(max(0, column - 1) if column else 0, column + 2 if column else 1)
            near = joint[rows, columns].sum((0, 1))
            smooth[row, column] = (near + 4 * base[row, column]) / (near.sum() + 4)
    share = (joint + 8 * smooth) / (joint.sum(-1, keepdims=True) + 8)
    logits = np.log(np.maximum(share, 1e-5)) * UNITS
    return np.asarray(np.rint(logits), np.int16)


def maps_at_many_budgets(
    proposals: Sequence[Proposal], grain_bits: NDArray[np.float64]
) -> list[NDArray[np.uint8]]:
    """The grain maps that the allocation would choose, over the whole range of rates."""
    maps = []
    for proposal in proposals:
        demand = Demand(proposal.demand.distortions, proposal.demand.token_bits, grain_bits)
        shape = proposal.analysed.tokens.shape
        pixels = shape.num_regions * shape.strides[0] ** 2
        maps += [allocate(demand, bpp * pixels) for bpp in BUDGETS_BPP]
    return maps


def fit_level_gains(
    proposals: Sequence[Proposal], probes: Sequence[dict[int, NDArray[np.float64]]]
) -> tuple[float, ...]:
    """Pixel distortion that a unit of latent error of each level stands for, on average.

    `probes` hold each picture's measured distortion at depth 1 and at the end of each level.
    """
    shape = proposals[0].analysed.tokens.shape
    ends = [int(e) for e in np.cumsum(shape.groups)]
    gains = []
    for level, end in enumerate(ends):
        before = 1 if level == 0 else ends[level - 1]
        fall = sum(float((p[before] - p[end]).sum()) for p in probes)
        first = 1 if level == 0 else 0
        latent = sum(
            float((q.analysed.errors[level][first] - q.analysed.errors[level][-1]).sum()) for q in proposals
        )
        gains.append(max(fall, 0.0) / max(latent, 1e-9))
    return tuple(gains)
