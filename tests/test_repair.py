"""Lost regions: what was received stays, the rest is filled alike everywhere, by rules that a hand can follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import wisp
from wisp.bench.prior_reference import ReferenceRunner
from wisp.codecs import codec_for_model
from wisp.codecs.borrowed_detail import BorrowDetail, nearest_received
from wisp.codecs.masked_prior import MaskedPrior
from wisp.codecs.packet_reading import complete, read_packets, repair_of
from wisp.codecs.prior_entropy import PriorEntropyModel
from wisp.codecs.prior_repair import PriorRepair, mean_codeword
from wisp.codecs.repair import UNIT, LeaveOut
from wisp.container.packet_set import sort_packets
from wisp.errors import ModelMismatch
from wisp.runtime import Bundle
from wisp.runtime.codebooks import read_codebooks
from wisp.tokens.pyramid import NOT_SENT, PyramidShape, TokenPyramid

SURE = 1000  # a logit that leaves nothing to the others


def damaged(rows: int, columns: int, seed: int, share: float = 0.4) -> tuple[TokenPyramid, NDArray[np.bool_]]:
    """Random tokens, some regions of which are missing; the first one is not."""
    random = np.random.default_rng(seed)
    shape = PyramidShape(rows, columns, (32, 16, 8), (4, 4, 4))
    planes = tuple(random.integers(0, 256, (4, *shape.plane_shape(i))).astype(np.uint8) for i in range(3))
    received = random.random((rows, columns)) >= share
    received[0, 0] = True
    grain = np.where(received, random.integers(1, 13, (rows, columns)), 0).astype(np.uint8)
    return TokenPyramid(shape, planes, grain).cut_to_map(), received


def parts_of(folder: Path, threads: int = 1) -> tuple[PriorEntropyModel, NDArray[np.float32]]:
    """A bundle's prior and its coarsest codebooks."""
    codec = codec_for_model(folder, threads)
    books = read_codebooks(codec.bundle)
    assert codec.prior_model is not None
    assert books is not None
    return codec.prior_model, books[0]


class FixedPrior:
    """Stands in for a prior that says the same everywhere: one row of logits for each place."""

    def __init__(self, logits: list[NDArray[np.int16]]) -> None:
        self._logits = logits
        self.prior = SimpleNamespace(check=lambda level: None)

    def visit(self, pyramid: Any, place: int, turn: Any, view: Any, choose: Any) -> NDArray[np.uint8]:
        count = int(turn.sum())
        tokens: NDArray[np.uint8] = choose(
            self._logits[place][None].repeat(count, 0), place, turn, slice(0, count)
        )
        return tokens


def sure_of(token: int) -> NDArray[np.int16]:
    logits = np.full(NOT_SENT, -SURE, np.int16)
    logits[token] = 0
    return logits


def staircase() -> NDArray[np.float32]:
    """Two groups of one dimension: whole steps, then quarters around zero."""
    books = np.zeros((2, NOT_SENT + 1, 1), np.float32)
    books[0, :NOT_SENT, 0] = np.arange(NOT_SENT)
    books[1, :NOT_SENT, 0] = (np.arange(NOT_SENT) - 2) / 4
    return books


def row_of_three() -> tuple[TokenPyramid, NDArray[np.bool_]]:
    """Latents 10 and 20 with a missing region between them."""
    planes = (
        np.array([[[10, 0, 20]], [[2, 0, 2]]], np.uint8),
        np.arange(12, dtype=np.uint8).reshape(1, 2, 6),
    )
    grain = np.array([[3, 0, 2]], np.uint8)
    return TokenPyramid(PyramidShape(1, 3, (32, 16), (2, 1)), planes, grain), grain > 0


# ---- the prior ----


def test_the_mean_codeword_weighs_by_frequency() -> None:
    book = np.arange(NOT_SENT, dtype=np.int64)[:, None] * np.array([[1000, -1000]])
    even = mean_codeword(np.zeros((1, NOT_SENT), np.int16), book)
    assert even.tolist() == [[127_500, -127_500]]
    one = mean_codeword(sure_of(40)[None], book)
    assert np.abs(one - book[40]).max() < 400  # all others keep one 65536th each


@pytest.mark.parametrize("alone", [False, True])
def test_the_prior_meets_the_neighbours_halfway(alone: bool) -> None:
    pyramid, received = row_of_three()
    between = np.full(NOT_SENT, -SURE, np.int16)
    between[[30, 31]] = 0
    logits = [between, sure_of(4)]  # what the next group says is added to what the first one leaves
    model = cast(PriorEntropyModel, FixedPrior(logits))
    filled = PriorRepair(model, staircase(), alone=alone).fill(pyramid, received)
    coarse, fine = filled.planes[0][:, 0, 1].tolist()
    books = np.rint(staircase()[:, :NOT_SENT].astype(np.float64) * UNIT).astype(np.int64)
    said = sum(mean_codeword(row[None], book).item() for row, book in zip(logits, books, strict=True)) / UNIT
    assert 30 < said < 32
    expected = said if alone else (15 + said) / 2
    assert coarse + (fine - 2) / 4 == pytest.approx(expected, abs=0.13)  # half a step of the finer group
    assert fine != 2
    assert filled.grain_map.tolist() == [[3, 2, 2]]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 1 << 30))
