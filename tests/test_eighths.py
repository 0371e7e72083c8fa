"""Networks whose large kernels are stored in 8 bits."""

from __future__ import annotations

import json
import shutil
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_bundle import tiny_bundle, tiny_recipe, tiny_routed_recipe

import wisp
from wisp.codecs.pyramid_networks import analyse
from wisp.errors import ModelMismatch
from wisp.runtime import Bundle, find_bundle
from wisp.train import eighths, replace_synthesis
from wisp.train.eighths import (
    analysis_bytes,
    has_eight_bits,
    kernels_in_eight_bits,
    kernels_in_half_precision,
    round_analysis,
)
from wisp.train.export import export_bundle, write_config
from wisp.train.export_options import ExportOptions
from wisp.train.from_bundle import network_of_bundle
from wisp.train.graph import without_names
from wisp.train.recipe import Recipe, load_recipe
from wisp.train.verify import example_picture, verify_bundle

RECIPE = Path(__file__).parent.parent / "recipes" / "wisp_small.toml"


def test_a_synthesis_in_eight_bits(tiny_model: Path, tmp_path: Path, photo_u8: np.ndarray) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_model, folder)
    before = onnx.load_model(folder / "synthesis.onnx")
    shrunk = kernels_in_eight_bits(before, smallest=0).SerializeToString()
    assert len(shrunk) < len(before.SerializeToString())
    (folder / "synthesis.onnx").write_bytes(shrunk)
    write_config(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    data = wisp.compress(photo_u8, size=900, model=tiny_model)
    assert wisp.compress(photo_u8, size=900, model=folder) == data  # tokens are the analysis' business
    ours, theirs = (np.asarray(wisp.decompress(data, model=m)).astype(int) for m in (folder, tiny_model))
    assert 0 < np.abs(ours - theirs).mean() < 1.5
    start, again = (network_of_bundle(Bundle(path), tiny_recipe().model) for path in (tiny_model, folder))
    for name, weight in start.synthesis.state_dict().items():
        other = again.synthesis.state_dict()[name]
        step = weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True) / 127
        assert torch.all(
            (weight - other).abs() <= 0.55 * step + 1e-6 if weight.dim() == 4 else weight == other
        )


def test_small_kernels_stay_as_they_are(tiny_model: Path) -> None:
    graph = onnx.load_model(tiny_model / "synthesis.onnx")
    sizes = {part.name: prod(part.dims) for part in graph.graph.initializer if len(part.dims) == 4}
    smallest = sorted(sizes.values())[len(sizes) // 2]
    shrunk = {p.name: p for p in kernels_in_eight_bits(graph, smallest).graph.initializer}
    kinds = {size >= smallest: shrunk[name].data_type for name, size in sizes.items()}
    assert kinds == {True: onnx.TensorProto.INT8, False: onnx.TensorProto.FLOAT16}
    for name, size in sizes.items():
        assert (shrunk[name].data_type == onnx.TensorProto.INT8) == (size >= smallest)
    back = kernels_in_half_precision(kernels_in_eight_bits(graph, smallest))
    assert [node.op_type for node in back.graph.node] == [node.op_type for node in graph.graph.node]
    assert kernels_in_half_precision(graph) is graph


def test_an_analysis_in_eight_bits_comes_out_again(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_model, folder)
    config = tiny_recipe().model
    network = network_of_bundle(Bundle(tiny_model), config)
    shrunk = analysis_bytes(network, True, 0)
    assert has_eight_bits(onnx.load_model_from_string(shrunk))
    assert not has_eight_bits(onnx.load_model(tiny_model / "analysis.onnx"))
    (folder / "analysis.onnx").write_bytes(shrunk)
    write_config(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    again = network_of_bundle(Bundle(folder), config)
    assert analysis_bytes(again, True, 0) == shrunk
    round_analysis(network, 0)
    for part in ("analysis", "heads", "contexts"):
        for name, weight in getattr(network, part).state_dict().items():
            assert torch.equal(weight, getattr(again, part).state_dict()[name]) or "norm" in name, name


def test_the_released_analysis_in_eight_bits(tmp_path: Path) -> None:
    """Tokens are those of the network so rounded, and about as near as those of the wider one."""
    released = find_bundle("wisp_small")
    config = load_recipe(RECIPE).model
    network = network_of_bundle(released, config)
    folder = tmp_path / "bundle"
    shutil.copytree(released.folder, folder)
    (folder / "analysis.onnx").write_bytes(analysis_bytes(network, True))
    write_config(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    pixels = example_picture()
    wide, narrow = (analyse(bundle, pixels) for bundle in (released, Bundle(folder)))
    round_analysis(network)
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        levels = network.encode(x)
    for level, plane in zip(levels, narrow.tokens.planes, strict=True):
        assert (level.tokens.permute(0, 3, 1, 2)[0].numpy() == plane).mean() > 0.999
    for ours, theirs in zip(narrow.errors, wide.errors, strict=True):
        assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.05)


def test_a_synthesis_is_renewed_beside_an_analysis_in_eight_bits(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "bundle"))
    network = network_of_bundle(Bundle(tiny_model), tiny_recipe().model)
    monkeypatch.setattr(replace_synthesis, "renew_training", lambda card, state: card)
    monkeypatch.setattr(replace_synthesis, "network_of", lambda state: network)
    monkeypatch.setattr(replace_synthesis, "analysis_bytes", partial(analysis_bytes, smallest=0))
    (folder / "analysis.onnx").write_bytes(analysis_bytes(network, True, 0))
    write_config(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    state = {"recipe": {"model_number": 1}}
    monkeypatch.setattr(replace_synthesis, "load_checkpoint", lambda run: state)
    replace_synthesis.replace_synthesis(tmp_path, folder)
    nameless = without_names((folder / "analysis.onnx").read_bytes())  # as graphs were written once
    assert nameless != (folder / "analysis.onnx").read_bytes()
    (folder / "analysis.onnx").write_bytes(nameless)
    write_config(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    replace_synthesis.replace_synthesis(tmp_path, folder)
    with torch.no_grad():
        network.heads[0].out.weight.add_(0.1)  # type: ignore[operator, union-attr]
    with pytest.raises(ModelMismatch, match="expected the analysis"):
        replace_synthesis.replace_synthesis(tmp_path, folder)


@pytest.mark.parametrize("recipe", [tiny_recipe(), tiny_routed_recipe()], ids=["map", "routed"])
def test_an_export_in_eight_bits_is_verified(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_bundle(tmp_path / "wide", tmp_path / "work", recipe)
    monkeypatch.setattr(eighths, "SMALLEST", 0)
    run, data = tmp_path / "work" / "run", tmp_path / "work" / "pictures"
    export_bundle(run, tmp_path / "narrow", data, ExportOptions(eight_bits=True))
    for name in ("analysis.onnx", "synthesis.onnx"):
        assert has_eight_bits(onnx.load_model(tmp_path / "narrow" / name)), name
        assert not has_eight_bits(onnx.load_model(tmp_path / "wide" / name)), name
    report = verify_bundle(tmp_path / "narrow", run)
    assert report.token_agreement is not None
    assert min(report.token_agreement) > 0.99
    assert report.tokens_survive
