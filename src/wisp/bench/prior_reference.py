"""A second runner of the prior's graphs: plain numpy, 64-bit integers, no float anywhere.

It reads the same ONNX bytes as the runtime and must agree with it bit for bit. A product with 2^-s followed by
Floor is an arithmetic shift; any other product, and any operator that the prior does not use, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from wisp.errors import ModelMismatch

Integers = NDArray[np.int64]


class ReferenceRunner:
    """Takes the place of a runtime.Network in a MaskedPrior."""

    def __init__(self, name: str, graph: bytes) -> None:
        self.name = name
        self.graph = onnx.load_model_from_string(graph).graph
        self.weights = {w.name: numpy_helper.to_array(w) for w in self.graph.initializer}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays of integers in, named float32 arrays of integers out."""
        values: dict[str, NDArray[Any]] = {
            **self.weights,
            **{k: v.astype(np.int64) for k, v in inputs.items()},
        }
        for node in self.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            found = self._apply(
                node.op_type, [values[name] for name in node.input], attributes, len(node.output)
            )
            values.update(zip(node.output, found, strict=True))
        return {out.name: values[out.name].astype(np.float32) for out in self.graph.output}

    def _apply(
        self, kind: str, x: list[NDArray[Any]], attributes: Mapping[str, Any], outputs: int
    ) -> list[NDArray[Any]]:
        if kind == "Split":
            return np.split(x[0], outputs, attributes["axis"])
        if kind in ("Cast", "Floor", "Identity"):
            return [x[0].astype(np.int64)]
        if kind == "Add":
            return [x[0] + x[1]]
        if kind == "Mul":
            fraction, power = math.frexp(float(x[1]))
            if fraction != 0.5 or power > 1:
                raise ModelMismatch(f"expected a product with 2^-s in {self.name}, found {float(x[1])}")
            return [x[0] >> (1 - power)]
        if kind == "Clip":
            return [np.clip(x[0], int(x[1]), int(x[2]))]
        if kind == "Gather":
            return [x[0][x[1]]]
        if kind == "Squeeze":
            return [x[0][0]]
        if kind == "Unsqueeze":
            return [x[0][None]]
        if kind == "Transpose":
            return [x[0].transpose(attributes["perm"])]
        if kind == "DepthToSpace":
            return [_depth_to_space(x[0], attributes["blocksize"])]
        if kind == "Conv":
            return [_conv(x[0], x[1], x[2], attributes["group"])]
        raise ModelMismatch(f"expected the prior's operators in {self.name}, found {kind}")


def _depth_to_space(x: Integers, ratio: int) -> Integers:
    """(1, C ratio^2, h, w) -> (1, C, h ratio, w ratio), channels as (C, y, x)."""
    _, channels, height, width = x.shape
    parts = x.reshape(channels // ratio**2, ratio, ratio, height, width).transpose(0, 3, 1, 4, 2)
    return parts.reshape(1, channels // ratio**2, height * ratio, width * ratio)


def _conv(x: Integers, weight: Integers, bias: Integers, groups: int) -> Integers:
    """Convolution with zero padding to the same size; either every channel for itself, or 1x1."""
    kernel = weight.shape[2]
    _, _, height, width = x.shape
    if groups == 1:
        if kernel != 1:
            raise ModelMismatch(f"expected 1x1 or depthwise convolutions, found {weight.shape}")
        # einsum, since matmul has no fast way for integers
        sums: Integers = np.einsum("oc,bchw->bohw", weight[:, :, 0, 0], x)
        return sums + bias[:, None, None]
    padded = np.pad(x, ((0, 0), (0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2))
    total = np.zeros_like(x) + bias[:, None, None]
    for row in range(kernel):
        for column in range(kernel):
            total += (
                weight[:, 0, row, column, None, None]
                * padded[:, :, row : row + height, column : column + width]
            )
    return total
