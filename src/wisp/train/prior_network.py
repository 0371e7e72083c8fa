"""The masked prior of one level: what its tokens are likely to be, given all that has been decoded.

    context   coarser tokens -> embeddings, a block and a sub-pixel step a level -> features on this level's grid
    step      this level's tokens (256: not known), depths and context -> blocks -> features
    head      features -> 256 logits of one group, in 1/16 nat, added to those of the integer tables

Levels share nothing, so each is trained by itself. Context runs once a level, step once a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wisp.train.prior_layers import IntegerConv, IntegerEmbedding, PriorBlock, clip, through

TOKENS = 256
HEAD_SHIFT = 6
LOGIT_LIMIT = 1000  # in 1/16 nat; the sum with the tables' logits stays within 16 bits


@dataclass(frozen=True)
class LevelConfig:
    """Size of one level's network, and stages of each of its groups."""

    width: int
    hidden: int
    blocks: int
    stages: tuple[int, ...]


def default_config(groups: Sequence[int], routed: bool = False) -> tuple[LevelConfig, ...]:
    """About 1.6 million weights for three levels of four groups; coarser levels and earlier groups take more stages.

    A single level has nothing coarser to be told by, so all of its groups take stages. So do those of a routed
    pyramid, where a token has only its neighbours.
    """
    if len(groups) == 1:
        return (LevelConfig(96, 192, 4, tuple((8, 4, 4, 2)[min(g, 3)] for g in range(groups[0]))),)
    if routed:
        return tuple(LevelConfig(64, 128, 3, stages=(4, 4)[:many]) for many in groups)
    sizes = [(96, 192, 6), (96, 192, 8), (64, 128, 6)]
    counts = [(8, 4, 2, 1), (2, 2, 1, 1), (2, 1, 1, 1)]
    return tuple(
        LevelConfig(*sizes[min(i, 2)], stages=tuple(counts[min(i, 2)][min(g, 3)] for g in range(many)))
        for i, many in enumerate(groups)
    )


class LevelPrior(nn.Module):
    """Network of `level`; tokens come as int64 planes with 256 where nothing is known."""

    def __init__(self, config: LevelConfig, level: int, groups: Sequence[int], strides: Sequence[int]):
        super().__init__()
        self.config, self.level = config, level
        width = config.width
        self.ratios = [strides[i] // strides[i + 1] for i in range(level)]
        self.coarser = nn.ModuleList(
            nn.ModuleList(IntegerEmbedding(TOKENS + 1, width) for _ in range(groups[i])) for i in range(level)
        )
        self.coarser_blocks = nn.ModuleList(PriorBlock(width, config.hidden) for _ in range(level))
        self.upsample = nn.ModuleList(
            IntegerConv(width, width * ratio**2, 1, shift=7, spread=1.0) for ratio in self.ratios
        )
        self.tokens = nn.ModuleList(IntegerEmbedding(TOKENS + 1, width) for _ in range(groups[level]))
        self.depth = IntegerEmbedding(sum(groups) + 1, width)
        self.blocks = nn.ModuleList(PriorBlock(width, config.hidden) for _ in range(config.blocks))
        self.heads = nn.ModuleList(
            IntegerConv(width, TOKENS, 1, shift=HEAD_SHIFT, spread=0.1) for _ in range(groups[level])
        )

    def context(self, planes: Sequence[Tensor]) -> Tensor | None:
        """Coarser levels' planes, each (B, G, h, w) -> (B, width, h, w) on this level's grid; None at level 0."""
        x: Tensor | None = None
        for embeddings, block, conv, ratio, plane in zip(
            self.coarser, self.coarser_blocks, self.upsample, self.ratios, planes, strict=True
        ):
            assert isinstance(embeddings, nn.ModuleList)
            rows = [table(plane[:, g]) for g, table in enumerate(embeddings)]
            x = clip(torch.stack([*rows, x] if x is not None else rows).sum(0))
            x = F.pixel_shuffle(clip(conv(block(x))), ratio)
        return x

    def step(self, plane: Tensor, depths: Tensor, context: Tensor | None) -> Tensor:
        """(B, G, h, w) tokens, (B, h, w) depths -> (B, width, h, w) features."""
        rows = [table(plane[:, g]) for g, table in enumerate(self.tokens)]
        rows.append(self.depth(depths))
        if context is not None:
            rows.append(context)
        x = clip(torch.stack(rows).sum(0))
        for block in self.blocks:
            x = block(x)
        return x

    def logits(self, features: Tensor, group: int) -> Tensor:
        """(n, width) features of chosen positions -> (n, 256) integer-valued logits in 1/16 nat."""
        head = self.heads[group]
        assert isinstance(head, IntegerConv)
        weight, bias = head.integers()
        total = (features @ weight[:, :, 0, 0].t() + bias) * 2.0**-head.shift
        return through(total.detach().floor(), total).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
