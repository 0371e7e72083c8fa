"""A bundle's masked prior back to networks that train on: integers are read out of its graphs.

Tokens that were trained on a little keep most of their meaning, and so do weights that predict them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from wisp.errors import ModelMismatch
from wisp.runtime import Bundle
from wisp.train.prior_layers import UNIT, IntegerConv, IntegerEmbedding
from wisp.train.prior_network import LevelConfig, LevelPrior
from wisp.train.prior_onnx import PriorWriter, context_onnx, step_onnx


class _NotingWriter(PriorWriter):
    """Remembers under which names the integers of each layer are stored."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[tuple[nn.Module, tuple[str, ...]]] = []

    def integer_conv(self, x: str, layer: nn.Module) -> str:
        first = len(self.weights)
        out = super().integer_conv(x, layer)
        self.stored.append((layer, tuple(part.name for part in self.weights[first : first + 2])))
        return out

    def rows(self, index: str, table: nn.Module) -> str:
        first = len(self.weights)
        out = super().rows(index, table)
        self.stored.append((table, (self.weights[first].name,)))
        return out


def level_config(bundle: Bundle, level: int) -> LevelConfig:
    """Size and stages of one level of a bundle's prior.

    Raises:
        ModelMismatch: the bundle has no prior, or one of another shape.
    """
    groups = bundle.config.groups
    first, parts = sum(groups[:level]), bundle.prior_parts
    try:
        width, blocks = len(parts[f"head_{first}"]), int(parts["blocks"][level])
        stages = tuple(int(s) for s in parts["stages"][first : first + groups[level]])
        graph = onnx.load_model_from_string(parts[f"step_{level}"].tobytes()).graph
    except (KeyError, IndexError) as fault:
        raise ModelMismatch(
            f"expected a prior of {len(groups)} levels in {bundle.folder}, found {fault!r}"
        ) from None
    # Of a block's three convolutions (depthwise, expand, contract) the second has a row for each hidden unit.
    kernels = [tuple(part.dims) for part in graph.initializer if len(part.dims) == 4]
    if len(kernels) != 3 * blocks:
        raise ModelMismatch(
            f"expected {blocks} blocks of three convolutions in {bundle.folder}, found {len(kernels)} kernels"
        )
    return LevelConfig(width, kernels[1][0], blocks, stages)


@torch.no_grad()
def level_of_bundle(bundle: Bundle, level: int) -> LevelPrior:
    """The prior of one level with a bundle's integers.

    Raises:
        ModelMismatch: the bundle has no prior, or one of another shape.
    """
    groups = bundle.config.groups
    network = LevelPrior(level_config(bundle, level), level, groups, bundle.config.strides)
    parts = bundle.prior_parts
    for name, write in ((f"context_{level}", context_onnx), (f"step_{level}", step_onnx)):
        if name == "context_0":
            continue
        writer = _NotingWriter()
        wanted = write(network, groups, writer)
        found = onnx.load_model_from_string(parts[name].tobytes())
        if [n.op_type for n in found.graph.node] != [n.op_type for n in wanted.graph.node]:
            raise ModelMismatch(f"expected a prior of this shape in {bundle.folder}, found another {name}")
        stored = {part.name: numpy_helper.to_array(part) for part in found.graph.initializer}
        for layer, names in writer.stored:
            _restore(layer, [stored[part] for part in names], bundle)
    first = sum(groups[:level])
    for number, head in enumerate(network.heads):
        weight = parts[f"head_{first + number}"].T[:, :, None, None]
        _restore(head, [weight, parts[f"bias_{first + number}"]], bundle)
    return network


def _restore(layer: nn.Module, values: Sequence[NDArray[Any]], bundle: Bundle) -> None:
    """Parameters whose integers are the stored ones."""
    restored: list[tuple[nn.Parameter, NDArray[Any]]]
    if isinstance(layer, IntegerEmbedding):
        restored = [(layer.table, values[0].astype(np.float32) / UNIT)]
    else:
        assert isinstance(layer, IntegerConv)
        scale = float(1 << layer.shift)
        bias = (values[1].astype(np.float64) - scale / 2) / (UNIT * scale)
        restored = [
            (layer.weight, values[0].astype(np.float32) / scale),
            (layer.bias, bias.astype(np.float32)),
        ]
    for parameter, value in restored:
        if tuple(parameter.shape) != value.shape:
            raise ModelMismatch(
                f"expected a prior's layer {tuple(parameter.shape)}, found {value.shape} in {bundle.folder}"
            )
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
