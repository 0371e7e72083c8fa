"""A larger prior that begins as a smaller one: the same logits to the bit, with more to learn by.

New channels and hidden units start at random, and what reads them at zero; new blocks start as the identity
(function-preserving growth, after Chen et al. 2016, Net2Net, section 2, with zeros where they duplicate units).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from wisp.errors import UsageError
from wisp.train.prior_layers import IntegerConv, IntegerEmbedding
from wisp.train.prior_network import LevelConfig, LevelPrior


@torch.no_grad()
def grown_level(
    small: LevelPrior, config: LevelConfig, groups: Sequence[int], strides: Sequence[int]
) -> LevelPrior:
    """`small` as a network of the sizes in `config`, which may have more channels, hidden units and blocks.

    Raises:
        UsageError: a size is smaller than before, or stages, groups or strides are others.
    """
    before = small.config
    is_larger = (
        config.width >= before.width and config.hidden >= before.hidden and config.blocks >= before.blocks
    )
    if not is_larger or config.stages != before.stages:
        raise UsageError(f"expected a prior at least as large as {before}, found {config}")
    large = LevelPrior(config, small.level, groups, strides)
    if _shape(small) != _shape(large):
        raise UsageError(
            f"expected a prior of groups and strides {_shape(large)}, found {_shape(small)}; start from another bundle"
        )
    old = dict(small.named_modules())
    for name, layer in large.named_modules():
        known = old.get(name)
        if isinstance(layer, IntegerEmbedding):
            assert isinstance(known, IntegerEmbedding)
            layer.table[:, : before.width] = known.table
        elif isinstance(layer, IntegerConv) and isinstance(known, IntegerConv):
            _widen(known, layer)
        elif isinstance(layer, IntegerConv) and name.endswith(".contract"):  # of a new block
            layer.weight.zero_()
    return large


def _widen(small: IntegerConv, large: IntegerConv) -> None:
    """The old weights in the first rows and columns; old rows do not read new columns."""
    rows, columns = small.weight.shape[:2]
    large.weight[:rows] = 0
    large.weight[:rows, :columns] = small.weight
    large.bias[:rows] = small.bias


def _shape(network: LevelPrior) -> tuple[list[int], list[int]]:
    """Groups of the coarser levels and of its own, and how many times as fine each level is as the one before."""
    coarser = [len(tables) for tables in network.coarser if isinstance(tables, nn.ModuleList)]
    return [*coarser, len(network.tokens)], network.ratios
