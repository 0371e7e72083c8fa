"""Noise of the synthesis: the same numbers everywhere, the same tiles, and a way to it from a bundle without."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_bundle import tiny_bundle, tiny_recipe

import wisp
from wisp.codecs import codec_for_model, pyramid_networks
from wisp.errors import ModelMismatch, UsageError
from wisp.runtime import Bundle
from wisp.train import replace_synthesis
from wisp.train.export import network_of, write_config
from wisp.train.from_bundle import network_of_bundle
from wisp.train.networks import TokenPyramid
from wisp.train.noise import NoiseGate, noise_levels
from wisp.train.recipe import ModelConfig
from wisp.train.transforms_onnx import analysis_onnx, synthesis_onnx
from wisp.train.verify import example_picture, verify_bundle

NOISY = replace(tiny_recipe(), model=replace(tiny_recipe().model, noise=(2, 4)))


@pytest.fixture(scope="module")
def noisy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noisy") / "bundle"
    tiny_bundle(folder, tmp_path_factory.mktemp("noisy_work"), NOISY)
    return folder


def test_the_numbers_are_frozen() -> None:
    assert noise_levels(4).shape == (8, 32, 32)
    assert noise_levels(16).shape == (8, 32, 32)
    found = {size: hashlib.sha256(noise_levels(size).tobytes()).hexdigest()[:16] for size in (2, 4, 8, 16)}
    assert found == {
        2: "340c089026848104",
        4: "9bb92e8135c583df",
        8: "13f8ac25896d3740",
        16: "3024f32597f47392",
    }


def test_the_origin_moves_the_noise_and_nothing_else(noisy_model: Path) -> None:
    graph = onnx.load(noisy_model / "synthesis.onnx").SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    tokens = {
        f"tokens_{i}": np.full((1, 4, 16 * fold, 16 * fold), 5, np.int32) for i, fold in enumerate((1, 2, 4))
    }

    def at(row: int, column: int) -> np.ndarray:
        return session.run(None, {**tokens, "origin": np.array([row, column])})[0][0].astype(int)

    whole = at(0, 0)
    assert np.array_equal(whole, at(128, 256))  # the period
    assert not np.array_equal(whole, at(0, 32))
    inner = slice(208, 272)  # far from edges, constant tokens: what is left is the noise at that place
    assert np.abs(at(32, 64)[inner, inner] - whole[240:304, 272:336]).max() <= 1


def test_tiles_agree_with_the_whole(noisy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = codec_for_model(noisy_model)
    tokens = pyramid_networks.analyse(codec.bundle, example_picture(512, 640)).tokens
    picture = pyramid_networks.synthesise(codec.bundle, tokens).astype(int)
    for name, value in (("WHOLE", 0), ("CORE", 224), ("SYNTHESIS_HALO", 256)):
        monkeypatch.setattr(pyramid_networks, name, value)
    assert np.abs(pyramid_networks.synthesise(codec.bundle, tokens) - picture).max() <= 2


def test_a_noisy_bundle_does_what_its_network_does(noisy_model: Path) -> None:
    assert Bundle(noisy_model).config.noise
    assert verify_bundle(noisy_model).passed
    data = wisp.compress(example_picture(96, 128), size=900, model=noisy_model)
    first, again = (np.asarray(wisp.decompress(data, model=noisy_model)) for _ in range(2))
    assert np.array_equal(first, again)
    network = network_of_bundle(Bundle(noisy_model), NOISY.model)
    assert synthesis_onnx(network).SerializeToString() == (noisy_model / "synthesis.onnx").read_bytes()


def test_training_may_add_noise_to_a_bundle_without(tiny_model: Path) -> None:
    plain = network_of_bundle(Bundle(tiny_model), tiny_recipe().model).eval()
    noisy = network_of_bundle(Bundle(tiny_model), NOISY.model).eval()
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    depth = torch.full((1, 2, 2), 12)
    with torch.no_grad():
        before, after = (network.decode(network.encode(x), depth) for network in (plain, noisy))
    assert 0 < (before - after).abs().mean() < 0.1
    for module in noisy.modules():
        if isinstance(module, NoiseGate):
            assert module.gate.bias is not None
            module.gate.bias.data.zero_()
    with torch.no_grad():
        assert torch.equal(noisy.decode(noisy.encode(x), depth), before)


def test_a_renewed_synthesis_has_noise_or_not(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "bundle"))
    states = {}
    for name, recipe in (("plain", tiny_recipe()), ("noisy", NOISY)):
        network = network_of_bundle(Bundle(tiny_model), recipe.model)
        progress = {"history": [], "total_step": 1, "minutes": 1.0, "environments": []}
        states[name] = {"average": network.state_dict(), "recipe": asdict(recipe), "progress": progress}
    (folder / "analysis.onnx").write_bytes(analysis_onnx(network).SerializeToString())
    write_config(folder, json.loads((folder / "config.json").read_text()))
    monkeypatch.setattr(replace_synthesis, "load_checkpoint", lambda run: states[run.name])
    monkeypatch.setattr(replace_synthesis, "renew_training", lambda card, state: card)
    picture = example_picture(64, 96)
    for name, has_noise in (("noisy", True), ("plain", False)):
        replace_synthesis.replace_synthesis(Path(name), folder)
        copy = Path(shutil.copytree(folder, tmp_path / name))
        assert Bundle(copy).config.noise is has_noise
        data = wisp.compress(picture, size=600, model=copy)
        assert wisp.decompress(data, model=copy).size == (96, 64)


def test_training_moves_the_origin() -> None:
    gate = NoiseGate(4, 4)
    gate.start()
    x = torch.ones(1, 4, 40, 40)
    torch.manual_seed(0)
    assert not torch.equal(gate.train()(x), gate(x))
    assert torch.equal(gate.eval()(x), gate(x))
    assert torch.equal(gate(x)[..., :8, :8], gate(x)[..., 32:, 32:])


def test_bad_noise_is_refused(noisy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="noise"):
        ModelConfig(
            strides=(16, 8, 4),
            groups=(1, 1, 1),
            codebook_size=1024,
            latent_channels=(8, 8, 8),
            widths=(8, 8, 16),
            analysis_blocks=(1, 1, 1),
            synthesis_blocks=(1, 1, 1),
            grain="routed",
            noise=(4,),
        )
    table = json.loads((noisy_model / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**table, "noise": 1}))
    with pytest.raises(ModelMismatch, match="noise"):
        Bundle(tmp_path)


def test_noise_at_coarser_sizes(noisy_model: Path, tmp_path: Path) -> None:
    """A bundle with noise at 1/2 and 1/4 goes on training with more of it, and such a network is written whole."""
    coarse = replace(NOISY.model, noise=(2, 4, 8, 16))
    less, more = (network_of_bundle(Bundle(noisy_model), config).eval() for config in (NOISY.model, coarse))
    gates = {module.size for module in more.modules() if isinstance(module, NoiseGate)}
    assert gates == {2, 4, 8, 16}
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    depth = torch.full((1, 2, 2), 12)
    with torch.no_grad():
        before, after = (network.decode(network.encode(x), depth) for network in (less, more))
    assert 0 < (before - after).abs().mean() < 0.1
    graph = synthesis_onnx(more).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        tokens = [level.tokens.permute(0, 3, 1, 2).numpy().astype(np.int32) for level in more.encode(x)]
    feeds = {f"tokens_{i}": plane for i, plane in enumerate(tokens)}
    shown = session.run(None, {**feeds, "origin": np.array([0, 0])})[0][0].astype(int)
    wanted = ((after[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().clip(0, 255)
    assert np.abs(shown - wanted).max() <= 1


def test_a_bundle_may_have_noise_at_any_fewer_sizes(noisy_model: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    coarse = TokenPyramid(replace(NOISY.model, noise=(4, 8))).eval()
    folder = Path(shutil.copytree(noisy_model, tmp_path / "bundle"))
    (folder / "synthesis.onnx").write_bytes(synthesis_onnx(coarse).SerializeToString())
    write_config(folder, json.loads((folder / "config.json").read_text()))
    found = network_of_bundle(Bundle(folder), replace(NOISY.model, noise=(2, 4, 8, 16)))
    for name, value in coarse.synthesis.state_dict().items():
        assert torch.allclose(found.synthesis.state_dict()[name], value, atol=1e-3), name
    with pytest.raises(ModelMismatch, match="recipe with noise"):
        network_of_bundle(Bundle(folder), replace(NOISY.model, noise=()))


def test_checkpoints_from_before_noise_had_sizes(noisy_model: Path) -> None:
    network = network_of_bundle(Bundle(noisy_model), NOISY.model)
    for written, sizes in ((True, (2, 4)), (False, ()), ([2, 4], (2, 4))):
        model = {**json.loads(json.dumps(asdict(NOISY.model))), "noise": written}
        state = TokenPyramid(replace(NOISY.model, noise=sizes)).state_dict()
        assert network_of({"recipe": {"model": model}, "average": state}).config.noise == sizes
    assert network.config.noise == (2, 4)


@pytest.mark.parametrize("sizes", [(4, 2), (2, 3), (32,), (4, 4), True])
def test_noise_has_its_sizes(sizes: Any) -> None:
    with pytest.raises(UsageError, match="other sizes of"):
        replace(NOISY.model, noise=sizes)


def test_a_network_without_noise_is_as_before() -> None:
    names = {name for name, _ in TokenPyramid(tiny_recipe().model).named_parameters()}
    assert not any("noise" in name for name in names)
