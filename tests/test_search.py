"""Tokens that are searched for: the graph that does it, what each depth sends, and what it costs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import wisp
from wisp.codecs import codec_for_model, pyramid_networks
from wisp.codecs.choice_bits import depth_bits
from wisp.codecs.looking import SEARCH_EFFORT
from wisp.codecs.moved_frame import Past, read_frame
from wisp.codecs.packet_reading import read_packets
from wisp.codecs.pyramid_networks import Analysed, analyse
from wisp.codecs.taming import tame
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import unpack_file
from wisp.container.packet_set import sort_packets
from wisp.container.sequence import unpack_sequence
from wisp.errors import ModelMismatch, UsageError
from wisp.runtime import ANALYSIS_NAME, CONFIG_NAME, SEARCH_NAME, Bundle
from wisp.runtime.borrowing import with_weights_of
from wisp.runtime.wire import fields, varint_bytes
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.train import search_onnx
from wisp.train.export import write_config
from wisp.train.search_export import add_search, main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model, to be changed."""
    copy = tmp_path_factory.mktemp("search") / "wisp_small"
    shutil.copytree(codec_for_model(None, 1).bundle.folder, copy)
    return copy


def random_choices(seed: int) -> Analysed:
    """Three levels of 2, 3 and 1 groups."""
    random = np.random.default_rng(seed)
    shape = PyramidShape(3, 4, (32, 16, 8), (2, 3, 1))
    choices = tuple(
        random.integers(0, 256, (g * (g + 1) // 2, *shape.plane_shape(i))).astype(np.uint8)
        for i, g in enumerate(shape.groups)
    )
    planes = tuple(level[-g:] for level, g in zip(choices, shape.groups, strict=True))
    grain = np.full((3, 4), 6, np.uint8)
    return Analysed(TokenPyramid(shape, planes, grain), (), choices)


@given(st.integers(0, 1000))
def test_each_depth_has_its_own_tokens(seed: int) -> None:
    analysed = random_choices(seed)
    grain = np.random.default_rng(seed).integers(1, 7, (3, 4)).astype(np.uint8)
    sent = analysed.at(grain)
    assert np.array_equal(sent.grain_map, grain)
    for place, level, group in sent.shape.order():
        before = place - group
        fold = sent.shape.fold(level)
        for row, column in np.ndindex(sent.planes[level].shape[1:]):
            many = int(grain[row // fold, column // fold]) - before
            if group < many:
                many = min(many, sent.shape.groups[level])
                wanted = analysed.choices[level][many * (many - 1) // 2 + group, row, column]
                assert sent.planes[level][group, row, column] == wanted


def test_nothing_to_choose_is_as_it_is() -> None:
    analysed = replace(random_choices(1), choices=())
    grain = np.full((3, 4), 2, np.uint8)
    assert analysed.at(grain).planes is analysed.tokens.planes


def test_a_beam_of_one_at_the_cost_of_training_is_the_analysis(
    folder: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "one"
    shutil.copytree(folder, copy)
    monkeypatch.setattr(search_onnx, "BEAMS", (1,))
    monkeypatch.setattr(search_onnx, "CODEWORD_COST", 1.0)
    add_search(copy)
    bundle = Bundle(copy, 1)
    one, usual = analyse(bundle, photo_u8, search=True), analyse(bundle, photo_u8)
    differing = 0
    for groups, choices, plane in zip(bundle.config.groups, one.choices, usual.tokens.planes, strict=True):
        for sent in range(1, groups + 1):
            first = sent * (sent - 1) // 2
            differing += int((choices[first : first + sent] != plane[:sent]).sum())
    assert differing <= 5  # sums of another order; none here of 14,700 tokens of all depths


def test_tokens_that_go_together_are_nearer(photo_u8: NDArray[np.uint8]) -> None:
    bundle = codec_for_model(None, 1).bundle
    found, usual = analyse(bundle, photo_u8, search=True), analyse(bundle, photo_u8)
    for level in range(3):
        assert found.errors[level][-1].sum() < 0.97 * usual.errors[level][-1].sum()


def test_tiles_find_nearly_the_same(photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = codec_for_model(None, 1).bundle
    whole = analyse(bundle, photo_u8, search=True)
    monkeypatch.setattr(pyramid_networks, "WHOLE", 1)
    monkeypatch.setattr(pyramid_networks, "CORE", 128)
    tiles = analyse(bundle, photo_u8, search=True)
    for one, other in zip(whole.choices, tiles.choices, strict=True):
        assert (one != other).mean() < 0.1


def test_tamed_regions_are_tamed_at_every_depth() -> None:
    bundle = codec_for_model(None, 1).bundle
    wall = np.full((128, 160, 3), (0, 255, 0), np.uint8)
    found = analyse(bundle, wall, search=True)
    tamed = tame(bundle, wall, found, 6)
    assert tamed is not found
    for level, plane in zip(tamed.choices, tamed.tokens.planes, strict=True):
        np.testing.assert_array_equal(level[-len(plane) :], plane)
    assert any((a[:-4] != b[:-4]).any() for a, b in zip(tamed.choices, found.choices, strict=True))


def test_what_a_depth_costs(photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_for_model(None, 1)
    assert isinstance(codec, TokenPyramidCodec)
    model = codec.entropy_model
    found, usual = analyse(codec.bundle, photo_u8, search=True), analyse(codec.bundle, photo_u8)
    np.testing.assert_array_equal(depth_bits(model, usual), model.token_bits(usual.tokens))
    bits = depth_bits(model, found)
    assert bits.min() >= 0
    for depth in (1, 3, 4, 6, 12):
        sent = found.at(np.full_like(found.tokens.grain_map, depth))
        wanted = model.token_bits(sent)[:depth].sum()
        assert wanted <= bits[:depth].sum() * (1 + 1e-9)
        assert wanted == pytest.approx(bits[:depth].sum(), rel=0.02)


@pytest.mark.parametrize("effort", [SEARCH_EFFORT, 5, 8])
def test_files_hold_the_tokens_of_their_depths(photo_u8: NDArray[np.uint8], effort: int) -> None:
    codec = codec_for_model(None, 1)
    assert isinstance(codec, TokenPyramidCodec)
    data = wisp.compress(photo_u8, size=700, effort=effort)
    assert len(data) <= 700
    if effort < 8:  # nothing is refined
        sent = codec.decode_tokens(unpack_file(data))
        wanted = analyse(codec.bundle, photo_u8, search=True).at(sent.grain_map).cut_to_map()
        for plane, each in zip(sent.cut_to_map().planes, wanted.planes, strict=True):
            np.testing.assert_array_equal(plane, each)
    assert wisp.decompress(data).size == photo_u8.shape[1::-1]


@pytest.mark.parametrize(("effort", "search"), [(SEARCH_EFFORT - 1, False), (SEARCH_EFFORT, True)])
@pytest.mark.parametrize("quality", [20, 100])
def test_least_efforts_search_for_nothing(
    photo_u8: NDArray[np.uint8], quality: float, effort: int, search: bool
) -> None:
    codec = codec_for_model(None, 1)
    assert isinstance(codec, TokenPyramidCodec)
    sent = codec.decode_tokens(unpack_file(wisp.compress(photo_u8, quality=quality, effort=effort)))
    wanted, other = (
        analyse(codec.bundle, photo_u8, kind).at(sent.grain_map) for kind in (search, not search)
    )
    assert sent == wanted.cut_to_map()
    assert sent != other.cut_to_map()


def test_frames_hold_the_tokens_of_their_depths(photo_u8: NDArray[np.uint8]) -> None:
    """A key frame's, and those of what is coded anew in the second: half of another picture."""
    codec = codec_for_model(None, 1)
    assert isinstance(codec, TokenPyramidCodec)
    second = photo_u8.copy()
    second[:, : second.shape[1] // 3] = second[::-1, ::-1][:, : second.shape[1] // 3]
    frames = unpack_sequence(wisp.compress_sequence([photo_u8, second], quality=30)).frames
    file = unpack_file(frames[0].data)
    key = codec.decode_tokens(file)
    assert key == analyse(codec.bundle, photo_u8, search=True).at(key.grain_map).cut_to_map()
    tokens = read_frame(codec, Past(file), frames[1].data).tokens
    assert tokens is not None
    assert tokens.grain_map.any()
    assert tokens == analyse(codec.bundle, second, search=True).at(tokens.grain_map).cut_to_map()


def test_packets_hold_the_tokens_of_their_depths(photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_for_model(None, 1)
    assert isinstance(codec, TokenPyramidCodec)
    given = sort_packets(wisp.packetize(photo_u8, size=900, mtu=100))
    found = read_packets(codec, given).pyramid
    assert found.grain_map.min() > 0
    wanted = analyse(codec.bundle, photo_u8, search=True).at(found.grain_map)
    assert found.cut_to_map() == wanted.cut_to_map()


def test_depths_by_hand_hold_theirs(photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_for_model(None, 1)
    assert isinstance(codec, TokenPyramidCodec)
    sent = codec.decode_tokens(unpack_file(wisp.compress(photo_u8, ratios=(0.2, 0.4, 0.4))))
    assert sent == analyse(codec.bundle, photo_u8, search=True).at(sent.grain_map).cut_to_map()


def test_a_bundle_without_it_searches_for_nothing(
    folder: Path, photo_u8: NDArray[np.uint8], tmp_path: Path
) -> None:
    copy = tmp_path / "without"
    shutil.copytree(folder, copy)
    (copy / SEARCH_NAME).unlink()
    write_config(copy, json.loads((copy / CONFIG_NAME).read_text(encoding="utf-8")))
    bundle = Bundle(copy, 1)
    assert not bundle.can_search
    assert len(wisp.compress(photo_u8, size=700, effort=SEARCH_EFFORT, model=copy)) <= 700
    with pytest.raises(ModelMismatch, match=SEARCH_NAME):
        _ = bundle.search


def test_weights_of_another_network_do_not_fit(
    folder: Path, photo_u8: NDArray[np.uint8], tmp_path: Path
) -> None:
    copy = tmp_path / "other"
    shutil.copytree(folder, copy)
    shutil.copy(copy / "distance.onnx", copy / ANALYSIS_NAME)
    write_config(copy, json.loads((copy / CONFIG_NAME).read_text(encoding="utf-8")))
    with pytest.raises(ModelMismatch, match=SEARCH_NAME):
        analyse(Bundle(copy, 1), photo_u8, search=True)


def test_bundles_that_cannot_have_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="analysis network of its own"):
        add_search(codec_for_model("wisp-1", 1).bundle.folder)
    with pytest.raises(SystemExit, match="expected the folder of a bundle"):
        main([])
    before = (folder / SEARCH_NAME).read_bytes()
    main([str(folder)])
    assert SEARCH_NAME in capsys.readouterr().out
    assert (folder / SEARCH_NAME).read_bytes() == before


def test_another_graph_is_refused(folder: Path) -> None:
    with pytest.raises(ModelMismatch, match="quantizers"):
        search_onnx.search_onnx((folder / "synthesis.onnx").read_bytes(), (4, 4, 4))


@given(st.integers(0, 1 << 40), st.binary(max_size=40))
def test_fields_are_read_as_written(number: int, text: bytes) -> None:
    message = (
        varint_bytes(3 << 3)
        + varint_bytes(number)
        + varint_bytes(4 << 3 | 2)
        + varint_bytes(len(text))
        + text
    )
    assert [(n, v if isinstance(v, int) else bytes(v)) for n, v in fields(memoryview(message))] == [
        (3, number),
        (4, text),
    ]


def test_only_weights_are_put_behind(folder: Path) -> None:
    lender = (folder / ANALYSIS_NAME).read_bytes()
    joined = with_weights_of(b"", lender)
    ((number, graph),) = fields(memoryview(joined))
    assert number == 7
    assert not isinstance(graph, int)
    assert {inner for inner, _ in fields(graph)} == {5}
    assert 0.9 * len(lender) < len(joined) < len(lender)
