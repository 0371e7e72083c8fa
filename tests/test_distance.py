"""Looking at every depth: the network of distances, its graph, its training, and what the writer does with it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray

import wisp
from wisp.allocation.benefit import region_distortions
from wisp.allocation.forecast import SEEN, SHARE, with_sight
from wisp.codecs import codec_for_model, proposal, pyramid_networks, seeing
from wisp.codecs.proposal import propose
from wisp.codecs.pyramid_networks import analyse, synthesise
from wisp.codecs.refinement import _Judge
from wisp.codecs.seeing import how_far, see
from wisp.errors import ModelMismatch, UsageError
from wisp.imaging import pad_to_multiple, to_picture
from wisp.runtime import CONFIG_NAME, DISTANCE_NAME, FORECAST_NAME, Bundle
from wisp.tokens.pyramid import TokenPyramid
from wisp.train import distance_export
from wisp.train.depth_samples import DepthSamples
from wisp.train.distance_loop import train_distance_network
from wisp.train.distance_network import DistanceNetwork
from wisp.train.distance_onnx import distance_onnx
from wisp.train.export import write_config
from wisp.train.verify import example_picture


def distance_network(seed: int = 0) -> DistanceNetwork:
    """Of random weights, whose distances are about as large as those of a trained one."""
    torch.manual_seed(seed)
    network = DistanceNetwork().eval()
    for logits in network.logits:
        logits.data.fill_(50.0)
    return network


def put(network: DistanceNetwork, folder: Path) -> Bundle:
    """The bundle in `folder` with a network of distances."""
    (folder / DISTANCE_NAME).write_bytes(distance_onnx(network).SerializeToString())
    write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
    return Bundle(folder, 1)


def tensor(pixels_u8: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pixels_u8.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


# ---- the curve ----


def test_a_mean_of_what_is_seen_and_foreseen() -> None:
    random = np.random.default_rng(0)
    foreseen = np.sort(random.uniform(0.5, 1, (5, 2, 3)), 0)[::-1]
    seen = np.sort(random.uniform(0.5, 1, (4, 2, 3)), 0)[::-1].astype(np.float32)
    found = with_sight(foreseen, seen)
    np.testing.assert_allclose(found[1:], SEEN * seen + (1 - SEEN) * foreseen[1:], rtol=1e-6)
    assert (found[0] >= found[1]).all()


def test_what_is_seen_to_rise_stays_level() -> None:
    seen = np.array([1.0, 2.0, 0.5], np.float32)[:, None, None]
    found = with_sight(np.ones((4, 1, 1)), seen)[:, 0, 0]
    np.testing.assert_allclose(found, [1, 1, 1, SEEN * 0.5 + 1 - SEEN])


# ---- the network ----


def test_equal_pictures_are_not_apart() -> None:
    x = tensor(example_picture(64, 96, 0))
    with torch.no_grad():
        assert distance_network()(x, x).abs().max() == 0
        apart = distance_network()(x, tensor(example_picture(64, 96, 1)))
    assert apart.min() >= 0
    assert apart.max() > 0


def test_the_graph_gives_what_the_network_gives(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_model, folder)
    network = distance_network()
    bundle = put(network, folder)
    pictures = [example_picture(64, 96, seed) for seed in (0, 1)]
    found = bundle.distance.run({"original": pictures[0][None], "decoded": pictures[1][None]})["distances"]
    with torch.no_grad():
        wanted = network(*(tensor(picture) for picture in pictures)).numpy()
    assert found.shape == (1, 2, 3)
    np.testing.assert_allclose(found, wanted, rtol=0.02)  # weights are in half precision


def test_training_learns_to_see() -> None:
    """Noise of growing strength, and how strong it is."""
    random = np.random.default_rng(0)
    crops = random.integers(80, 176, (13, 64, 64, 3)).astype(np.uint8)
    depths = []
    for strength in (40, 20, 10, 0):
        noise = random.normal(size=crops.shape) * strength
        depths.append(np.clip(np.rint(crops + noise), 0, 255).astype(np.uint8))
    decoded = np.stack(depths, 1)
    distances = ((decoded.astype(np.float32) - crops[:, None]) / 64) ** 2
    distances = distances.sum(-1).reshape(13, 4, 2, 32, 2, 32).mean((3, 5)).astype(np.float32)
    samples = DepthSamples(crops, np.zeros((13, 1, 2, 2), np.float32), distances)
    found = train_distance_network(samples, decoded, 5, max_steps=60)
    picture = [
        torch.from_numpy(each).permute(0, 3, 1, 2).float() / 127.5 - 1 for each in (crops[:1], decoded[0])
    ]
    with torch.no_grad():
        seen = found.network(picture[0].expand(4, -1, -1, -1), picture[1]).mean((1, 2))
    assert (np.diff(seen.numpy()) < 0).all()
    assert float(seen[-1]) == 0
    assert len(found.explained) == 3


# ---- the writer ----


@pytest.fixture
def seeing_model(tmp_path: Path) -> Path:
    """The default model with a network of distances that has learned nothing."""
    folder = tmp_path / "wisp_small"
    shutil.copytree(codec_for_model(None, 1).bundle.folder, folder)
    put(distance_network(), folder)
    return folder


def test_large_pictures_are_seen_in_parts(
    seeing_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle(seeing_model, 1)
    tokens = analyse(bundle, photo_u8).tokens
    whole = see(bundle, photo_u8, tokens)
    assert whole.shape == (12, *tokens.grain_map.shape)
    assert (whole > 0).all()
    monkeypatch.setattr(seeing, "AT_ONCE", 1)
    parts = see(bundle, photo_u8, tokens)
    assert np.corrcoef(parts.ravel(), whole.ravel())[0, 1] > 0.95  # seams are seen otherwise


def test_each_depth_is_seen_as_it_is_shown(
    seeing_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle(seeing_model, 1)
    picture = pad_to_multiple(photo_u8, 32)
    tokens = analyse(bundle, photo_u8).tokens
    seen = see(bundle, photo_u8, tokens)
    for depth in (1, 5, 12):
        shown = synthesise(bundle, replace(tokens, grain_map=np.full_like(tokens.grain_map, depth)))
        np.testing.assert_allclose(seen[depth - 1], how_far(bundle, picture, shown), rtol=1e-3)
    monkeypatch.setattr(pyramid_networks, "WHOLE", 1)
    monkeypatch.setattr(pyramid_networks, "CORE", 128)
    tiles = see(bundle, photo_u8, tokens)
    assert tiles.shape == seen.shape
    assert np.corrcoef(tiles.ravel(), seen.ravel())[0, 1] > 0.95


def test_what_looks_further_away_is_judged_worse(seeing_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    bundle = Bundle(seeing_model, 1)
    picture = pad_to_multiple(photo_u8, 32)
    shown = [
        np.clip(picture.astype(int) + np.array([change, 0, 0]), 0, 255).astype(np.uint8)
        for change in (20, 40)
    ]
    judge = _Judge(bundle, picture, shown[0])
    squares = [region_distortions(picture, each, 32) for each in shown]
    far = [how_far(bundle, picture, each) for each in shown]
    for each, square, distance in zip(shown, squares, far, strict=True):
        wanted = (1 - SHARE) * square + SHARE * distance * squares[0].sum() / far[0].sum()
        np.testing.assert_allclose(judge(each), wanted, rtol=1e-4)
    assert judge(shown[1]).sum() > judge(shown[0]).sum()
    assert judge(picture).sum() == 0


def test_no_forecast_no_looking(seeing_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path) -> None:
    blind = seeing_model.with_name("blind")
    shutil.copytree(seeing_model, blind)
    (blind / FORECAST_NAME).unlink()
    write_config(blind, json.loads((blind / CONFIG_NAME).read_text(encoding="utf-8")))
    assert not Bundle(blind).can_look
    usual, more = (wisp.compress(photo_u8, size=900, effort=e, model=blind) for e in (5, 6))
    assert usual == more


def test_only_effort_looks(
    seeing_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def note(bundle: Bundle, pixels: NDArray[np.uint8], tokens: TokenPyramid) -> NDArray[np.float32]:
        looked.append(pixels.size)
        return see(bundle, pixels, tokens)

    monkeypatch.setattr(proposal, "see", note)
    usual = wisp.compress(photo_u8, size=900, effort=5, model=seeing_model)
    assert not looked
    more = wisp.compress(photo_u8, size=900, effort=6, model=seeing_model)
    assert len(looked) == 1
    wisp.compress(photo_u8, quality=100, effort=6, model=seeing_model)
    assert len(looked) == 1  # everything is sent whatever it looks like
    assert usual != more
    assert len(more) <= 900
    plain = codec_for_model(None, 1).bundle.folder  # readers need no eye
    assert wisp.decompress(more, model=plain).tobytes() == wisp.decompress(more, model=seeing_model).tobytes()


def test_what_is_seen_decides(seeing_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_for_model(seeing_model, 1)
    given = (codec.bundle, codec.entropy_model, codec.settings, to_picture(photo_u8), 0, 1000, None)
    found, looked = propose(*given), propose(*given, look=True)
    assert not np.allclose(found.demand.distortions, looked.demand.distortions)
    np.testing.assert_array_equal(found.measured, looked.measured)


def test_a_wrong_network_is_named(seeing_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    shutil.copy(seeing_model / "synthesis.onnx", seeing_model / DISTANCE_NAME)
    write_config(seeing_model, json.loads((seeing_model / CONFIG_NAME).read_text(encoding="utf-8")))
    with pytest.raises(ModelMismatch, match=DISTANCE_NAME):
        wisp.compress(photo_u8, size=900, effort=6, model=seeing_model)
    seeing_model = seeing_model.rename(seeing_model.with_name("another"))
    (seeing_model / DISTANCE_NAME).write_bytes(distance_onnx(distance_network(), 16).SerializeToString())
    write_config(seeing_model, json.loads((seeing_model / CONFIG_NAME).read_text(encoding="utf-8")))
    with pytest.raises(ModelMismatch, match="expected distances"):
        wisp.compress(photo_u8, size=900, effort=6, model=seeing_model)
    assert wisp.compress(photo_u8, size=900, effort=5, model=seeing_model)


# ---- training on a bundle ----


def test_a_bundle_gains_an_eye(
    tiny_model: Path, both_networks: Path, photographs: Path, tmp_path: Path
) -> None:
    folder, cache = tmp_path / "bundle", tmp_path / "distances"
    shutil.copytree(tiny_model, folder)
    options = ["--data", photographs, "--weights", both_networks, "--crops", 2, "--distances", cache]
    options += ["--max-steps", 2]
    assert_one_line_error(run_cli("train-distance", folder, *options), 2, "train-forecast")
    assert run_cli("train-forecast", folder, *options).code == 0
    ran = run_cli("train-distance", folder, *options)
    assert ran.code == 0
    assert "distance.onnx" in ran.out
    assert "distances of 0" not in ran.stderr  # the crops that the forecast was trained on
    assert Bundle(folder).can_look
    assert len(wisp.compress(example_picture(256, 288, 3), size=800, effort=6, model=folder)) <= 800


def test_regions_that_are_too_small_for_it(
    tiny_model: Path, both_networks: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distance_export, "SMALLEST_SIDE", 64)
    with pytest.raises(UsageError, match="64 pixels or more"):
        distance_export.train_distance(tiny_model, photographs, both_networks, 1, 1)
