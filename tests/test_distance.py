"""Looking at what is decoded: the network of distances, its graph, its training, and what the writer does with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray

import wisp
from wisp.allocation.benefit import region_distortions
from wisp.allocation.forecast import OUTSIDE, SEEN, SHARE, with_sight
from wisp.codecs import codec_for_model, proposal, pyramid_networks, seeing
from wisp.codecs.looking import WORTH_IT, Look, depths_around, looks, uniform_depths
from wisp.codecs.proposal import propose
from wisp.codecs.pyramid_networks import Analysed, analyse, synthesise
from wisp.codecs.refinement import _Judge
from wisp.codecs.seeing import Sight, how_far, see
from wisp.errors import ModelMismatch, UsageError
from wisp.imaging import pad_to_multiple, to_picture
from wisp.runtime import CONFIG_NAME, DISTANCE_NAME, FORECAST_NAME, SEARCH_NAME, Bundle, Network
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


def every_depth(tokens: TokenPyramid) -> NDArray[np.uint8]:
    shape = tokens.shape
    return uniform_depths(tuple(range(1, shape.num_depths + 1)), shape.rows, shape.columns)


def test_a_mean_of_what_is_seen_and_foreseen() -> None:
    random = np.random.default_rng(0)
    foreseen = np.sort(random.uniform(0.5, 1, (5, 2, 3)), 0)[::-1]
    seen = np.sort(random.uniform(0.5, 1, (4, 2, 3)), 0)[::-1].astype(np.float32)
    found = with_sight(foreseen, uniform_depths((1, 2, 3, 4), 2, 3), seen)
    np.testing.assert_allclose(found[1:], SEEN * seen + (1 - SEEN) * foreseen[1:], rtol=1e-6)
    assert (found[0] >= found[1]).all()


def test_what_is_seen_to_rise_stays_level() -> None:
    seen = np.array([1.0, 2.0, 0.5], np.float32)[:, None, None]
    found = with_sight(np.ones((4, 1, 1)), uniform_depths((1, 2, 3), 1, 1), seen)[:, 0, 0]
    np.testing.assert_allclose(found, [1, 1, 1, SEEN * 0.5 + 1 - SEEN])


def test_between_looks_the_curve_falls_as_foreseen() -> None:
    """By hand: seen to fall by 4 where 2 was foreseen, from depth 2 to 4 in one region and from 1 to 3 in the other."""
    foreseen = np.array([9.0, 9.0, 8.0, 7.5, 6.0, 5.0])[:, None, None] + np.zeros((1, 2))
    foreseen[:, 0, 1] = [9, 9, 8, 7, 6, 5]
    depths = np.array([[[2, 1]], [[4, 3]]], np.uint8)
    seen = np.array([[[6.0, 6.0]], [[2.0, 2.0]]], np.float32)
    outside = 2.0**OUTSIDE
    wanted = [
        [6 + outside, 6 + outside, 6, 5, 2, 2 - outside],
        [6, 6, 4, 2, 2 - outside, 2 - 2 * outside],
    ]
    found = with_sight(foreseen, depths, seen)
    for column, curve in enumerate(wanted):
        mean = SEEN * np.array(curve) + (1 - SEEN) * foreseen[:, 0, column]
        np.testing.assert_allclose(found[:, 0, column], mean, rtol=1e-6)


def test_one_look_moves_the_curve() -> None:
    foreseen = np.array([4.0, 4.0, 3.0, 1.0])[:, None, None]
    found = with_sight(foreseen, uniform_depths((2,), 1, 1), np.full((1, 1, 1), 5, np.float32))
    np.testing.assert_allclose(found[:, 0, 0], SEEN * np.array([6, 6, 5, 3]) + (1 - SEEN) * foreseen[:, 0, 0])


def test_what_was_seen_is_met_in_spite_of_everything() -> None:
    """Rises, falls of a hundred times as much as was foreseen, and depths twice: the last look at depth 1 counts."""
    foreseen = np.array([5.0, 5.0, 4.0, 3.9, 3.0])[:, None, None]
    depths = np.array([1, 1, 2, 3, 4, 4], np.uint8)[:, None, None]
    seen = np.array([9.0, 8.0, 60.0, 2.0, 1.0, 0.5], np.float32)[:, None, None]
    found = with_sight(foreseen, depths, seen)[:, 0, 0]
    wanted = SEEN * np.array([8, 8, 8, 2, 1]) + (1 - SEEN) * foreseen[:, 0, 0]
    np.testing.assert_allclose(found[[0, 1, 3, 4]], wanted[[0, 1, 3, 4]])
    assert (np.diff(found) <= 0).all()


def test_where_the_usual_effort_looks() -> None:
    expected = np.array([[1, 6, 12]], np.uint8)
    assert depths_around(expected, 12, 5).tolist() == [[[1, 4, 10]], [[1, 6, 12]], [[3, 8, 12]]]
    assert depths_around(expected, 12, 6)[:, 0, 0].tolist() == [1, 1, 1, 1, 2, 3, 4]
    assert len(depths_around(np.ones((2, 2), np.uint8), 12, 6)) == 4  # none twice
    regions = 384
    assert not looks(5, regions, WORTH_IT * regions // 8)
    assert looks(5, regions, WORTH_IT * regions // 8 + 1)
    assert looks(5, regions, None)
    assert looks(6, regions, 0)


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
    found = how_far(bundle, *pictures)
    with torch.no_grad():
        wanted = network(*(tensor(picture) for picture in pictures)).numpy()
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, wanted[0], rtol=0.02)  # weights are in half precision


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
    """The default model with a network of distances that has learned nothing, and no search."""
    folder = tmp_path / "wisp_small"
    shutil.copytree(codec_for_model(None, 1).bundle.folder, folder)
    (folder / SEARCH_NAME).unlink()
    put(distance_network(), folder)
    return folder


def test_large_pictures_are_seen_in_parts(
    seeing_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle(seeing_model, 1)
    analysed = analyse(bundle, photo_u8)
    depths = every_depth(analysed.tokens)
    whole = see(bundle, photo_u8, analysed, depths).distances
    assert whole.shape == (12, *analysed.tokens.grain_map.shape)
    assert (whole > 0).all()
    monkeypatch.setattr(seeing, "AT_ONCE", 1)
    parts = see(bundle, photo_u8, analysed, depths).distances
    assert np.corrcoef(parts.ravel(), whole.ravel())[0, 1] > 0.95  # seams are seen otherwise


def test_each_depth_is_seen_as_it_is_shown(
    seeing_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle(seeing_model, 1)
    picture = pad_to_multiple(photo_u8, 32)
    analysed = analyse(bundle, photo_u8)
    tokens = analysed.tokens
    depths = every_depth(tokens)[[0, 4, 11]]
    depths[1, 1, 2] = 7  # each region has its own
    sight = see(bundle, photo_u8, analysed, depths)
    for grain, square, distance in zip(depths, sight.squares, sight.distances, strict=True):
        shown = synthesise(bundle, replace(tokens, grain_map=grain))
        np.testing.assert_allclose(distance, how_far(bundle, picture, shown), rtol=1e-3)
        np.testing.assert_allclose(square, region_distortions(picture, shown, 32))
    monkeypatch.setattr(pyramid_networks, "WHOLE", 1)
    monkeypatch.setattr(pyramid_networks, "CORE", 128)
    tiles = see(bundle, photo_u8, analysed, depths).distances
    assert tiles.shape == depths.shape
    assert np.corrcoef(tiles.ravel(), sight.distances.ravel())[0, 1] > 0.95


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


def test_effort_looks_at_more(
    seeing_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def note(
        bundle: Bundle, pixels: NDArray[np.uint8], analysed: Analysed, depths: NDArray[np.uint8]
    ) -> Sight:
        looked.append(len(depths))
        return see(bundle, pixels, analysed, depths)

    monkeypatch.setattr(proposal, "see", note)
    files = {}
    for size in (200, 1000):
        for effort in (4, 5, 6, 7):
            files[size, effort] = wisp.compress(photo_u8, size=size, effort=effort, model=seeing_model)
            assert len(files[size, effort]) <= size
    assert looked == [7, 12, 3, 7, 12]
    assert files[200, 4] == files[200, 5]  # too few bytes
    assert len({files[1000, effort] for effort in (4, 5, 6, 7)}) == 4
    looked.clear()
    files = {
        effort: wisp.compress(photo_u8, size=9000, effort=effort, model=seeing_model) for effort in (4, 5, 6)
    }
    assert files[4] == files[5] == files[6]  # everything is sent whatever it looks like
    assert not looked
    wisp.compress(photo_u8, quality=30, effort=5, model=seeing_model)
    assert looked == [4]  # what is decoded anyway
    wisp.compress(photo_u8, quality=100, effort=6, model=seeing_model)
    assert looked == [4]
    plain = codec_for_model(None, 1).bundle.folder  # readers need no eye
    more = wisp.compress(photo_u8, size=1000, effort=6, model=seeing_model)
    assert wisp.decompress(more, model=plain).tobytes() == wisp.decompress(more, model=seeing_model).tobytes()


def test_nobody_looks_where_all_tokens_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a wall few are worth their bits, and all of them would be far from the budget."""
    monkeypatch.setattr(proposal, "see", None)  # an error, were it called
    wall = np.full((192, 192, 3), 255, np.uint8)
    assert len(wisp.compress(wall, size=12_000)) < 1000
    with pytest.raises(TypeError):
        wisp.compress(wall, size=100, effort=6)


