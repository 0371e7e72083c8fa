"""Kernels of a bundle's synthesis in 8 bits: half of its bytes, and pixels that move by less than a grey level.

Only the synthesis: its floats may drift, and what a file says does not depend on them. Tokens come from the
analysis, whose weights stay as they are.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wisp.errors import ModelMismatch
from wisp.runtime.bundle import CONFIG_NAME, Bundle
from wisp.train.export import write_config
from wisp.train.graph import in_eight_bits

NAME = "synthesis.onnx"


def kernels_in_eight_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with every half-precision kernel (O, C, k, k) as 8-bit levels and a scale for each output channel."""
    stored = {part.name: part for part in model.graph.initializer}
    kernels = {
        node.input[0]
        for node in model.graph.node
        if node.op_type == "Cast" and node.input[0] in stored and _is_half_kernel(stored[node.input[0]])
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
    graph = helper.make_graph(
        nodes, model.graph.name, list(model.graph.input), list(model.graph.output), initializers
    )
    smaller = helper.make_model(graph, opset_imports=list(model.opset_import), producer_name="wisp")
    smaller.ir_version = model.ir_version
    onnx.checker.check_model(smaller)
    return smaller


def shrink_synthesis(folder: Path) -> int:
    """Rewrite a bundle's synthesis in place and renew its hash; the bundle's new size in bytes.

    Raises:
        ModelMismatch: there is no kernel in half precision, as when this was done before.
    """
    bundle = Bundle(folder)
    before = bundle.verified(NAME).read_bytes()
    smaller = kernels_in_eight_bits(onnx.load_model_from_string(before)).SerializeToString()
    if len(smaller) >= len(before):
        raise ModelMismatch(f"expected kernels in half precision in {folder / NAME}, found none; leave it so")
    (folder / NAME).write_bytes(smaller)
    write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
    return Bundle(folder).num_bytes


def _is_half_kernel(part: onnx.TensorProto) -> bool:
    return part.data_type == TensorProto.FLOAT16 and len(part.dims) == 4
