"""A price on shifted colours, and a bound on what a cheap codeword may cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from test_from_bundle import write_graphs
from tiny_bundle import tiny_recipe

from wisp.errors import UsageError
from wisp.runtime import Bundle
from wisp.train.colour_loss import shift_power
from wisp.train.from_bundle import _usage, network_of_bundle
from wisp.train.networks import TokenPyramid
from wisp.train.quantizer import OrderedQuantizer
from wisp.train.transforms_onnx import analysis_onnx, synthesis_onnx
from wisp.train.verify import example_picture


def test_a_shift_is_seen_and_texture_is_not() -> None:
    torch.manual_seed(0)
    x = torch.zeros(2, 3, 128, 64)
    shifted = x.clone()
    shifted[0, 1, :64] = 0.1  # one channel of one of two windows
    assert torch.allclose(shift_power(x, shifted), torch.tensor([0.01 / 6, 0.0]))
    noise = torch.randn_like(x)
    assert float(shift_power(x, noise).max()) < 3 / 4096


def test_a_cheap_codeword_is_taken_within_the_bound_only() -> None:
    quantizer = OrderedQuantizer(2, 1, 4, bound=4.0)
    quantizer.codebooks.copy_(torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]]))
    quantizer.handicaps.copy_(torch.tensor([[0.0, 10.0, 10.0, 10.0]]))
    looked_for = torch.tensor([[0.6, 0.0], [0.9, 0.0], [0.0, 0.66], [0.0, 0.67]])
    assert quantizer.nearest(looked_for, 0).tolist() == [0, 1, 0, 2]  # 0.36 <= 4 x 0.16, 0.81 > 4 x 0.01, ...
    quantizer.bound = 0.0
    assert quantizer.nearest(looked_for, 0).tolist() == [0, 0, 0, 0]


def test_the_graph_chooses_as_the_network_does() -> None:
    """And the bound matters: without it other tokens come out."""
    torch.manual_seed(2)
    network = TokenPyramid(replace(tiny_recipe().model, codeword_bound=4.0)).eval()
    for quantizer in network.quantizers:
        assert isinstance(quantizer, OrderedQuantizer)
        quantizer.handicaps.copy_(20 * torch.rand(quantizer.handicaps.shape))
    network.settle()
    picture = example_picture(64, 96)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        wanted = [level.tokens[0].permute(2, 0, 1).numpy() for level in network.encode(x)]
    session = onnxruntime.InferenceSession(analysis_onnx(network).SerializeToString())
    names = [f"tokens_{i}" for i in range(len(wanted))]
    found = [tokens[0] for tokens in session.run(names, {"image": picture[None]})]
    same = [float((w == f).mean()) for w, f in zip(wanted, found, strict=True)]
    assert min(same) > 0.97  # a tie or two between machines' sums
    for quantizer in network.quantizers:
        quantizer.bound = 0.0  # type: ignore[assignment]
    with torch.no_grad():
        free = [level.tokens[0].permute(2, 0, 1).numpy() for level in network.encode(x)]
    assert any(not np.array_equal(w, f) for w, f in zip(wanted, free, strict=True))


def test_usage_comes_back_from_prices() -> None:
    usage = np.random.default_rng(1).dirichlet(np.ones(256))
    handicaps = (-0.37 * np.log2(usage)).astype(np.float32)
    assert np.allclose(_usage(handicaps), usage, atol=1e-4)
    assert np.allclose(_usage(np.zeros(256, np.float32)), 1 / 256)
    handicaps[7] = 0  # so small that it was taken for none: nothing is said, and nothing may starve
    assert np.allclose(_usage(handicaps), 1 / 256)


@pytest.mark.parametrize("bound", [-1.0, 0.5, float("nan"), float("inf")])
def test_bounds_that_mean_nothing(bound: float) -> None:
    with pytest.raises(UsageError, match="codeword_bound"):
        replace(tiny_recipe().model, codeword_bound=bound)


def test_a_bundle_with_and_without_a_bound_can_be_started_from(tiny_model: Path, tmp_path: Path) -> None:
    config = tiny_recipe().model
    bounded = replace(config, codeword_bound=4.0)
    network = network_of_bundle(Bundle(tiny_model), bounded)
    assert all(quantizer.bound == 4.0 for quantizer in network.quantizers)
    for quantizer in network.quantizers:
        quantizer.handicaps.copy_(torch.rand(4, 256) + 0.1)  # type: ignore[operator, union-attr]
    write_graphs(
        tmp_path, {"analysis.onnx": analysis_onnx(network), "synthesis.onnx": synthesis_onnx(network)}
    )
    for shape in (config, bounded):
        again = network_of_bundle(Bundle(tmp_path), shape)
        for one, two in zip(network.quantizers, again.quantizers, strict=True):
            assert torch.allclose(one.handicaps, two.handicaps, atol=1e-4)  # type: ignore[arg-type]
            assert torch.equal(one.codebooks, two.codebooks)  # type: ignore[arg-type]