def test_nobody_looks_once_at_colours_that_the_networks_miss(
    seeing_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would move all depths alike."""
    monkeypatch.setattr(proposal, "see", None)  # an error, were it called
    wall = np.zeros((256, 256, 3), np.uint8)
    wall[..., 1] = 255
    size = WORTH_IT * 64 // 8 + 50  # enough to look, and too few for two probes
    files = [wisp.compress(wall, size=size, effort=effort, model=seeing_model) for effort in (4, 5, 6)]
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("effort", [5, 6, 7])
def test_what_is_seen_decides(effort: int, seeing_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_for_model(seeing_model, 1)
    given = (codec.bundle, codec.entropy_model, codec.settings, to_picture(photo_u8), 0, None, None)
    found, looked = propose(*given), propose(*given, look=Look(effort, None))
    assert not np.allclose(found.demand.distortions, looked.demand.distortions)
    np.testing.assert_array_equal(found.measured, looked.measured)  # so a quality spends the same


def test_vivid_colours_are_looked_at_too(seeing_model: Path) -> None:
    wall = np.zeros((96, 128, 3), np.uint8)
    wall[..., 1] = 255
    for size in (60, 600):
        files = [wisp.compress(wall, size=size, effort=effort, model=seeing_model) for effort in (5, 6, 7)]
        assert all(len(each) <= size for each in files)


def test_a_wrong_network_is_named(seeing_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    shutil.copy(seeing_model / "synthesis.onnx", seeing_model / DISTANCE_NAME)
    write_config(seeing_model, json.loads((seeing_model / CONFIG_NAME).read_text(encoding="utf-8")))
    with pytest.raises(ModelMismatch, match=DISTANCE_NAME):
        wisp.compress(photo_u8, size=900, effort=6, model=seeing_model)
    wisp.compress(photo_u8, size=900, effort=4, model=seeing_model)


def test_features_of_another_form_are_named(
    seeing_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle(seeing_model, 1)
    right = Network.run

    def changed(how: Callable[[NDArray[np.float32]], NDArray[Any]]) -> None:
        def run(self: Network, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {name: how(value) for name, value in right(self, inputs).items()}

        monkeypatch.setattr(Network, "run", run)

    picture = pad_to_multiple(photo_u8, 32)
    for how in (
        lambda value: value.astype(np.float64),
        lambda value: value[0],
        lambda value: value[..., 1:],
        lambda value: value[:, :, 1:],
        lambda value: value * np.float32(np.nan),
        lambda value: value[..., :1],
    ):
        changed(how)
        with pytest.raises(ModelMismatch, match="expected finite features"):
            how_far(bundle, picture, picture)


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
