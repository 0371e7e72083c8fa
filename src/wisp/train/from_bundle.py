"""A bundle back to a network that can be trained further: no checkpoint of its run is needed.

The bundle's graphs were written layer by layer (wisp.train.transforms_onnx). Writing the graphs of an untrained
network of the same shape again, with a writer that takes notes, tells which stored weight belongs to which layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, product

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from wisp.errors import ModelMismatch, UsageError
from wisp.runtime.bundle import Bundle
from wisp.runtime.codebooks import read_codebooks
from wisp.train.eighths import kernels_in_half_precision, wide_kernels
from wisp.train.graph import GraphWriter, pixel_unshuffle_weight
from wisp.train.networks import LatentHead, TokenPyramid
from wisp.train.quantizer import OrderedQuantizer
from wisp.train.recipe import ModelConfig
from wisp.train.transforms_onnx import write_analysis, write_synthesis

TOKENS_SEEN = (
    4096.0  # that a codebook has seen when training goes on: what the average of some hundred steps holds
)
ROUNDING = 1e-4  # squared distances: sums of the same squares may differ so much between machines


class _NotingWriter(GraphWriter):
    """Remembers under which names a convolution's weight and bias, and the offsets of distances, are stored."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[tuple[nn.Conv2d, str, str]] = []
        self.offsets: list[str] = []

    def constant(self, value: NDArray | np.generic) -> str:
        name = super().constant(value)
        if value.dtype == np.float32 and value.ndim == 1:  # weights are half as wide, other constants scalars
            self.offsets.append(name)
        return name

    def conv(
        self, x: str, layer: nn.Module, weight: NDArray | None = None, bias: NDArray | None = None
    ) -> str:
        first = len(self.weights)
        out = super().conv(x, layer, weight, bias)
        assert isinstance(layer, nn.Conv2d)
        stored_weight, stored_bias = self.weights[first:]
        self.layers.append((layer, stored_weight.name, stored_bias.name))
        return out


def network_of_bundle(bundle: Bundle, config: ModelConfig) -> TokenPyramid:
    """The network of a bundle, in evaluation mode, with weights as the bundle has them (half precision, or 8 bits).

    Latents are where the bundle's analysis puts them, so each LatentNorm starts as the identity. Codewords with a price
    are used as often as their price says, others one as often as the next. A bundle made without the recipe's
    `codeword_bound`, or with another, or without its noise or with less of it, can be started from too.

    Args:
        config: the shape that the bundle was trained in, as its recipe says.

    Raises:
        ModelMismatch: the bundle is of another shape, or has noise and the recipe none.
        UsageError: the recipe is that of a routed model, which cannot be read back.
    """
    if config.grain == "routed":
        raise UsageError(
            "expected a recipe that is not routed to start from a bundle, found one; train it from nothing"
        )
    network = TokenPyramid(config)
    offsets: list[NDArray] = []
    bounded = False
    syntheses = [partial(write_synthesis, noise=sizes) for sizes in _possible_noise(bundle, config)]
    for name, writes in (("analysis.onnx", [write_analysis]), ("synthesis.onnx", syntheses)):
        packed = onnx.load_model_from_string(bundle.content(name))
        found = kernels_in_half_precision(packed)
        read = _read_notes(found, writes, network)
        if read is None:
            raise ModelMismatch(
                f"expected {name} of {bundle.folder} to be built as the recipe says, found another"
            )
        writer, with_bound = read
        bounded = bounded or (with_bound and name == "analysis.onnx")
        stored = {part.name: numpy_helper.to_array(part) for part in found.graph.initializer}
        stored |= wide_kernels(packed)
        for layer, weight, bias in writer.layers:
            _restore(layer, stored[weight], stored[bias], layer is network.analysis.stem, name)
        offsets += [stored[offset] for offset in writer.offsets]
    books = read_codebooks(bundle)
    if books is None:
        raise ModelMismatch(f"expected codebooks in {bundle.folder}, found none; reinstall the model")
    for part, book, head in zip(network.quantizers, books, network.heads, strict=True):
        module = _quantizer(part)
        codewords = torch.from_numpy(book[:, :-1].copy())
        if codewords.shape != module.codebooks.shape:
            raise ModelMismatch(
                f"expected codebooks {tuple(module.codebooks.shape)}, found {tuple(codewords.shape)} in {bundle.folder}"
            )
        module.codebooks.copy_(codewords)
        for group, words in enumerate(book[:, :-1]):
            handicaps = offsets.pop(0) - (words**2).sum(1)
            handicaps[np.abs(handicaps) < ROUNDING] = 0
            module.handicaps[group].copy_(torch.from_numpy(handicaps))
            module.ema_counts[group].copy_(torch.from_numpy(TOKENS_SEEN * _usage(handicaps)))
            if bounded:
                offsets.pop(0)  # squared lengths alone
        module.ema_sums.copy_(codewords * module.ema_counts[..., None])
        module.initialised.fill_(True)
        assert isinstance(head, LatentHead)
        head.norm.initialised.fill_(True)
    return network.eval()


