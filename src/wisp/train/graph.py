"""A small writer of ONNX graphs, layer by layer, from trained modules.

Writing the graph by hand keeps it free of exporter versions: the same weights give the same bytes.
Weights are stored in half precision, and widened by a Cast that the runtime folds away when it loads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from wisp.train.layers import BEND, CEILING, ResidualBlock, Upsample
from wisp.train.networks import ShuffleHead, SmoothHead
from wisp.train.noise import UNIT, NoiseGate, noise_levels

OPSET = 17
IR_VERSION = 8


class GraphWriter:
    """Collects nodes and weights; every method takes and returns names of tensors."""

    def __init__(self, half: bool = True, eighth: bool = False) -> None:
        """`half`: weights in half precision; `eighth`: kernels in 8 bits, with a scale for each output channel."""
        self.half, self.eighth = half, eighth
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._count = 0

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Append one node with one output."""
        out = self._name(op.lower())
        self.nodes.append(helper.make_node(op, list(inputs), [out], **attributes))
        return out

    def constant(self, value: NDArray | np.generic) -> str:
        """A constant in its own dtype."""
        name = self._name("constant")
        self.weights.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def weight(self, value: NDArray) -> str:
        """A float32 weight, stored in half precision when the writer says so."""
        if not self.half:
            return self.constant(value.astype(np.float32))
        return self.node("Cast", self.constant(value.astype(np.float16)), to=TensorProto.FLOAT)

    def kernel(self, value: NDArray) -> str:
        """A convolution's weight (O, C, k, k), in 8 bits when the writer says so."""
        if not self.eighth:
            return self.weight(value)
        levels, scales = in_eight_bits(value)
        return self.node(
            "Mul", self.node("Cast", self.constant(levels), to=TensorProto.FLOAT), self.constant(scales)
        )

    def conv(
        self, x: str, layer: nn.Module, weight: NDArray | None = None, bias: NDArray | None = None
    ) -> str:
        """A convolution with its bias; `weight` and `bias` override the layer's own."""
        assert isinstance(layer, nn.Conv2d)
        value = layer.weight.detach().numpy() if weight is None else weight
        kernel, stride, pad = value.shape[-1], layer.stride[0], int(layer.padding[0])
        assert layer.bias is not None
        return self.node(
            "Conv",
            x,
            self.kernel(value),
            self.weight(layer.bias.detach().numpy() if bias is None else bias),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def activate(self, x: str) -> str:
        """SiLU (Elfwing et al. 2018), x * sigmoid(x)."""
        return self.node("Mul", x, self.node("Sigmoid", x))

    def bend(self, x: str) -> str:
        """x + 0.3 SiLU(x), as in wisp.train.layers."""
        return self.node("Add", x, self.node("Mul", self.activate(x), self.constant(np.float32(BEND))))

    def residual_block(self, x: str, block: ResidualBlock) -> str:
        """x + conv(min(act(conv(x)), 8))."""
        active = self.node(
            "Min", self.activate(self.conv(x, block.expand)), self.constant(np.float32(CEILING))
        )
        return self.node("Add", x, self.conv(active, block.project))

    def blocks(self, x: str, blocks: nn.Module) -> str:
        """A stack of residual blocks."""
        for block in blocks.children():
            assert isinstance(block, ResidualBlock)
            x = self.residual_block(x, block)
        return x

    def upsample(self, x: str, layer: nn.Module) -> str:
        """1x1 convolution and pixel shuffle by 2."""
        assert isinstance(layer, Upsample)
        return self.node("DepthToSpace", self.conv(x, layer.conv), blocksize=2, mode="CRD")

    def noise(self, x: str, layer: nn.Module, origin: str) -> str:
        """x + gate(x) * mix(noise at `origin`), rows and columns of the picture's pixels (2,) int64."""
        assert isinstance(layer, NoiseGate)
        side = layer.plane.shape[-1]
        plane = self.constant(noise_levels(layer.size)[None])
        start = self.node("Div", origin, self.constant(np.array(layer.size, np.int64)))
        for axis in (0, 1):
            length = self.node(
                "Gather", self.node("Shape", x), self.constant(np.array(2 + axis, np.int64)), axis=0
            )
            zero, one = (self.constant(np.array(n, np.int64)) for n in (0, 1))
            place = self.node(
                "Add",
                self.node("Range", zero, length, one),
                self.node("Gather", start, self.constant(np.array(axis, np.int64)), axis=0),
            )
            place = self.node("Mod", place, self.constant(np.array(side, np.int64)))
            plane = self.node("Gather", plane, place, axis=2 + axis)
        values = self.node("Mul", self.node("Cast", plane, to=TensorProto.FLOAT), self.constant(UNIT))
        gate = self.conv(x, layer.gate)
        return self.node("Add", x, self.node("Mul", gate, self.conv(values, layer.mix)))

    def head(self, x: str, head: nn.Module, origin: str = "") -> str:
        """1/4 size -> the picture, nominally -1..1; with an origin, noise enters it."""
        if isinstance(head, ShuffleHead):
            return self.node("DepthToSpace", self.conv(x, head.out), blocksize=4, mode="CRD")
        assert isinstance(head, SmoothHead)
        x = self.upsample(x, head.up2)
        x = self.noise(x, head.noise2, origin) if origin and head.noise2 is not None else x
        x = self.node("Add", x, self.conv(self.activate(x), head.conv2))
        return self.conv(self.upsample(x, head.up1), head.out)

    def model(
        self, name: str, inputs: list[onnx.ValueInfoProto], outputs: dict[str, onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """The finished model; `outputs` maps tensor names to what they are called outside."""
        for inner, info in outputs.items():
            self.nodes.append(helper.make_node("Identity", [inner], [info.name]))
        name_nodes(self.nodes)
        graph = helper.make_graph(self.nodes, name, inputs, list(outputs.values()), self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="wisp")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model


def name_nodes(nodes: list[onnx.NodeProto]) -> None:
    """Call each node by its first output. onnxruntime 1.19 fuses nodes without names into several of one name."""
    for node in nodes:
        node.name = node.output[0]


def without_names(graph: bytes) -> bytes:
    """A serialized graph whose nodes have no names, to compare it with one that was written before they had."""
    model = onnx.load_model_from_string(graph)
    for node in model.graph.node:
        node.name = ""
    stripped: bytes = model.SerializeToString()
    return stripped


def in_eight_bits(kernel: NDArray) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(O, C, k, k) -> levels -127..127 and scales (O, 1, 1, 1), whose product it nearly is."""
    scales = np.abs(kernel).reshape(len(kernel), -1).max(1).astype(np.float32)[:, None, None, None] / 127
    return np.rint(kernel / np.maximum(scales, np.float32(1e-30))).astype(np.int8), scales


def space_to_depth_weight(weight: NDArray, block: int) -> NDArray:
    """Reorder the input channels of a convolution from PyTorch's pixel_unshuffle to ONNX's SpaceToDepth.

    (O, C * block^2, k, k) with channels as (C, y, x) -> the same with channels as (y, x, C).
    """
    o, c, k, _ = weight.shape
    parts = weight.reshape(o, c // block**2, block, block, k, k)
    return np.ascontiguousarray(parts.transpose(0, 2, 3, 1, 4, 5)).reshape(o, c, k, k)


def pixel_unshuffle_weight(weight: NDArray, block: int) -> NDArray:
    """The inverse of `space_to_depth_weight`."""
    o, c, k, _ = weight.shape
    parts = weight.reshape(o, block, block, c // block**2, k, k)
    return np.ascontiguousarray(parts.transpose(0, 3, 1, 2, 4, 5)).reshape(o, c, k, k)
