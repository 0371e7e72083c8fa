"""Routed pyramids, Control-GIC's shape: one level a region, one codebook for all, files of three kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.allocation.lagrange import Demand, allocate, choose_depths
from wisp.allocation.levels import by_level, level_curve
from wisp.codecs import codec_for_model
from wisp.codecs.huffman_entropy import HuffmanEntropyModel
from wisp.codecs.pyramid_networks import analyse, synthesise
from wisp.container import HUFFMAN_VERSION, PRIOR_VERSION, TABLES_VERSION, unpack_file
from wisp.errors import Corrupt, ModelMismatch, Truncated, UsageError
from wisp.imaging import plan_tiles
from wisp.tokens.pyramid import PyramidShape, TokenPyramid

SHAPE = PyramidShape(3, 4, (16, 8, 4), (2, 2, 2), routed=True)
RATIOS = [(0.5, 0.4, 0.1), (0.1, 0.8, 0.1), (0, 0.5, 0.5), (0, 0, 1), (1, 0, 0)]


def random_pyramid(seed: int) -> TokenPyramid:
    random = np.random.default_rng(seed)
    planes = []
    for level in range(3):
        first = random.integers(0, 4, SHAPE.plane_shape(level))
        planes.append(np.stack([first, random.integers(0, 256, first.shape)]).astype(np.uint8))
    return TokenPyramid(SHAPE, tuple(planes), random.integers(1, 4, (3, 4)).astype(np.uint8))


def test_a_region_is_sent_at_one_level_and_no_other() -> None:
    pyramid = random_pyramid(0)
    assert SHAPE.num_depths == 3
    sent = np.stack([SHAPE.sends(pyramid.grain_map, place) for place in range(6)])
    assert (sent.sum(0) == 2).all()
    for place, level, _ in SHAPE.order():
        assert np.array_equal(sent[place], pyramid.grain_map == level + 1)
    assert np.allclose(pyramid.shares_sent(), np.array([1, 4, 16])[pyramid.grain_map - 1] / 16)


@given(st.integers(0, 1 << 30))
def test_payloads_of_all_kinds_come_back(routed_model: Path, seed: int) -> None:
    codec, pyramid = codec_for_model(routed_model), random_pyramid(seed)
    assert codec.prior_model is not None
    for model in (codec.entropy_model, codec.prior_model, codec.huffman_model):
        payload = model.write(pyramid)
        found, num_bytes, checked = model.read(payload.data + b"\0\0", SHAPE)
        assert found == pyramid.cut_to_map()
        assert (num_bytes, checked) == (len(payload.data), payload.checked)


def test_a_huffman_payload_is_the_map_and_the_codes(routed_model: Path) -> None:
    codec, pyramid = codec_for_model(routed_model), random_pyramid(1)
    model = codec.huffman_model
    whole = model.write(pyramid).data
    codes = 0
    for level, place in enumerate((0, 2, 4)):
        sent = pyramid.sent(place, level)
        indices = 256 * pyramid.planes[level][0].astype(int) + pyramid.planes[level][1]
        codes += int(model.code.lengths[indices[sent]].sum())
    only_map = len(whole) - -(-codes // 8)
    assert 1 <= only_map <= 12  # twelve regions
    with pytest.raises(Truncated):
        model.read(whole[:-1], SHAPE)


@pytest.mark.parametrize("huffman", [False, True])
@pytest.mark.parametrize("ratios", RATIOS)
def test_ratios_decide_the_levels(
    routed_model: Path, photo_u8: NDArray[np.uint8], ratios: tuple[float, ...], huffman: bool
) -> None:
    data = wisp.compress(photo_u8, ratios=ratios, huffman=huffman, model=routed_model, threads=1)
    assert data == wisp.compress(photo_u8, ratios=ratios, huffman=huffman, model=routed_model, threads=2)
    file = unpack_file(data)
    wanted = {HUFFMAN_VERSION} if huffman else {TABLES_VERSION, PRIOR_VERSION}
    assert file.header.version in wanted
    codec = codec_for_model(routed_model)
    tokens = codec.decode_tokens(file)
    shares = [(tokens.grain_map == level).mean() for level in (3, 2, 1)]
    assert np.allclose(shares, ratios, atol=1 / tokens.grain_map.size)
    full = analyse(codec.bundle, photo_u8).tokens
    assert tokens == replace(full, grain_map=tokens.grain_map).cut_to_map()
    assert wisp.decompress(data, model=routed_model).size == (300, 200)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_flat_picture_is_coarse_and_costs_less(
    routed_model: Path, photo_u8: NDArray[np.uint8], grey: int
) -> None:
    """Equal regions are treated alike; the published thresholds would send all of them at the finest level."""
    flat = np.full_like(photo_u8, grey)
    files = [wisp.compress(p, ratios=(0.1, 0.8, 0.1), model=routed_model) for p in (flat, photo_u8)]
    maps = [codec_for_model(routed_model).decode_tokens(unpack_file(data)).grain_map for data in files]
    assert (maps[0] == 1).all()
    assert int((maps[1] == 3).sum()) == round(0.1 * maps[1].size)
    assert len(files[0]) < len(files[1])


@pytest.mark.parametrize("size", [150, 400, 1200])
@pytest.mark.parametrize("huffman", [False, True])
def test_budgets_hold(routed_model: Path, photo_u8: NDArray[np.uint8], size: int, huffman: bool) -> None:
    data = wisp.compress(photo_u8, size=size, huffman=huffman, model=routed_model)
    assert len(data) <= size
    assert (unpack_file(data).header.version == HUFFMAN_VERSION) == huffman
    assert wisp.decompress(data, model=routed_model).size == (300, 200)


@pytest.mark.parametrize("side", [1, 15, 17, 33])
def test_any_size(routed_model: Path, photo_u8: NDArray[np.uint8], side: int) -> None:
    picture = photo_u8[:side, : 2 * side]
    data = wisp.compress(picture, ratios=(0.2, 0.3, 0.5), huffman=True, model=routed_model)
    assert wisp.decompress(data, model=routed_model).size == (2 * side, side)


def test_maps_by_hand_and_their_picture(
    routed_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path
) -> None:
    rows, columns = 13, 19
    levels = (np.arange(rows * columns) % 3 + 1).reshape(rows, columns)
    greys = np.array([0, 128, 255], np.uint8)[levels - 1]
    data = wisp.compress(photo_u8, grain_map=greys, model=routed_model)
    assert np.array_equal(wisp.reconstruct(data, model=routed_model).grain_map, greys)
    (tmp_path / "a.wisp").write_bytes(data)
    run_cli("info", tmp_path / "a.wisp", "--grain-map-raw", tmp_path / "g.png", "--model", routed_model)
    with Image.open(tmp_path / "g.png") as drawn:
        assert np.array_equal(np.asarray(drawn), greys)


def test_tiles_agree_with_the_whole(
    routed_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = codec_for_model(routed_model).bundle
    picture = np.tile(photo_u8, (2, 2, 1))[:320, :384]
    tokens = analyse(bundle, picture).tokens
    stripes = (np.indices(tokens.grain_map.shape).sum(0) % 3 + 1).astype(np.uint8)
    tokens = replace(tokens, grain_map=stripes)
    whole = synthesise(bundle, tokens)

    def small_tiles(height: int, width: int, halo: int, region: int) -> object:
        return plan_tiles(height, width, core=128, halo=halo, region=region)

    monkeypatch.setattr("wisp.codecs.pyramid_networks.tiles_of", small_tiles)
    assert np.abs(synthesise(bundle, tokens).astype(int) - whole).max() <= 1
    again = analyse(bundle, picture).tokens
    for ours, theirs in zip(again.planes, tokens.planes, strict=True):
        assert (ours == theirs).mean() > 0.99


def test_every_cut_and_every_changed_byte_is_a_named_error(
    routed_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    data = wisp.compress(photo_u8[:96, :96], ratios=(0.1, 0.4, 0.5), huffman=True, model=routed_model)
    for end in range(8, len(data)):
        for allow_partial in (False, True):
            with pytest.raises(Truncated):
                wisp.decompress(data[:end], model=routed_model, allow_partial=allow_partial)
    random = np.random.default_rng(0)
    for place in range(6, len(data)):
        changed = bytearray(data)
        changed[place] ^= int(random.integers(1, 256))
        with pytest.raises((Corrupt, Truncated)):
            wisp.decompress(bytes(changed), model=routed_model)


def test_what_a_routed_model_does_not_do(
    routed_model: Path, tiny_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path
) -> None:
    data = wisp.compress(photo_u8, ratios=(0, 0.5, 0.5), model=routed_model)
    with pytest.raises(UsageError, match="made up"):
        wisp.decompress(data, fill="generate", model=routed_model)
    with pytest.raises(UsageError, match="grain map"):
        wisp.packetize(photo_u8, mtu=200, size=2000, model=routed_model)
    for options in ({}, {"ratios": (0.1, 0.4, 0.5)}):
        with pytest.raises(UsageError, match="Huffman"):
            wisp.compress(photo_u8, huffman=True, model=tiny_model, **options)
    with pytest.raises(ModelMismatch, match="Huffman"):
        _ = codec_for_model(tiny_model).huffman_model
    Image.fromarray(photo_u8).save(tmp_path / "a.png")
    result = run_cli("compress", tmp_path / "a.png", "--huffman")
    assert_one_line_error(result, 2, "Huffman")
    assert not (tmp_path / "a.wisp").exists()


def test_a_bundle_with_a_broken_code_is_refused(routed_model: Path) -> None:
    lengths = codec_for_model(routed_model).bundle.tables["huffman"].copy()
    lengths[0] += 1
    with pytest.raises(ModelMismatch):
        HuffmanEntropyModel(lengths, codec_for_model(routed_model).entropy_model.grain)


def test_steps_between_levels_cost_the_difference() -> None:
    bits = np.array([1.0, 2, 10, 20, 100, 200])[:, None, None] * np.ones((6, 2, 2))
    demand = Demand(np.ones((4, 2, 2)), bits, np.zeros((4, 4, 3)))
    steps = by_level(demand, (2, 2, 2))
    assert steps.token_bits[:, 0, 0].tolist() == [3, 27, 270]
    assert steps.cumulative_bits()[:, 0, 0].tolist() == [0, 3, 30, 300]


def test_allocation_takes_the_level_that_pays() -> None:
    """A calm region stays coarse, a busy one is sent fine, and the budget holds."""
    probes = {
        1: np.array([[5000.0, 90000.0]]),
        2: np.array([[4900.0, 50000.0]]),
        3: np.array([[4850.0, 9000.0]]),
    }
    bits = np.array([2.0, 8, 8, 32, 32, 128])[:, None, None] * np.ones((6, 1, 2))
    demand = by_level(Demand(level_curve(probes, 16), bits, np.zeros((4, 4, 3))), (2, 2, 2))
    assert allocate(demand, 175.0).tolist() == [[1, 3]]
    assert allocate(demand, 60.0).tolist() == [[1, 2]]
    assert choose_depths(demand, demand.cumulative_bits(), 1e9).tolist() == [[1, 1]]
