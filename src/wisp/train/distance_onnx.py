"""The network of distances as ONNX.

original, decoded (1, H, W, 3) uint8, H and W multiples of a region -> distances (1, rows, cols) float32.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from wisp.train.distance_network import EPSILON, REFINED, DistanceNetwork
from wisp.train.graph import GraphWriter


def distance_onnx(network: DistanceNetwork, side: int = 32) -> onnx.ModelProto:
    """The network for regions of `side` pixels, weights in half precision."""
    w = GraphWriter()
    names = ("original", "decoded")
    pictures = [helper.make_tensor_value_info(name, TensorProto.UINT8, [1, "H", "W", 3]) for name in names]
    both = w.node("Cast", w.node("Concat", *names, axis=0), to=TensorProto.FLOAT)
    x = w.node("Transpose", both, perm=[0, 3, 1, 2])
    x = w.node("Sub", w.node("Mul", x, w.constant(np.float32(1 / 127.5))), w.constant(np.float32(1)))
    axis, first, middle, last = (w.constant(np.array([n], np.int64)) for n in (1, 0, 1, 2))
    total = ""
    for scale, step in enumerate(network.steps):
        x = w.node("Relu", w.conv(x, step))
        if scale in REFINED:
            x = w.node("Add", x, w.node("Relu", w.conv(x, network.refinements[str(scale)])))
        lengths = w.node("ReduceSum", w.node("Mul", x, x), axis, keepdims=1)
        unit = w.node("Div", x, w.node("Sqrt", w.node("Add", lengths, w.constant(np.float32(EPSILON)))))
        u, v = (w.node("Slice", unit, a, b, first) for a, b in ((first, middle), (middle, last)))
        difference = w.node("Sub", u, v)
        weight: NDArray[np.float32] = network.weight(scale).detach().numpy()
        seen = w.node("Conv", w.node("Mul", difference, difference), w.weight(weight[None, :, None, None]))
        size = side >> (scale + 1)
        pooled = w.node("AveragePool", seen, kernel_shape=[size, size], strides=[size, size])
        total = pooled if not total else w.node("Add", total, pooled)
    distances = w.node("Squeeze", total, axis)
    out = helper.make_tensor_value_info("distances", TensorProto.FLOAT, [1, "rows", "columns"])
    return w.model("distance", pictures, {distances: out})
