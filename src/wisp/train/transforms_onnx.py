"""The two networks of a bundle as ONNX: pixels to tokens, and tokens to pixels.

analysis:  image (1, H, W, 3) uint8, H and W multiples of the coarsest stride
           -> tokens_i (1, G, h, w) uint8 and errors_i (1, G + 1, h, w) float32 for each level i;
           errors hold the squared distance of the latent to the sum of its first 0..G codewords.
synthesis: tokens_i (1, G, h, w) int32, 256 where not sent -> image (1, H, W, 3) uint8. One with noise takes origin (2,)
           int64 too: the row and column of the picture at which the tokens begin, multiples of the coarsest stride.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from wisp.train.graph import GraphWriter, space_to_depth_weight
from wisp.train.latent_norm import LIMIT
from wisp.train.networks import ContextUp, LatentHead, TokenPyramid
from wisp.train.pyramids import PyramidNetwork
from wisp.train.quantizer import OrderedQuantizer
from wisp.train.routed_networks import RoutedPyramid
from wisp.train.routed_onnx import write_routed_analysis, write_routed_synthesis


def _nearest(writer: GraphWriter, similar: str, offsets: NDArray) -> str:
    """Index (1, h, w) of the codeword with the least `offsets` (K,) + `similar` (1, h, w, K)."""
    distance = writer.node("Add", similar, writer.constant(offsets))
    return writer.node("ArgMin", distance, axis=3, keepdims=0)


def _bounded(
    writer: GraphWriter, residual: str, codewords: str, priced: str, close: str, bound: float
) -> str:
    """`priced` where its squared distance is at most `bound` times that of `close`, else `close`: (1, h, w) all."""
    axis = writer.constant(np.array([-1], np.int64))
    errors = []
    for index in (priced, close):
        left = writer.node("Sub", residual, writer.node("Gather", codewords, index, axis=0))
        errors.append(writer.node("ReduceSum", writer.node("Mul", left, left), axis, keepdims=0))
    limit = writer.node("Mul", errors[1], writer.constant(np.float32(bound)))
    return writer.node("Where", writer.node("Greater", errors[0], limit), close, priced)


def _quantize(writer: GraphWriter, latent: str, quantizer: OrderedQuantizer) -> tuple[str, str, str]:
    """latent (1, D, h, w) -> tokens (1, G, h, w) uint8, errors (1, G + 1, h, w), the full sum (1, D, h, w)."""
    axis = writer.constant(np.array([-1], np.int64))
    residual = writer.node("Transpose", latent, perm=[0, 2, 3, 1])
    rows = residual
    tokens, errors = [], []
    for group in range(quantizer.groups):
        errors.append(writer.node("ReduceSum", writer.node("Mul", residual, residual), axis, keepdims=0))
        book = quantizer.codebooks[group].float().numpy()
        similar = writer.node("MatMul", residual, writer.weight(-2 * book.T))
        lengths = (book**2).sum(1)
        index = _nearest(writer, similar, lengths + quantizer.handicaps[group].numpy())
        codewords = writer.weight(book)
        if quantizer.bound:
            close = _nearest(writer, similar, lengths)
            index = _bounded(writer, residual, codewords, index, close, quantizer.bound)
        residual = writer.node("Sub", residual, writer.node("Gather", codewords, index, axis=0))
        tokens.append(writer.node("Cast", index, to=TensorProto.UINT8))
    errors.append(writer.node("ReduceSum", writer.node("Mul", residual, residual), axis, keepdims=0))
    total = writer.node("Transpose", writer.node("Sub", rows, residual), perm=[0, 3, 1, 2])
    one = writer.constant(np.array([1], np.int64))
    stacked = [
        writer.node("Concat", *(writer.node("Unsqueeze", t, one) for t in part), axis=1)
        for part in (tokens, errors)
    ]
    return stacked[0], stacked[1], total


def analysis_onnx(pyramid: PyramidNetwork, half: bool = True) -> onnx.ModelProto:
    """The analysis network with its quantizers."""
    if isinstance(pyramid, RoutedPyramid):
        return write_routed_analysis(GraphWriter(half), pyramid)
    return write_analysis(GraphWriter(half), pyramid)


def synthesis_onnx(pyramid: PyramidNetwork, half: bool = True) -> onnx.ModelProto:
    """The synthesis network with its codebooks; an extra zero codeword stands for "not sent"."""
    if isinstance(pyramid, RoutedPyramid):
        return write_routed_synthesis(GraphWriter(half), pyramid)
    return write_synthesis(GraphWriter(half), pyramid)


def write_analysis(w: GraphWriter, pyramid: TokenPyramid) -> onnx.ModelProto:
    """The analysis network by a writer, layer by layer in the order of the data."""
    a = pyramid.analysis
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])
    x = w.node("Transpose", w.node("Cast", "image", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    x = w.node("Sub", w.node("Mul", x, w.constant(np.float32(1 / 127.5))), w.constant(np.float32(1)))
    x = w.node("SpaceToDepth", x, blocksize=4)
    x = w.conv(x, a.stem, space_to_depth_weight(a.stem.weight.detach().numpy(), 4))
    config = pyramid.config
    features = {}
    for size in config.sizes:
        x = x if size == 4 else w.conv(x, a.get_submodule(f"down{size}"))
        x = features[size] = w.blocks(x, a.get_submodule(f"blocks{size}"))
    outputs: dict[str, onnx.ValueInfoProto] = {}
    context: str | None = None
    for i, stride in enumerate(config.strides):
        head, quantizer = pyramid.heads[i], pyramid.quantizers[i]
        assert isinstance(head, LatentHead)
        assert isinstance(quantizer, OrderedQuantizer)
        here = features[stride]
        mixed = here if context is None else w.node("Concat", here, context, axis=1)
        weight, bias = (part.detach().numpy() for part in head.norm.folded(head.out))
        latent = w.conv(w.bend(w.conv(mixed, head.mix)), head.out, weight, bias)
        latent = w.node("Clip", latent, w.constant(np.float32(-LIMIT)), w.constant(np.float32(LIMIT)))
        tokens, errors, total = _quantize(w, latent, quantizer)
        sizes: list[int | str | None] = [1, quantizer.groups, f"h{i}", f"w{i}"]
        outputs[tokens] = helper.make_tensor_value_info(f"tokens_{i}", TensorProto.UINT8, sizes)
        sizes = [1, quantizer.groups + 1, f"h{i}", f"w{i}"]
        outputs[errors] = helper.make_tensor_value_info(f"errors_{i}", TensorProto.FLOAT, sizes)
        if i < len(pyramid.contexts):
            known = total if context is None else w.node("Concat", context, total, axis=1)
            up = pyramid.contexts[i]
            assert isinstance(up, ContextUp)
            context = w.upsample(w.bend(w.conv(known, up.conv)), up.up)
    return w.model("analysis", [image], outputs)


def write_synthesis(
    w: GraphWriter, pyramid: TokenPyramid, noise: tuple[int, ...] | None = None
) -> onnx.ModelProto:
    """The synthesis network by a writer, layer by layer in the order of the data; with `noise` only at those sizes."""
    s = pyramid.synthesis
    noise = pyramid.config.noise if noise is None else noise
    origin = "origin" if noise else ""
    inputs, entries = [], {}
    absent = w.constant(np.array(pyramid.config.codebook_size, np.int32))
    for i, module in enumerate(pyramid.quantizers):
        assert isinstance(module, OrderedQuantizer)
        tokens = helper.make_tensor_value_info(
            f"tokens_{i}", TensorProto.INT32, [1, module.groups, f"h{i}", f"w{i}"]
        )
        inputs.append(tokens)
        total = ""
        for group in range(module.groups):
            book = torch.cat([module.codebooks[group], torch.zeros(1, module.channels)]).float().numpy()
            plane = w.node("Gather", tokens.name, w.constant(np.array(group, np.int64)), axis=1)
            codeword = w.node("Gather", w.weight(book), plane, axis=0)
            total = codeword if not total else w.node("Add", total, codeword)
        mask = w.node("Cast", w.node("Less", tokens.name, absent), to=TensorProto.FLOAT)
        entry = w.node("Concat", w.node("Transpose", total, perm=[0, 3, 1, 2]), mask, axis=1)
        entries[pyramid.config.strides[i]] = entry
    h = ""
    for size in reversed(pyramid.config.sizes):
        up = w.upsample(h, s.get_submodule(f"up{size}")) if h else ""
        own = w.conv(entries[size], s.get_submodule(f"in{size}")) if size in entries else ""
        h = w.node("Add", up, own) if up and own else up or own
        if size in noise:
            h = w.noise(h, s.get_submodule(f"noise{size}"), origin)
        h = w.blocks(h, s.get_submodule(f"blocks{size}"))
    if origin:
        inputs.append(helper.make_tensor_value_info(origin, TensorProto.INT64, [2]))
    x = w.head(h, s.head, origin if 2 in noise else "")
    x = w.node("Mul", w.node("Add", x, w.constant(np.float32(1))), w.constant(np.float32(127.5)))
    x = w.node("Clip", w.node("Round", x), w.constant(np.float32(0)), w.constant(np.float32(255)))
    x = w.node("Transpose", w.node("Cast", x, to=TensorProto.UINT8), perm=[0, 2, 3, 1])
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])
    return w.model("synthesis", inputs, {x: image})
