"""The masked prior: integer by construction, the same on two runners, and a payload that comes back."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import wisp
from wisp.bench.prior_reference import ReferenceRunner
from wisp.codecs import TokenPyramidCodec, codec_for_model, masked_prior, prior_entropy
from wisp.codecs.masked_prior import MaskedPrior
from wisp.codecs.prior_entropy import WINDOW, PriorEntropyModel
from wisp.codecs.prior_windows import Band, bands_of, chosen_features
from wisp.container import PRIOR_VERSION, pack_file, pack_header, read_header, token_check, unpack_file
from wisp.errors import BudgetError, ModelMismatch, UsageError
from wisp.runtime import CONFIG_NAME, PRIOR_NAME, Bundle, Network
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.tokens.stages import STAGE_COUNTS, stage_map
from wisp.train.export import write_config
from wisp.train.prior_layers import IntegerConv
from wisp.train.prior_onnx import checked_integers


def random_pyramid(rows: int, columns: int, seed: int) -> TokenPyramid:
    """Random tokens at random depths."""
    random = np.random.default_rng(seed)
    shape = PyramidShape(rows, columns, (32, 16, 8), (4, 4, 4))
    planes = tuple(
        random.integers(0, 256, (g, *shape.plane_shape(i))).astype(np.uint8) for i, g in enumerate((4, 4, 4))
    )
    deepest = int(random.integers(1, 13))
    return TokenPyramid(
        shape, planes, random.integers(1, deepest + 1, (rows, columns)).astype(np.uint8)
    ).cut_to_map()


class Forwarded:
    """Stands in for a prior, and has all that it has."""

    def __init__(self, prior: MaskedPrior) -> None:
        self._prior = prior

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prior, name)


def reference(folder: Path) -> MaskedPrior:
    bundle = Bundle(folder)
    return MaskedPrior(bundle.prior_parts, ReferenceRunner, bundle.config.strides, bundle.config.groups)


@pytest.mark.parametrize("count", STAGE_COUNTS)
def test_stages_cover_the_plane_evenly(count: int) -> None:
    stages = stage_map(8, 12, count)
    assert np.bincount(stages.ravel()).tolist() == [96 // count] * count
    assert np.array_equal(stages[:4, :4], stages[4:, 4:8])


def test_two_stages_are_a_chessboard() -> None:
    assert np.array_equal(stage_map(4, 4, 2), (np.indices((4, 4)).sum(0) % 2))


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 1 << 30))
def test_runtime_and_reference_agree_bit_for_bit(
    prior_model: Path, rows: int, columns: int, seed: int
) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = random_pyramid(rows, columns, seed)
    slow = reference(prior_model)
    planes = pyramid.with_absences()
    for level in range(3):
        fold = pyramid.shape.fold(level)
        depths = pyramid.grain_map.astype(np.int32).repeat(fold, 0).repeat(fold, 1)
        found = [
            p.features(level, planes[level], depths, p.context(planes[:level])) for p in (model.prior, slow)
        ]
        assert np.array_equal(*found)
        assert np.array_equal(found[0], np.rint(found[0]))


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1 << 30))
def test_payloads_come_back(prior_model: Path, rows: int, columns: int, seed: int) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = random_pyramid(rows, columns, seed)
    payload = model.write(pyramid)
    decoded, num_bytes, checked = model.read(payload.data + b"\xff\xff", pyramid.shape)
    assert decoded == pyramid
    assert (num_bytes, checked) == (len(payload.data), payload.checked)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 5), st.integers(0, 1 << 30))
def test_a_writer_ahead_of_its_coder_writes_the_same(
    prior_model: Path, rows: int, columns: int, threads: int, seed: int
) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = random_pyramid(rows, columns, seed)
    ahead = PriorEntropyModel(model.tables, model.prior, threads=threads)
    assert ahead.write(pyramid).data == model.write(pyramid).data
    assert np.array_equal(ahead.place_bits(pyramid), model.place_bits(pyramid))


def test_a_writer_looks_at_several_turns_at_once(prior_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = random_pyramid(3, 4, 8)
    payload = model.write(pyramid)
    threads = set()
    together = threading.Barrier(2)

    class Watched(Forwarded):
        def features(self, *inputs: Any) -> NDArray[np.float32]:
            if threading.get_ident() not in threads:
                threads.add(threading.get_ident())
                together.wait(60)  # for the other thread, or never
            return model.prior.features(*inputs)

    both = PriorEntropyModel(model.tables, cast(MaskedPrior, Watched(model.prior)), threads=2)
    assert both.write(pyramid).data == payload.data
    assert len(threads) == 2
    small = PriorEntropyModel(model.tables, model.prior, window=12 * 16 - 1, threads=2)  # one position less
    monkeypatch.setattr(prior_entropy, "at_once", None)
    assert small.write(pyramid).data == payload.data


def test_networks_of_a_large_picture_are_let_go(prior_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = replace(random_pyramid(3, 4, 8), grain_map=np.full((3, 4), 12, np.uint8)).cut_to_map()
    payload = model.write(pyramid)
    names = {"step_0", "step_1", "step_2", "context_1", "context_2"}
    runners = model.prior._runners
    assert set(runners) == {(name, False) for name in names}
    monkeypatch.setattr(prior_entropy, "LARGE", 12 * 16 - 1)
    used, run = set(), Network.run

    def watched(network: Network, *inputs: Any) -> Any:
        used.add((network.path.name, network._own_memory))
        return run(network, *inputs)

    monkeypatch.setattr(Network, "run", watched)
    assert model.write(pyramid).data == payload.data
    assert {(name, True) for name in names} <= used
    assert set(runners) == {(name, False) for name in names}
    assert model.read(payload.data + b"\0\0", pyramid.shape)[0] == pyramid


@pytest.mark.parametrize("band", [1, 64, 200, 1 << 16])
def test_bands_of_a_context_are_those_of_the_whole(
    prior_model: Path, band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = codec_for_model(prior_model, 1).prior_model.prior  # type: ignore[union-attr]
    planes = random_pyramid(11, 2, 4).with_absences()
    for level in (1, 2):
        whole = prior._runner(f"context_{level}").run(
            {f"tokens_{i}": plane for i, plane in enumerate(planes[:level])}
        )["context"]
        monkeypatch.setattr(masked_prior, "BAND", band)
        found = prior.context(planes[:level])
        assert found is not None
        assert found.dtype == np.int8
        assert np.array_equal(found, whole)


@pytest.mark.parametrize("value", [128.0, -1000.0, float("nan")])
def test_a_context_beyond_eight_bits_is_refused(prior_model: Path, value: float) -> None:
    class Loud:
        def run(self, inputs: Any) -> dict[str, NDArray[Any]]:
            return {"context": np.full((1, 8, 4, 4), value, np.float32)}

    bundle = Bundle(prior_model)
    prior = MaskedPrior(bundle.prior_parts, lambda *_: Loud(), (32, 16, 8), (4, 4, 4))
    with pytest.raises(ModelMismatch, match=r"expected context_1 in -127\.\.127"):
        prior.context([np.zeros((4, 2, 2), np.int32)])


def test_the_reference_runner_reads_the_runtimes_file(prior_model: Path) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = random_pyramid(3, 2, 5)
    payload = model.write(pyramid)
    slow = PriorEntropyModel(model.tables, reference(prior_model))
    assert slow.read(payload.data + b"\0\0", pyramid.shape)[0] == pyramid


def test_windows_with_halos_give_the_same_payload(prior_model: Path) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = random_pyramid(4, 5, 9)
    in_windows = PriorEntropyModel(model.tables, model.prior, window=30)
    assert in_windows.write(pyramid).data == model.write(pyramid).data


def test_columns_between_regions_in_use_change_nothing(prior_model: Path) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    depths = np.ones((3, 40), np.uint8)
    depths[0, 2], depths[1, 30:32], depths[2, 17] = 12, 12, 9
    pyramid = replace(random_pyramid(3, 40, 11), grain_map=depths).cut_to_map()
    for level, place in ((1, 4), (2, 8)):
        bands = list(bands_of(pyramid.sent(place, level), WINDOW, model.prior.halo(level)))
        assert max(len(band.pieces) for band in bands) == 3
    payload = model.write(pyramid)
    for window, threads in ((30, 1), (500, 2), (WINDOW, 3)):
        other = PriorEntropyModel(model.tables, model.prior, window, threads)
        assert other.write(pyramid).data == payload.data
    assert model.read(payload.data + b"\0\0", pyramid.shape)[0] == pyramid
    with pytest.MonkeyPatch.context() as patch:  # whole rows at once, as if nothing lay between
        whole = [Band(slice(0, side), ((slice(0, side), slice(0, 40 * side // 3)),)) for side in (3, 6, 12)]
        shapes = {band.rows.stop: band for band in whole}
        patch.setattr(prior_entropy, "bands_of", lambda turn, *_: [shapes[len(turn)]])
        assert model.write(pyramid).data == payload.data


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(0, 12), st.integers(1, 4), st.floats(0.001, 1)
)
@settings(deadline=None)
def test_pieces_hold_what_is_wanted_once(
    seed: int, window: int, halo: int, threads: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 60, 2)
    turn = random.random((height, width)) < share
    turn[random.integers(height), random.integers(width)] = True
    plane = random.integers(0, 9, (height, width)).astype(np.float32)

    def around(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Each number with all that a halo reaches; nothing lies beyond the edge."""
        padded = np.pad(seen, halo)
        return np.lib.stride_tricks.sliding_window_view(padded, (2 * halo + 1,) * 2).sum((2, 3))[..., None]

    bands = list(bands_of(turn, window, halo))
    found = [chosen_features(turn, b, halo, lambda y, x: around(plane[y, x]), threads) for b in bands]
    assert np.array_equal(np.concatenate(found), around(plane)[turn])
    for band in bands:
        for rows, columns in band.pieces:
            assert (rows.stop - rows.start) * (columns.stop - columns.start) <= max(window, 1)
            assert turn[rows, columns].any()


