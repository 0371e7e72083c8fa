"""A latent vector's bundle back to its generator in PyTorch, through which gradients pass.

Kernels are as the bundle has them, in 8 bits, so that what an inversion sees is what a reader will.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from wisp.errors import ModelMismatch
from wisp.runtime.bundle import Bundle
from wisp.train.graph import GraphWriter
from wisp.train.latent_configs import VectorConfig
from wisp.train.latent_networks import VectorAutoencoder, VectorSynthesis
from wisp.train.latent_onnx import write_latent_synthesis


class _NotingWriter(GraphWriter):
    """Remembers under which names a convolution's levels, scales and bias are stored."""

    def __init__(self) -> None:
        super().__init__(eighth=True)
        self.layers: list[tuple[nn.Conv2d, tuple[str, ...]]] = []

    def conv(
        self, x: str, layer: nn.Module, weight: np.ndarray | None = None, bias: np.ndarray | None = None
    ) -> str:
        first = len(self.weights)
        out = super().conv(x, layer, weight, bias)
        assert isinstance(layer, nn.Conv2d)
        self.layers.append((layer, tuple(part.name for part in self.weights[first:])))
        return out


def generator_of_bundle(bundle: Bundle, config: VectorConfig) -> VectorSynthesis:
    """The generator of a bundle, frozen, in evaluation mode; latents are in the units of its files.

    Args:
        config: the shape that the bundle was trained in, as its recipe says.

    Raises:
        ModelMismatch: the bundle is of another shape.
    """
    network = VectorAutoencoder(config)
    with torch.no_grad():
        network.synthesis.log_gain.zero_()
    writer = _NotingWriter()
    wanted = write_latent_synthesis(writer, network)
    found = onnx.load_model_from_string(bundle.content("synthesis.onnx"))
    stored = {part.name: numpy_helper.to_array(part) for part in found.graph.initializer}
    if [n.op_type for n in found.graph.node] != [n.op_type for n in wanted.graph.node]:
        raise ModelMismatch(f"expected a generator as the recipe says in {bundle.folder}, found another")
    if not {name for _, names in writer.layers for name in names} <= set(stored):
        raise ModelMismatch(
            f"expected a generator as the recipe says in {bundle.folder}, found other weights"
        )
    for layer, (levels, scales, bias) in writer.layers:
        value = stored[levels].astype(np.float32) * stored[scales]
        if value.shape != tuple(layer.weight.shape):
            raise ModelMismatch(
                f"expected a layer {tuple(layer.weight.shape)} in {bundle.folder}, found {value.shape}"
            )
        assert layer.bias is not None
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(value))
            layer.bias.copy_(torch.from_numpy(stored[bias].astype(np.float32)))
    return network.synthesis.eval().requires_grad_(False)