def _possible_noise(bundle: Bundle, config: ModelConfig) -> list[tuple[int, ...]]:
    """At which sizes a bundle may have noise, if its recipe was at most this one's; the most likely first."""
    if not bundle.config.noise:
        return [()]
    if not config.noise:
        raise ModelMismatch(
            f"expected a recipe with noise, as {bundle.folder} has it, found one without; write noise = "
            "[2, 4], or what it was trained with"
        )
    return [sizes for n in range(len(config.noise), 0, -1) for sizes in combinations(config.noise, n)]


def _read_notes(
    found: onnx.ModelProto,
    writes: Sequence[Callable[[GraphWriter, TokenPyramid], onnx.ModelProto]],
    network: TokenPyramid,
) -> tuple[_NotingWriter, bool] | None:
    """The notes of writing `network` as `found` was written, and whether that was with a bound on codewords.

    Of ways that need the same nodes, one whose weights have the shapes that were found comes first.
    """
    bounds = [_quantizer(module).bound for module in network.quantizers]
    alike: list[tuple[_NotingWriter, bool]] = []
    try:
        for bound, write in product((0.0, 1.0), writes):
            for module in network.quantizers:
                _quantizer(module).bound = bound
            writer = _NotingWriter()
            wanted = write(writer, network)
            if [n.op_type for n in found.graph.node] == [n.op_type for n in wanted.graph.node]:
                if _shapes(found) == _shapes(wanted):
                    return writer, bound > 0
                alike.append((writer, bound > 0))
    finally:
        for module, bound in zip(network.quantizers, bounds, strict=True):
            _quantizer(module).bound = bound
    return alike[0] if alike else None


def _shapes(model: onnx.ModelProto) -> list[tuple[int, ...]]:
    return [tuple(part.dims) for part in model.graph.initializer]


def _quantizer(module: nn.Module) -> OrderedQuantizer:
    assert isinstance(module, OrderedQuantizer)
    return module


def _usage(handicaps: NDArray) -> NDArray[np.float32]:
    """Shares of the codewords (K,), from handicaps (K,) that are code lengths but for a factor; they sum to 1."""
    if handicaps.min() <= 0:  # no prices, or so small ones that they say nothing
        return np.full(len(handicaps), 1 / len(handicaps), np.float32)
    low, high = 1e-9, 1e9
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if np.exp2(-handicaps / middle).sum() < 1 else (low, middle)
    shares = np.exp2(-handicaps.astype(np.float64) / high)
    return np.asarray(shares / shares.sum(), np.float32)


@torch.no_grad()
def _restore(layer: nn.Conv2d, weight: NDArray, bias: NDArray, is_stem: bool, name: str) -> None:
    value = weight.astype(np.float32)
    if is_stem and value.shape == tuple(layer.weight.shape):
        value = pixel_unshuffle_weight(value, 4)
    if value.shape != tuple(layer.weight.shape):
        raise ModelMismatch(f"expected a layer {tuple(layer.weight.shape)} in {name}, found {value.shape}")
    assert layer.bias is not None
    layer.weight.copy_(torch.from_numpy(value))
    layer.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
