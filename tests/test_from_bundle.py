"""A bundle's weights back in a network that trains on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from PIL import Image
from tiny_bundle import tiny_recipe

from wisp.errors import ModelMismatch
from wisp.runtime import Bundle, find_bundle
from wisp.runtime.bundle_config import CONFIG_FORMAT
from wisp.train.eighths import kernels_in_half_precision
from wisp.train.export import write_config
from wisp.train.from_bundle import network_of_bundle
from wisp.train.graph import pixel_unshuffle_weight, space_to_depth_weight
from wisp.train.networks import TokenPyramid
from wisp.train.pyramid_trainer import PyramidTrainer
from wisp.train.recipe import load_recipe
from wisp.train.run_options import RunOptions
from wisp.train.transforms_onnx import analysis_onnx, synthesis_onnx
from wisp.train.verify import example_picture as make_picture

RECIPE = Path(__file__).parent.parent / "recipes" / "wisp_small.toml"


def test_the_released_files_come_out_again() -> None:
    bundle = find_bundle("wisp_small")
    network = network_of_bundle(bundle, load_recipe(RECIPE).model)
    for name, graph in (
        ("analysis.onnx", analysis_onnx(network)),
        ("synthesis.onnx", synthesis_onnx(network)),
    ):
        stored = onnx.load_model(bundle.folder / name)  # with large kernels in 8 bits
        wide = kernels_in_half_precision(stored)
        assert wide is not stored
        assert graph.SerializeToString() == wide.SerializeToString()


def test_reordering_a_weight_is_undone() -> None:
    weight = torch.randn(5, 48, 3, 3).numpy()
    assert (pixel_unshuffle_weight(space_to_depth_weight(weight, 4), 4) == weight).all()


def test_a_bundle_of_another_shape_is_refused(tiny_model: Path) -> None:
    config = tiny_recipe().model
    with pytest.raises(ModelMismatch, match="as the recipe says"):
        network_of_bundle(Bundle(tiny_model), replace(config, analysis_blocks=(1, 2, 1, 1)))
    with pytest.raises(ModelMismatch, match="expected a layer"):
        network_of_bundle(Bundle(tiny_model), replace(config, widths=(8, 8, 16, 24)))


def test_a_run_starts_where_the_bundle_stands(tiny_model: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(make_picture(80, 100)).save(pictures / "0.png")
    options = RunOptions(pictures, tmp_path / "run", minutes=1, device="cpu", threads=1)
    started = PyramidTrainer(tiny_recipe(), replace(options, start=tiny_model)).average.state_dict()
    known = network_of_bundle(Bundle(tiny_model), tiny_recipe().model).state_dict()
    random = PyramidTrainer(tiny_recipe(), options).average.state_dict()
    assert all(torch.equal(started[name], known[name]) for name in known)
    assert not all(torch.equal(started[name], random[name]) for name in known)


def test_handicaps_travel_with_a_bundle(tmp_path: Path) -> None:
    config = tiny_recipe().model
    torch.manual_seed(1)
    network = TokenPyramid(config).eval()
    network.settle()
    wanted = []
    for quantizer in network.quantizers:
        quantizer.handicaps.copy_(3 * torch.rand(4, 256))  # type: ignore[operator, union-attr]
        wanted.append(quantizer.handicaps.clone())  # type: ignore[operator, union-attr]
    write_graphs(
        tmp_path, {"analysis.onnx": analysis_onnx(network), "synthesis.onnx": synthesis_onnx(network)}
    )
    found = network_of_bundle(Bundle(tmp_path), config)
    for quantizer, handicaps in zip(found.quantizers, wanted, strict=True):
        assert torch.allclose(quantizer.handicaps, handicaps, atol=1e-4)  # type: ignore[arg-type]


def write_graphs(folder: Path, graphs: Mapping[str, onnx.ModelProto]) -> None:
    """As much of a bundle as a network is read from."""
    for name, model in graphs.items():
        (folder / name).write_bytes(model.SerializeToString())
    write_config(
        folder,
        {
            "format": CONFIG_FORMAT,
            "name": "t",
            "model_number": 0,
            "codec": "token_pyramid",
            "strides": [32, 16, 8],
            "groups": [4, 4, 4],
            "contexts": [[]] * 12,
            "allocation": {},
        },
    )