def test_the_payload_is_as_long_as_the_ideal(prior_model: Path) -> None:
    model = codec_for_model(prior_model, 1).prior_model
    assert model is not None
    pyramid = random_pyramid(4, 4, 3)
    grain = pyramid.grain_map.astype(np.intp)
    padded = np.pad(grain, ((1, 0), (1, 0)))
    ideal = (
        model.place_bits(pyramid).sum()
        + model.tables.grain_bits[padded[1:, :-1], padded[:-1, 1:], grain - 1].sum()
    )
    assert 0 <= len(model.write(pyramid).data) - ideal / 8 <= 2


def test_bounds_are_asserted() -> None:
    layer = IntegerConv(2000, 1, 1, shift=7, spread=1.0)
    with torch.no_grad():
        layer.weight.fill_(9.0)
    with pytest.raises(UsageError, match="expected sums below 16777216"):
        checked_integers(layer)


def force_prior(codec: TokenPyramidCodec, data: bytes) -> bytes:
    """The same tokens, coded with the prior."""
    file = unpack_file(data)
    pyramid = codec.decode_tokens(file)
    assert codec.prior_model is not None
    header = replace(file.header, version=PRIOR_VERSION)
    payload = codec.prior_model.write(pyramid)
    return pack_file(header, file.chunks, payload.data, token_check(pack_header(header), *payload.checked))