def test_what_was_received_stays(prior_model: Path, rows: int, columns: int, seed: int) -> None:
    pyramid, received = damaged(rows, columns, seed)
    before = tuple(plane.copy() for plane in pyramid.planes)
    repair = PriorRepair(*parts_of(prior_model))
    for filled in (repair.fill(pyramid, received), BorrowDetail(repair).fill(pyramid, received)):
        assert replace(filled, grain_map=pyramid.grain_map).cut_to_map() == pyramid
        assert np.array_equal(filled.grain_map[received], pyramid.grain_map[received])
        assert (filled.grain_map[~received] >= 4).all()
        assert filled.cut_to_map() == filled
    assert all(np.array_equal(a, b) for a, b in zip(before, pyramid.planes, strict=True))


def test_threads_runners_and_windows_give_the_same_tokens(prior_model: Path) -> None:
    pyramid, received = damaged(6, 9, 3)
    model, books = parts_of(prior_model)
    one = PriorRepair(model, books).fill(pyramid, received)
    bundle = Bundle(prior_model)
    slow = MaskedPrior(bundle.prior_parts, ReferenceRunner, bundle.config.strides, bundle.config.groups)
    assert PriorRepair(*parts_of(prior_model, 2)).fill(pyramid, received) == one
    assert PriorRepair(PriorEntropyModel(model.tables, slow), books).fill(pyramid, received) == one
    windows = PriorEntropyModel(model.tables, model.prior, window=20)
    assert PriorRepair(windows, books).fill(pyramid, received) == one


def test_a_prior_that_computes_otherwise_is_refused(prior_model: Path) -> None:
    bundle = Bundle(prior_model)
    parts = {**bundle.prior_parts, "golden": np.array(["0" * 64] * 3)}
    wrong = MaskedPrior(parts, bundle.prior_network, bundle.config.strides, bundle.config.groups)
    model, books = parts_of(prior_model)
    with pytest.raises(ModelMismatch, match="golden hash"):
        PriorRepair(PriorEntropyModel(model.tables, wrong), books).fill(*damaged(2, 3, 0))


# ---- borrowed detail ----


def test_the_nearest_is_found_and_ties_go_up_and_left() -> None:
    received = np.zeros((3, 3), np.bool_)
    received[[0, 1, 1, 2], [1, 0, 2, 1]] = True
    assert nearest_received(received).tolist() == [[1, 1, 1], [3, 1, 5], [3, 7, 5]]
    far = np.arange(12)[None] == 0
    assert nearest_received(far).tolist() == [[0] * 9 + [-1] * 3]


def test_finer_tokens_and_depth_come_from_the_nearest() -> None:
    pyramid, received = row_of_three()
    filled = BorrowDetail(LeaveOut()).fill(pyramid, received)
    assert filled.grain_map.tolist() == [[3, 3, 2]]
    assert filled.planes[1][0].tolist() == [[0, 1, 0, 1, 4, 5], [6, 7, 6, 7, 10, 11]]
    assert np.array_equal(filled.planes[0], pyramid.planes[0])
    deeper = replace(pyramid, grain_map=np.array([[1, 0, 2]], np.uint8))
    assert BorrowDetail(LeaveOut()).fill(deeper, received).grain_map.tolist() == [[1, 1, 2]]


# ---- packets ----


def test_packets_are_completed_by_the_best_that_the_model_has(
    tiny_model: Path, prior_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    packets = wisp.packetize(photo_u8, size=640, mtu=80, model=prior_model, threads=1)
    shown = []
    for folder in (tiny_model, prior_model):  # the same tokens and tables, without and with a prior
        codec = codec_for_model(folder, 1)
        received = read_packets(codec, sort_packets(packets[::2]))
        filled = complete(codec, received)
        assert filled.pyramid == repair_of(codec).fill(received.pyramid, received.arrived)
        full = wisp.unpacketize(packets[::2], model=folder, threads=1)
        assert full.generated
        assert full.num_generated == filled.num_generated >= 4 * int((~received.arrived).sum())
        assert np.array_equal(full.confidence > 0, received.arrived)
        shown.append(filled.pyramid)
    assert shown[0] != shown[1]


def test_nothing_is_made_up_when_all_arrives(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    packets = wisp.packetize(photo_u8, size=640, mtu=80, model=prior_model, threads=1)
    full = wisp.unpacketize(packets, model=prior_model, threads=1)
    assert (full.partial, full.num_generated, full.generated) == (False, 0, False)
