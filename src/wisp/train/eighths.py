"""Large kernels of a bundle's networks in 8 bits: half of its bytes.

Pixels move by a fifth of a grey level on average, and by two at most in what was looked at. The analysis chooses
another codeword for one token in twenty to five, about as near; what a file says does not depend on how its tokens
were chosen. Small kernels stay in half precision: they hold few bytes, and those of the last layers set the colours.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from wisp.train.graph import in_eight_bits, name_nodes
from wisp.train.networks import round_to_half
from wisp.train.pyramids import PyramidNetwork
from wisp.train.transforms_onnx import analysis_onnx, synthesis_onnx

SMALLEST = 20_000  # weights of a kernel that is worth it


def kernels_in_eight_bits(model: onnx.ModelProto, smallest: int | None = None) -> onnx.ModelProto:
    """The graph with every large kernel (O, C, k, k) as 8-bit levels and a scale for each output channel.

    Large is a half-precision kernel of at least `smallest` weights, SMALLEST if None.
    """
    smallest = SMALLEST if smallest is None else smallest
    stored = {part.name: part for part in model.graph.initializer}
    kernels = {
        node.input[0]
        for node in model.graph.node
        if node.op_type == "Cast" and node.input[0] in stored and _is_large(stored[node.input[0]], smallest)
    }
    initializers, nodes = [], []
    for part in model.graph.initializer:
        if part.name not in kernels:
            initializers.append(part)
            continue
        levels, scales = in_eight_bits(numpy_helper.to_array(part).astype(np.float32))
        initializers.append(numpy_helper.from_array(levels, part.name))
        initializers.append(numpy_helper.from_array(scales, f"{part.name}_scale"))
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in kernels:
            name, wide = node.input[0], f"{node.output[0]}_levels"
            nodes.append(helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [wide, f"{name}_scale"], [node.output[0]]))
        else:
            nodes.append(node)
    return _rebuilt(model, nodes, initializers)


def kernels_in_half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph as it was before `kernels_in_eight_bits`, but for what that rounded; any other graph as it is."""
    stored = {part.name: part for part in model.graph.initializer}
    kernels = {name.removesuffix("_scale") for name in stored if name.endswith("_scale")} & set(stored)
    initializers, nodes = [], []
    for part in model.graph.initializer:
        if part.name in kernels:
            scales = numpy_helper.to_array(stored[f"{part.name}_scale"])
            kernel = (numpy_helper.to_array(part).astype(np.float32) * scales).astype(np.float16)
            initializers.append(numpy_helper.from_array(kernel, part.name))
        elif part.name.removesuffix("_scale") not in kernels:
            initializers.append(part)
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in kernels:
            continue
        if node.op_type == "Mul" and (name := node.input[1].removesuffix("_scale")) in kernels:
            node = helper.make_node("Cast", [name], list(node.output), to=TensorProto.FLOAT)
        nodes.append(node)
    return _rebuilt(model, nodes, initializers) if kernels else model


def _rebuilt(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], initializers: list[TensorProto]
) -> onnx.ModelProto:
    name_nodes(nodes)
    graph = helper.make_graph(
        nodes, model.graph.name, list(model.graph.input), list(model.graph.output), initializers
    )
    rebuilt = helper.make_model(graph, opset_imports=list(model.opset_import), producer_name="wisp")
    rebuilt.ir_version = model.ir_version
    onnx.checker.check_model(rebuilt)
    return rebuilt


def synthesis_bytes(network: PyramidNetwork, eight_bits: bool) -> bytes:
    """A pyramid's synthesis.onnx."""
    graph = synthesis_onnx(network)
    return (kernels_in_eight_bits(graph) if eight_bits else graph).SerializeToString()


def analysis_bytes(network: PyramidNetwork, eight_bits: bool, smallest: int | None = None) -> bytes:
    """A pyramid's analysis.onnx; of a network read back from one with 8-bit kernels the same bytes again."""
    graph = analysis_onnx(network)
    return (kernels_in_eight_bits(graph, smallest) if eight_bits else graph).SerializeToString()


def has_eight_bits(model: onnx.ModelProto) -> bool:
    """Whether a graph has kernels in 8 bits."""
    return bool(wide_kernels(model))


def wide_kernels(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """What a graph's 8-bit kernels are to a runtime, by name."""
    stored = {part.name: part for part in model.graph.initializer}
    return {
        name: numpy_helper.to_array(part) * numpy_helper.to_array(stored[f"{name}_scale"])
        for name, part in stored.items()
        if f"{name}_scale" in stored
    }


@torch.no_grad()
def round_analysis(network: PyramidNetwork, smallest: int | None = None) -> None:
    """Give what makes latents the weights that a bundle with 8-bit kernels has; codewords stay as they are."""
    smallest = SMALLEST if smallest is None else smallest
    round_to_half(network.heads, network.analysis, network.contexts)
    for part in (network.analysis, network.heads, network.contexts):
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d) and layer.weight.numel() >= smallest:
                levels, scales = in_eight_bits(layer.weight.numpy())
                layer.weight.copy_(torch.from_numpy(levels * scales))


def _is_large(part: onnx.TensorProto, smallest: int) -> bool:
    is_kernel = part.data_type == TensorProto.FLOAT16 and len(part.dims) == 4
    return is_kernel and prod(part.dims) >= smallest
