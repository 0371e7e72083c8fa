"""The two networks of a routed bundle as ONNX; inputs and outputs as in transforms_onnx, two tokens a position.

The tokens of a position are its index into the shared codebook, 256 * first + second.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from wisp.train.graph import GraphWriter, space_to_depth_weight
from wisp.train.latent_norm import LIMIT
from wisp.train.layers import CEILING
from wisp.train.networks import LatentHead
from wisp.train.quantizer import OrderedQuantizer
from wisp.train.routed_networks import EPSILON, ModulatedBlock, RoutedPyramid

PLACES = {"coordinate_transformation_mode": "asymmetric"}  # every position is repeated as it is
SHELF = 256  # indices with the same first token


def write_routed_analysis(w: GraphWriter, pyramid: RoutedPyramid) -> onnx.ModelProto:
    """The analysis network, its heads, and the search of the codebook shelf by shelf."""
    a, config = pyramid.analysis, pyramid.config
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])
    x = w.node("Transpose", w.node("Cast", "image", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    x = w.node("Sub", w.node("Mul", x, w.constant(np.float32(1 / 127.5))), w.constant(np.float32(1)))
    x = w.node("SpaceToDepth", x, blocksize=4)
    x = w.conv(x, a.stem, space_to_depth_weight(a.stem.weight.detach().numpy(), 4))
    features = {}
    for size in config.sizes:
        x = x if size == 4 else w.conv(x, a.get_submodule(f"down{size}"))
        x = features[size] = w.blocks(x, a.get_submodule(f"blocks{size}"))
    outputs: dict[str, onnx.ValueInfoProto] = {}
    for i, (stride, head) in enumerate(zip(config.strides, pyramid.heads, strict=True)):
        assert isinstance(head, LatentHead)
        weight, bias = (part.detach().numpy() for part in head.norm.folded(head.out))
        latent = w.conv(w.bend(w.conv(features[stride], head.mix)), head.out, weight, bias)
        latent = w.node("Clip", latent, w.constant(np.float32(-LIMIT)), w.constant(np.float32(LIMIT)))
        tokens, errors = _search(w, latent, pyramid.codebook)
        outputs[tokens] = helper.make_tensor_value_info(
            f"tokens_{i}", TensorProto.UINT8, [1, 2, f"h{i}", f"w{i}"]
        )
        outputs[errors] = helper.make_tensor_value_info(
            f"errors_{i}", TensorProto.FLOAT, [1, 3, f"h{i}", f"w{i}"]
        )
    return w.model("analysis", [image], outputs)


def _search(w: GraphWriter, latent: str, codebook: OrderedQuantizer) -> tuple[str, str]:
    """latent (1, D, h, w) -> tokens (1, 2, h, w) uint8 and errors (1, 3, h, w); a shelf of 256 words at a time."""
    rows = w.node("Transpose", latent, perm=[0, 2, 3, 1])
    book = codebook.codebooks[0].float().numpy()
    offsets = (book**2).sum(1) + codebook.handicaps[0].numpy()
    one, last = w.constant(np.array([1], np.int64)), w.constant(np.array([-1], np.int64))
    nearest, found = [], []
    for start in range(0, len(book), SHELF):
        similar = w.node("MatMul", rows, w.weight(-2 * book[start : start + SHELF].T))
        distance = w.node("Add", similar, w.constant(offsets[start : start + SHELF].astype(np.float32)))
        nearest.append(w.node("ReduceMin", distance, axes=[3], keepdims=1))
        found.append(w.node("ArgMin", distance, axis=3, keepdims=1))
    first = w.node("ArgMin", w.node("Concat", *nearest, axis=3), axis=3, keepdims=1)
    second = w.node("GatherElements", w.node("Concat", *found, axis=3), first, axis=3)
    index = w.node("Add", w.node("Mul", first, w.constant(np.int64(SHELF))), second)
    word = w.node("Gather", w.weight(book), w.node("Squeeze", index, last), axis=0)
    left = w.node("Sub", rows, word)
    before, after = (
        w.node("ReduceSum", w.node("Mul", part, part), last, keepdims=0) for part in (rows, left)
    )
    errors = w.node("Concat", *(w.node("Unsqueeze", e, one) for e in (before, before, after)), axis=1)
    pair = w.node("Transpose", w.node("Concat", first, second, axis=3), perm=[0, 3, 1, 2])
    return w.node("Cast", pair, to=TensorProto.UINT8), errors


def write_routed_synthesis(w: GraphWriter, pyramid: RoutedPyramid) -> onnx.ModelProto:
    """The conditional synthesis with the codebook; an extra zero codeword stands for "not sent"."""
    config, synthesis = pyramid.config, pyramid.synthesis
    finest = config.strides[-1]
    book = (
        torch.cat([pyramid.codebook.codebooks[0], torch.zeros(1, config.latent_channels[0])]).float().numpy()
    )
    words, absent = w.weight(book), w.constant(np.array(SHELF, np.int32))
    nowhere = w.constant(np.array(len(book) - 1, np.int32))
    inputs, entering, spread, levels = [], {}, [], []
    for i, stride in enumerate(config.strides):
        tokens = helper.make_tensor_value_info(f"tokens_{i}", TensorProto.INT32, [1, 2, f"h{i}", f"w{i}"])
        inputs.append(tokens)
        first, second = (
            w.node("Gather", tokens.name, w.constant(np.array(number, np.int64)), axis=1) for number in (0, 1)
        )
        is_sent = w.node("Less", first, absent)
        index = w.node("Add", w.node("Mul", first, absent), second)
        index = w.node("Where", is_sent, index, nowhere)
        codewords = w.node("Transpose", w.node("Gather", words, index, axis=0), perm=[0, 3, 1, 2])
        mask = w.node("Cast", is_sent, to=TensorProto.FLOAT)
        mask = w.node("Unsqueeze", mask, w.constant(np.array([1], np.int64)))
        entering[stride] = w.node("Concat", codewords, mask, axis=1)
        spread.append(_repeat(w, codewords, stride // finest))
        levels.append(_repeat(w, mask, stride // finest))
    guide = w.node("Concat", w.node("Sum", *spread), *levels, axis=1)
    h = ""
    for stride in config.strides:
        times = stride // finest
        here = guide
        if times > 1:
            here = w.node("AveragePool", guide, kernel_shape=[times, times], strides=[times, times])
        if not h:
            h = w.conv(here, synthesis.get_submodule(f"in{stride}"))
        else:
            h = w.upsample(h, synthesis.get_submodule(f"up{stride}"))
            if config.injection:
                h = w.node("Add", h, w.conv(entering[stride], synthesis.get_submodule(f"in{stride}")))
        for block in synthesis.get_submodule(f"blocks{stride}").children():
            assert isinstance(block, ModulatedBlock)
            h = _modulated(w, h, here, block)
    x = w.head(h, synthesis.head)
    x = w.node("Mul", w.node("Add", x, w.constant(np.float32(1))), w.constant(np.float32(127.5)))
    x = w.node("Clip", w.node("Round", x), w.constant(np.float32(0)), w.constant(np.float32(255)))
    x = w.node("Transpose", w.node("Cast", x, to=TensorProto.UINT8), perm=[0, 2, 3, 1])
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])
    return w.model("synthesis", inputs, {x: image})


def _repeat(w: GraphWriter, x: str, times: int) -> str:
    """Every position `times` times down and across."""
    if times == 1:
        return x
    scales = w.constant(np.array([1, 1, times, times], np.float32))
    return w.node("Resize", x, "", scales, mode="nearest", nearest_mode="floor", **PLACES)


def _modulated(w: GraphWriter, x: str, guide: str, block: ModulatedBlock) -> str:
    """As ModulatedBlock.forward; the 1 beside the scale goes into its bias."""
    channels = block.expand.in_channels
    weight, bias = block.modulate.weight.detach().numpy(), block.modulate.bias.detach().numpy()  # type: ignore[union-attr]
    scale = w.conv(guide, block.modulate, weight[:channels], bias[:channels] + 1)
    shift = w.conv(guide, block.modulate, weight[channels:], bias[channels:])
    mean = w.node("ReduceMean", w.node("Mul", x, x), axes=[1], keepdims=1)
    length = w.node("Sqrt", w.node("Add", mean, w.constant(np.float32(EPSILON))))
    unit = w.node("Div", x, length)
    h = w.node("Add", w.node("Mul", unit, scale), shift)
    active = w.node("Min", w.activate(w.conv(h, block.expand)), w.constant(np.float32(CEILING)))
    return w.node("Add", x, w.conv(active, block.project))
