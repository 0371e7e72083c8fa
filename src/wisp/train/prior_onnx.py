"""The masked prior as ONNX graphs of float32 operators on integers: int8 weights, one graph for each task.

Every convolution's bound is asserted here: the largest sum that any input can cause stays below 2^24, so that
each float addition is exact, in any order, on any machine (docs/decisions/0010).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from wisp.errors import UsageError
from wisp.train.graph import GraphWriter
from wisp.train.prior_layers import EXACT, PEAK, IntegerConv, IntegerEmbedding, PriorBlock
from wisp.train.prior_network import LevelPrior


class PriorWriter(GraphWriter):
    """Integer layers; every method takes and returns names of float32 tensors that hold integers."""

    def integer(self, value: NDArray[Any], dtype: type = np.int8) -> str:
        """Integers stored small, widened by a Cast that the runtime folds away."""
        return self.node("Cast", self.constant(value.astype(dtype)), to=TensorProto.FLOAT)

    def clip(self, x: str, low: int = -PEAK) -> str:
        """To low..127."""
        return self.node("Clip", x, self.constant(np.float32(low)), self.constant(np.float32(PEAK)))

    def integer_conv(self, x: str, layer: nn.Module) -> str:
        """Convolution, division by a power of two, floor."""
        assert isinstance(layer, IntegerConv)
        weight, bias = checked_integers(layer)
        y = self.node(
            "Conv",
            x,
            self.integer(weight),
            self.integer(bias, np.int32),
            kernel_shape=[layer.kernel] * 2,
            pads=[layer.kernel // 2] * 4,
            group=layer.groups,
        )
        return self.node("Floor", self.node("Mul", y, self.constant(np.float32(2.0**-layer.shift))))

    def block(self, x: str, block: nn.Module) -> str:
        """x + contract(relu(expand(depthwise(x)))), clipped."""
        assert isinstance(block, PriorBlock)
        inner = self.clip(self.integer_conv(x, block.spatial))
        inner = self.clip(self.integer_conv(inner, block.expand), 0)
        return self.clip(self.node("Add", x, self.integer_conv(inner, block.contract)))

    def embed(self, tokens: str, tables: nn.ModuleList) -> str:
        """(G, h, w) int32 tokens -> (h, w, C), the sum of the groups' rows."""
        planes = [tokens]
        if len(tables) > 1:
            planes = [self._name("plane") for _ in tables]
            self.nodes.append(helper.make_node("Split", [tokens], planes, axis=0))
        axes = self.constant(np.array([0], np.int64))
        rows = [
            self.rows(self.node("Squeeze", plane, axes), table)
            for plane, table in zip(planes, tables, strict=True)
        ]
        return self.total(rows)

    def rows(self, index: str, table: nn.Module) -> str:
        """(h, w) int32 -> (h, w, C)."""
        assert isinstance(table, IntegerEmbedding)
        return self.node("Gather", self.integer(table.integers().detach().numpy()), index, axis=0)

    def total(self, parts: Sequence[str]) -> str:
        """The sum of tensors."""
        x = parts[0]
        for part in parts[1:]:
            x = self.node("Add", x, part)
        return x

    def channels_first(self, x: str) -> str:
        """(h, w, C) -> (1, C, h, w)."""
        axes = self.constant(np.array([0], np.int64))
        return self.node("Unsqueeze", self.node("Transpose", x, perm=[2, 0, 1]), axes)


def checked_integers(layer: IntegerConv) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Integer weights and bias of a layer whose sums cannot leave the range in which float32 is exact.

    Raises:
        UsageError: they can.
    """
    weight, bias = (t.detach().numpy() for t in layer.integers())
    bound = np.abs(weight).sum((1, 2, 3)) * PEAK + np.abs(bias)
    if bound.max() >= EXACT or np.abs(weight).max() > PEAK:
        raise UsageError(
            f"expected sums below {EXACT}, found up to {bound.max():.0f}; train with smaller weights"
        )
    return weight.astype(np.int8), bias.astype(np.int32)


def context_onnx(
    network: LevelPrior, groups: Sequence[int], writer: PriorWriter | None = None
) -> onnx.ModelProto:
    """tokens_0..: (G, h, w) int32 of the coarser levels -> context (1, C, h, w) on the level's grid."""
    writer = writer or PriorWriter()
    inputs, x = [], None
    for i, ratio in enumerate(network.ratios):
        inputs.append(
            helper.make_tensor_value_info(f"tokens_{i}", TensorProto.INT32, [groups[i], f"h{i}", f"w{i}"])
        )
        tables = network.coarser[i]
        assert isinstance(tables, nn.ModuleList)
        rows = writer.channels_first(writer.embed(f"tokens_{i}", tables))
        x = writer.clip(rows if x is None else writer.total([rows, x]))
        x = writer.clip(writer.integer_conv(writer.block(x, network.coarser_blocks[i]), network.upsample[i]))
        x = writer.node("DepthToSpace", x, blocksize=ratio, mode="CRD")
    assert x is not None
    out = helper.make_tensor_value_info("context", TensorProto.FLOAT, [1, network.config.width, "h", "w"])
    return writer.model("context", inputs, {x: out})


def step_onnx(
    network: LevelPrior, groups: Sequence[int], writer: PriorWriter | None = None
) -> onnx.ModelProto:
    """tokens (G, h, w) and depths (h, w) int32, context (1, C, h, w) -> features (h, w, C)."""
    writer = writer or PriorWriter()
    width, level = network.config.width, network.level
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT32, [groups[level], "h", "w"]),
        helper.make_tensor_value_info("depths", TensorProto.INT32, ["h", "w"]),
    ]
    rows = writer.total([writer.embed("tokens", network.tokens), writer.rows("depths", network.depth)])
    x = writer.channels_first(rows)
    if level:
        inputs.append(helper.make_tensor_value_info("context", TensorProto.FLOAT, [1, width, "h", "w"]))
        x = writer.total([x, "context"])
    x = writer.clip(x)
    for block in network.blocks:
        x = writer.block(x, block)
    axes = writer.constant(np.array([0], np.int64))
    x = writer.node("Transpose", writer.node("Squeeze", x, axes), perm=[1, 2, 0])
    out = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["h", "w", width])
    return writer.model("step", inputs, {x: out})