def test_a_file_with_the_prior_decodes_to_the_same_picture(
    prior_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    codec = codec_for_model(prior_model, 1)
    data = wisp.compress(photo_u8, size=900, model=prior_model)
    both = [wisp.decompress(d, model=prior_model) for d in (data, force_prior(codec, data))]
    assert np.array_equal(np.asarray(both[0]), np.asarray(both[1]))


def test_threads_do_not_change_a_file(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    data = force_prior(
        codec_for_model(prior_model, 1), wisp.compress(photo_u8, size=900, model=prior_model, threads=1)
    )
    codecs = [codec_for_model(prior_model, threads) for threads in (1, 2)]
    assert codecs[0].decode_tokens(unpack_file(data)) == codecs[1].decode_tokens(unpack_file(data))


@pytest.mark.parametrize("size", [60, 150, 400, 900, 1200])
def test_budgets_hold(cheap_prior: Path, photo_u8: NDArray[np.uint8], size: int) -> None:
    data = wisp.compress(photo_u8, size=size, model=cheap_prior)
    assert size * (0.9 if size < 400 else 0.97) <= len(data) <= size
    assert read_header(data)[0].version == PRIOR_VERSION
    assert wisp.decompress(data, model=cheap_prior).size == (300, 200)


def test_impossible_budgets_name_a_possible_one(cheap_prior: Path, photo_u8: NDArray[np.uint8]) -> None:
    with pytest.raises(BudgetError) as fault:
        wisp.compress(photo_u8, size=8, model=cheap_prior)
    smallest = fault.value.smallest_num_bytes
    assert len(wisp.compress(photo_u8, size=smallest, model=cheap_prior)) <= smallest


def test_the_shorter_of_both_wins_at_a_quality(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_for_model(prior_model, 1)
    data = wisp.compress(photo_u8, quality=50, model=prior_model)
    if unpack_file(data).header.uses_prior:
        pyramid = codec.decode_tokens(unpack_file(data))
        assert len(codec.entropy_model.write(pyramid).data) >= len(unpack_file(data).payload)
    else:
        assert len(force_prior(codec, data)) >= len(data)


def test_without_a_prior_the_file_is_refused(
    tiny_model: Path, prior_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    data = force_prior(codec_for_model(prior_model, 1), wisp.compress(photo_u8, size=900, model=prior_model))
    with pytest.raises(ModelMismatch, match="masked prior"):
        wisp.decompress(data, model=tiny_model)


def altered(folder: Path, place: Path, **changes: Any) -> Path:
    """A copy of a bundle with other arrays in its prior, and hashes that fit."""
    shutil.copytree(folder, place)
    with np.load(place / PRIOR_NAME) as archive:
        parts = {name: archive[name] for name in archive.files}
    parts.update(changes)
    np.savez(place / PRIOR_NAME, **{name: part for name, part in parts.items() if part is not None})
    write_config(place, json.loads((place / CONFIG_NAME).read_text()))
    return place


@pytest.fixture(scope="module")
def cheap_prior(prior_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose tables say nothing beside its prior, so that the prior is always chosen."""
    place = tmp_path_factory.mktemp("cheap") / "tiny"
    shutil.copytree(prior_model, place)
    with np.load(place / PRIOR_NAME) as archive:
        parts = {name: archive[name] for name in archive.files}
    codec = codec_for_model(prior_model, 1)
    for i in range(12):  # what the tables know without context moves into the prior
        bias = codec.bundle.tables[f"bias_{i}"].astype(np.int32)
        parts[f"bias_{i}"] = parts[f"bias_{i}"] + (bias << int(parts["shifts"][i]))
    with np.load(place / "tables.npz") as archive:
        tables = {name: archive[name] for name in archive.files}
    for i in range(12):
        tables[f"bias_{i}"] = np.zeros_like(tables[f"bias_{i}"])
        for name in tables:
            if name.startswith(f"table_{i}_"):
                tables[name] = np.zeros_like(tables[name])
    np.savez(place / "tables.npz", **tables)
    parts["savings"] = np.full(12, 0.8)
    prior = MaskedPrior(parts, codec.bundle.prior_network, (32, 16, 8), (4, 4, 4))
    parts["golden"] = np.array([prior.golden_hash(level) for level in range(3)])
    np.savez(place / PRIOR_NAME, **parts)
    write_config(place, json.loads((place / CONFIG_NAME).read_text()))
    return place


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"golden": np.array(["0" * 64] * 3)}, "golden hash"),
        ({"bias_0": np.arange(256, dtype=np.int32) * 64}, "golden hash"),
        ({"stages": np.full(12, 3)}, "stages among"),
        ({"head_3": np.zeros((16, 255), np.int8)}, "256 logits"),
        ({"bias_2": np.full(256, 1 << 25, np.int32)}, "below 16777216"),
        ({"head_1": None}, "prior of 12 groups"),
        ({"step_0": None}, "step_0"),
        ({"step_0": np.zeros(9, np.uint8)}, "loadable network"),
        ({"savings": np.ones(3)}, "prior of 12 groups"),
    ],
)
def test_broken_priors_are_named(
    prior_model: Path, tmp_path: Path, photo_u8: NDArray[np.uint8], changes: dict[str, Any], message: str
) -> None:
    data = force_prior(codec_for_model(prior_model, 1), wisp.compress(photo_u8, size=300, model=prior_model))
    broken = altered(prior_model, tmp_path / "tiny", **changes)
    with pytest.raises(ModelMismatch, match=message):
        wisp.decompress(data, model=broken)


def test_a_fault_in_one_window_is_the_callers() -> None:
    turn = np.ones((40, 200), bool)
    bands = list(bands_of(turn, 400, 2))
    assert len(bands[0].pieces) > 3
    threads = set()
    together = threading.Barrier(3)

    def features(rows: slice, columns: slice) -> NDArray[np.float32]:
        threads.add(threading.get_ident())
        if columns.start < 50:  # the first three pieces are looked at at once, or never
            together.wait(60)
        else:
            raise MemoryError("too little")
        return np.zeros((*turn[rows, columns].shape, 1), np.float32)

    with pytest.raises(MemoryError, match="too little"):
        chosen_features(turn, bands[0], 2, features, 3)
    assert len(threads) == 3


def test_a_tall_plane_is_cut_too() -> None:
    turn = np.zeros((5000, 64), bool)
    turn[:, 30] = True
    assert max(band.rows.stop - band.rows.start for band in bands_of(turn, WINDOW, 6)) <= 2 * 96
