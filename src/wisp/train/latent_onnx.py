"""The two networks of a latent codec's bundle as ONNX, kernels in 8 bits.

grid:    analysis: image (1, H, W, 3) uint8, sides multiples of 8 -> latent (1, C, H / 8, W / 8) float32 in steps
         synthesis: levels (1, C, h, w) int32, -32768 where not sent -> image (1, 8h, 8w, 3) uint8
vector:  analysis: image (1, S, S, 3) uint8 -> latent (1, n) float32
         synthesis: latent (1, n) float32, log_step (1, 1) float32 -> image (1, S, S, 3) uint8
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from torch import nn

from wisp.codecs.latent_grid import ABSENT
from wisp.train.graph import GraphWriter, space_to_depth_weight
from wisp.train.latent_networks import (
    GridAnalysis,
    GridAutoencoder,
    GridSynthesis,
    LatentNetwork,
    VectorAnalysis,
    VectorAutoencoder,
    VectorSynthesis,
)


def latent_analysis_onnx(network: LatentNetwork) -> onnx.ModelProto:
    """Pixels to latent."""
    w = GraphWriter(eighth=True)
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])
    x = w.node("Transpose", w.node("Cast", "image", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    x = w.node("Sub", w.node("Mul", x, w.constant(np.float32(1 / 127.5))), w.constant(np.float32(1)))
    x = w.node("SpaceToDepth", x, blocksize=4)
    a = network.analysis
    x = w.conv(x, a.stem, space_to_depth_weight(a.stem.weight.detach().numpy(), 4))
    x = w.blocks(w.conv(w.blocks(x, a.blocks4), a.down8), a.blocks8)
    if isinstance(a, VectorAnalysis):
        x = w.conv(w.blocks(w.conv(x, a.down16), a.blocks16), a.down32)
    gain = a.log_gain.detach().exp().numpy()
    assert a.out.bias is not None
    weight = a.out.weight.detach().numpy() * gain[:, None, None, None]
    x = w.conv(x, a.out, weight, a.out.bias.detach().numpy() * gain)
    sizes: list[int | str] = [1, len(gain), "h", "w"]
    if isinstance(a, VectorAnalysis):
        x = w.node("Flatten", x, axis=1)
        sizes = [1, len(gain)]
    else:
        assert isinstance(a, GridAnalysis)
    return w.model(
        "analysis", [image], {x: helper.make_tensor_value_info("latent", TensorProto.FLOAT, sizes)}
    )


def latent_synthesis_onnx(network: LatentNetwork) -> onnx.ModelProto:
    """Latent to pixels."""
    return write_latent_synthesis(GraphWriter(eighth=True), network)


def write_latent_synthesis(w: GraphWriter, network: LatentNetwork) -> onnx.ModelProto:
    """The synthesis by a writer, layer by layer in the order of the data."""
    if isinstance(network, GridAutoencoder):
        inputs, x = _grid_entry(w, network.synthesis)
    else:
        assert isinstance(network, VectorAutoencoder)
        inputs, x = _vector_entry(w, network.synthesis)
    s = network.synthesis
    x = w.head(w.blocks(w.upsample(x, s.up4), s.blocks4), s.head)
    x = w.node("Mul", w.node("Add", x, w.constant(np.float32(1))), w.constant(np.float32(127.5)))
    x = w.node("Clip", w.node("Round", x), w.constant(np.float32(0)), w.constant(np.float32(255)))
    x = w.node("Transpose", w.node("Cast", x, to=TensorProto.UINT8), perm=[0, 2, 3, 1])
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])
    return w.model("synthesis", inputs, {x: image})


def _without_gain(layer: nn.Conv2d, log_gain: np.ndarray) -> np.ndarray:
    """A weight that takes latents in steps; the last input channel, no latent, is as it was."""
    weight: np.ndarray = layer.weight.detach().numpy().copy()
    weight[:, :-1] /= np.exp(log_gain)[None, :, None, None]
    return weight


def _grid_entry(w: GraphWriter, s: nn.Module) -> tuple[list[onnx.ValueInfoProto], str]:
    assert isinstance(s, GridSynthesis)
    channels = len(s.log_gain)
    levels = helper.make_tensor_value_info("levels", TensorProto.INT32, [1, channels, "h", "w"])
    is_sent = w.node("Greater", "levels", w.constant(np.array(ABSENT, np.int32)))
    y = w.node("Where", is_sent, "levels", w.constant(np.array(0, np.int32)))
    share = w.node(
        "ReduceMean", w.node("Cast", is_sent, to=TensorProto.FLOAT), axes=[1], keepdims=1
    )  # the same everywhere
    x = w.node("Concat", w.node("Cast", y, to=TensorProto.FLOAT), share, axis=1)
    x = w.conv(x, s.in8, _without_gain(s.in8, s.log_gain.detach().numpy()))
    return [levels], w.blocks(x, s.blocks8)


def _vector_entry(w: GraphWriter, s: nn.Module) -> tuple[list[onnx.ValueInfoProto], str]:
    assert isinstance(s, VectorSynthesis)
    inputs = [
        helper.make_tensor_value_info("latent", TensorProto.FLOAT, [1, len(s.log_gain)]),
        helper.make_tensor_value_info("log_step", TensorProto.FLOAT, [1, 1]),
    ]
    axes = w.constant(np.array([2, 3], np.int64))
    x = w.node("Unsqueeze", w.node("Concat", "latent", "log_step", axis=1), axes)
    x = w.conv(x, s.spread, _without_gain(s.spread, s.log_gain.detach().numpy()))
    x = w.node("DepthToSpace", x, blocksize=s.shuffle.upscale_factor, mode="CRD")
    x = w.blocks(w.upsample(x, s.up16), s.blocks16)
    return inputs, w.blocks(w.upsample(x, s.up8), s.blocks8)
