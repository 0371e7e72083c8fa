"""Networks of other pyramids than the default: what follows from the strides, and what must not change."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from wisp.errors import UsageError
from wisp.tokens.stages import TILE
from wisp.train.depths import SPARSE_SHARE, depths_for, sample_uniform_depths
from wisp.train.networks import TokenPyramid
from wisp.train.preview import preview_depths
from wisp.train.quantizer import OrderedQuantizer
from wisp.train.recipe import ModelConfig, load_recipe
from wisp.train.transforms_onnx import analysis_onnx, synthesis_onnx

RECIPES = Path(__file__).parent.parent / "recipes"


def small(strides: tuple[int, ...], **others: object) -> ModelConfig:
    count = len(strides)
    sizes = {32: 4, 16: 3, 8: 2, 4: 1}[strides[0]]
    table = {
        "strides": strides,
        "groups": (2,) * count,
        "latent_channels": (4,) * count,
        "kinds": ("product",) * count,
        "widths": (8, 8, 12, 16)[:sizes],
        "analysis_blocks": (1,) * sizes,
        "synthesis_blocks": (1,) * sizes,
        **others,
    }
    return ModelConfig(**table)  # type: ignore[arg-type]


@pytest.mark.parametrize("strides", [(32,), (16,), (4,), (32, 16), (16, 8), (16, 8, 4), (32, 16, 8, 4)])
def test_every_run_of_strides_is_a_network_and_two_graphs(strides: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = TokenPyramid(small(strides)).eval()
    x = torch.rand(1, 3, 64, 96) * 2 - 1
    levels = model.encode(x)
    assert [tuple(level.tokens.shape[1:3]) for level in levels] == [(64 // s, 96 // s) for s in strides]
    depth = torch.full((1, 64 // strides[0], 96 // strides[0]), 2 * len(strides))
    shown = ((model.decode(levels, depth) + 1) * 127.5).round().clamp(0, 255)[0].permute(1, 2, 0)
    image = ((x + 1) * 127.5).round()[0].permute(1, 2, 0).numpy().astype(np.uint8)[None]
    analysis = onnxruntime.InferenceSession(analysis_onnx(model, half=False).SerializeToString())
    found = dict(
        zip([o.name for o in analysis.get_outputs()], analysis.run(None, {"image": image}), strict=True)
    )
    exact = model.encode(torch.from_numpy(image).permute(0, 3, 1, 2) / 127.5 - 1)
    for i, level in enumerate(exact):
        agree = found[f"tokens_{i}"][0] == level.tokens[0].permute(2, 0, 1).numpy()
        assert agree.mean() > 0.98
        assert found[f"errors_{i}"].shape[1] == 3
    synthesis = onnxruntime.InferenceSession(synthesis_onnx(model, half=False).SerializeToString())
    feeds = {
        f"tokens_{i}": level.tokens.permute(0, 3, 1, 2).numpy().astype(np.int32)
        for i, level in enumerate(levels)
    }
    decoded = synthesis.run(None, feeds)[0][0]
    assert np.abs(decoded.astype(int) - shown.detach().numpy()).max() <= 1


def test_what_is_coarser_than_the_coarsest_stride_does_not_exist() -> None:
    names = set(TokenPyramid(small((16,))).state_dict())
    assert not any("32" in name or "contexts" in name for name in names)
    assert "synthesis.in16.weight" in names


def test_the_default_network_keeps_its_names_and_its_bytes() -> None:
    torch.manual_seed(0)
    config = load_recipe(RECIPES / "wisp_small.toml").model
    assert isinstance(config, ModelConfig)
    model = TokenPyramid(replace(config, codeword_bound=0.0, noise=())).eval()
    parameters = [name for name, _ in model.named_parameters()]
    assert len(parameters) == 100
    names = hashlib.sha256("\n".join(parameters).encode()).hexdigest()[:16]
    assert names == "a2d6b674190cbd14"
    assert listed_nodes(model) == "809b946c9002148f"
    bounded = TokenPyramid(replace(config, noise=())).eval()
    assert listed_nodes(bounded) == "9d29eb20907f0603"  # with the bound on codewords
    for noise, count, names_hash, nodes_hash in (  # that of model 8; that of model 9
        ((2, 4), 108, "84a6413c6f4b3496", "a44f08c9f35b0505"),
        ((2, 4, 8, 16), 116, "58b78a423777d9f7", "fe10885535e016b1"),
    ):
        noisy = TokenPyramid(replace(config, noise=noise)).eval()
        parameters = [name for name, _ in noisy.named_parameters()]
        assert len(parameters) == count
        names = hashlib.sha256("\n".join(parameters).encode()).hexdigest()[:16]
        assert (names, listed_nodes(noisy)) == (names_hash, nodes_hash)
    assert config.noise == (2, 4, 8, 16)


def listed_nodes(model: TokenPyramid) -> str:
    """A hash of what the graphs compute."""
    nodes = [analysis_onnx(model).graph, synthesis_onnx(model).graph]
    listed = "\n".join(
        f"{n.op_type} {','.join(n.input)} {n.output[0]}" for graph in nodes for n in graph.node
    )
    return hashlib.sha256(listed.encode()).hexdigest()[:16]


@pytest.mark.parametrize("strides", [(), (8, 16), (32, 8), (64, 32), (16, 8, 2), (16, 16)])
def test_strides_that_are_no_run_are_refused(strides: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="expected strides to be neighbours"):
        ModelConfig(strides=strides)


@pytest.mark.parametrize(
    "change",
    [{"widths": (8, 8)}, {"analysis_blocks": (1, 1, 1, 1)}, {"grain": "coarse"}, {"codebook_size": 512}],
)
def test_shapes_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        small((16,), **change)


def test_uniform_depths_are_one_a_crop_at_whole_ranks_of_the_tile() -> None:
    kind, depth = sample_uniform_depths(400, 9, 6, 8, torch.Generator().manual_seed(0))
    ranks = np.tile(TILE, (3, 2))[:9, :6]
    sparse = 0
    for number, crop in zip(kind.tolist(), depth.numpy(), strict=True):
        deep = crop.max()
        kept = ranks[crop == deep].max() + 1
        assert np.array_equal(crop, np.where(ranks < kept, deep, 0))
        assert (number - 1) % 8 + 1 == deep
        assert (number > 8) == bool((crop == 0).any())
        sparse += number > 8
    assert abs(sparse / 400 - SPARSE_SHARE) < 0.06
    assert set(((kind - 1) % 8 + 1).tolist()) == set(range(1, 9))


def test_a_model_of_uniform_grain_trains_at_uniform_depths() -> None:
    config = small((16, 8), grain="uniform")
    _, depth = depths_for(torch.rand(3, 3, 64, 64), config)
    assert depth.shape == (3, 4, 4)
    assert all(len(set(crop.ravel().tolist()) - {0}) == 1 for crop in depth)


def test_regions_follow_from_the_coarsest_stride() -> None:
    _, depth = depths_for(torch.rand(2, 3, 64, 96), small((16, 8)))
    assert depth.shape == (2, 4, 6)
    assert int(depth.min()) >= 1


def test_without_quantization_product_groups_still_own_their_channels() -> None:
    latent = torch.randn(1, 8, 2, 2)
    depth = torch.full((1, 1, 2, 2), 1)
    product = OrderedQuantizer(8, 2, 256, "product").bypass(latent).straight_through(depth)
    assert torch.equal(product[:, :4], latent[:, :4])
    assert not product[:, 4:].any()
    assert torch.equal(OrderedQuantizer(8, 2).bypass(latent).straight_through(depth), latent)


@pytest.mark.parametrize(
    ("groups", "depths"), [((8,), (2, 4, 8)), ((4, 4, 4), (1, 2, 4, 5, 6, 8, 9, 10, 12))]
)
def test_previews_take_a_quarter_half_and_all_of_each_level(
    groups: tuple[int, ...], depths: tuple[int, ...]
) -> None:
    assert preview_depths(groups) == depths
