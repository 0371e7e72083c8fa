"""The network of distances as ONNX.

picture (1, H, W, 3) uint8, H and W multiples of a region -> features_0.. (1, C, h, w) float32, fine to coarse: the sum
over their channels of squared differences of two pictures, averaged over a region and added up, is the distance.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from wisp.train.distance_network import EPSILON, REFINED, DistanceNetwork
from wisp.train.graph import GraphWriter


def distance_onnx(network: DistanceNetwork) -> onnx.ModelProto:
    """What the network sees of one picture, each channel times the root of what it counts; half precision."""
    w = GraphWriter()
    picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, "H", "W", 3])
    x = w.node("Transpose", w.node("Cast", "picture", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    x = w.node("Sub", w.node("Mul", x, w.constant(np.float32(1 / 127.5))), w.constant(np.float32(1)))
    axis = w.constant(np.array([1], np.int64))
    outputs = {}
    for scale, step in enumerate(network.steps):
        x = w.node("Relu", w.conv(x, step))
        if scale in REFINED:
            x = w.node("Add", x, w.node("Relu", w.conv(x, network.refinements[str(scale)])))
        lengths = w.node("ReduceSum", w.node("Mul", x, x), axis, keepdims=1)
        unit = w.node("Div", x, w.node("Sqrt", w.node("Add", lengths, w.constant(np.float32(EPSILON)))))
        root = network.weight(scale).detach().sqrt().numpy()
        seen = w.node("Mul", unit, w.weight(root[None, :, None, None]))
        shape: list[int | str] = [1, len(root), f"h_{scale}", f"w_{scale}"]
        outputs[seen] = helper.make_tensor_value_info(f"features_{scale}", TensorProto.FLOAT, shape)
    return w.model("distance", [picture], outputs)
