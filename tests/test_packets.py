"""Packets of pictures: budgets, any subset in any order, damage, determinism, and what stands in for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import wisp
from wisp.codecs import codec_for_model, decode_tokens
from wisp.codecs.packet_reading import read_packets
from wisp.codecs.repair import BlendNeighbours
from wisp.container.packet import Packet, pack_packet, unpack_packet
from wisp.container.packet_set import sort_packets
from wisp.errors import (
    BitstreamError,
    BudgetError,
    Corrupt,
    ImageError,
    MixedPackets,
    ModelMismatch,
    UsageError,
)
from wisp.runtime.codebooks import read_codebooks
from wisp.tokens.interleave import interleave, put_regions, take_regions
from wisp.tokens.pyramid import NOT_SENT, PyramidShape, TokenPyramid

SHAPE = PyramidShape(5, 7, (32, 16, 8), (2, 1, 3))


def random_pyramid(seed: int = 0) -> TokenPyramid:
    random = np.random.default_rng(seed)
    planes = tuple(
        random.integers(0, 256, (g, *SHAPE.plane_shape(i))).astype(np.uint8)
        for i, g in enumerate(SHAPE.groups)
    )
    grain = random.integers(1, SHAPE.num_groups + 1, (SHAPE.rows, SHAPE.columns)).astype(np.uint8)
    return TokenPyramid(SHAPE, planes, grain)


@pytest.fixture(scope="module")
def sent(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> list[bytes]:
    """A picture of 10 x 7 regions in eight packets."""
    return wisp.packetize(photo_u8, size=640, mtu=80, model=tiny_model, threads=1)


# ---- which region travels where ----


def test_the_page_shows_how_regions_are_dealt() -> None:
    wanted = [[0, 2, 0, 3, 1, 4], [3, 1, 4, 2, 0, 3], [2, 0, 3, 1, 3, 1], [1, 4, 2, 4, 2, 0]]
    assert interleave(4, 6, 5).tolist() == wanted
    assert interleave(2, 3, 2).tolist() == [[0, 1, 0], [1, 0, 1]]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_packets_have_equally_many_regions_and_neighbours_part(rows: int, columns: int, count: int) -> None:
    count = min(count, rows * columns)
    packets = interleave(rows, columns, count)
    sizes = np.bincount(packets.ravel(), minlength=count)
    assert sizes.max() - sizes.min() <= 1
    if 5 <= count <= rows * columns // 8:
        assert not (packets[:, 1:] == packets[:, :-1]).any()
        assert not (packets[1:] == packets[:-1]).any()


@given(st.integers(1, 35), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_regions_come_back_to_their_places(count: int, seed: int) -> None:
    whole = random_pyramid(seed)
    owners = interleave(SHAPE.rows, SHAPE.columns, count).ravel()
    empty = TokenPyramid(SHAPE, tuple(np.zeros_like(p) for p in whole.planes), np.zeros_like(whole.grain_map))
    for index in range(count):
        chosen = np.flatnonzero(owners == index)
        put_regions(take_regions(whole, chosen), chosen, empty)
    assert empty == whole


# ---- writing ----


@pytest.mark.parametrize(
    ("size", "mtu"), [(400, 400), (600, 200), (640, 80), (999, 100), (950, 255), (777, 64)]
)
def test_budget_and_mtu_are_kept_and_used(
    tiny_model: Path, photo_u8: NDArray[np.uint8], size: int, mtu: int
) -> None:
    packets = wisp.packetize(photo_u8, size=size, mtu=mtu, model=tiny_model, threads=1)
    assert max(map(len, packets)) <= mtu
    assert 0.9 * size <= sum(map(len, packets)) <= size
    full = wisp.unpacketize(packets, model=tiny_model, threads=1)
    assert (full.image.size, full.partial, full.count) == ((300, 200), False, len(packets))
    assert full.info.num_bytes == sum(map(len, packets))
    assert full.confidence.min() > 0


def test_the_same_picture_gives_the_same_packets(
    tiny_model: Path, photo_u8: NDArray[np.uint8], sent: list[bytes]
) -> None:
    assert wisp.packetize(photo_u8, size="640B", mtu=80, model=tiny_model, threads=1) == sent
    other = wisp.packetize(255 - photo_u8, size=640, mtu=80, model=tiny_model, threads=1)
    assert unpack_packet(other[0]).picture_id != unpack_packet(sent[0]).picture_id


def test_too_small_a_budget_names_the_smallest(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    with pytest.raises(BudgetError) as caught:
        wisp.packetize(photo_u8, size=1, mtu=20, model=tiny_model, threads=1)
    smallest = caught.value.smallest_num_bytes
    packets = wisp.packetize(photo_u8, size=smallest, mtu=20, model=tiny_model, threads=1)
    assert sum(map(len, packets)) <= smallest
    with pytest.raises(BudgetError):
        wisp.packetize(photo_u8, size=smallest - 1, mtu=20, model=tiny_model, threads=1)
    with pytest.raises(UsageError, match="raise the mtu"):
        wisp.packetize(photo_u8, size=24, mtu=12, model=tiny_model, threads=1)


def test_tiny_pictures_have_at_most_a_packet_a_region(tiny_model: Path) -> None:
    packets = wisp.packetize(np.zeros((40, 50), np.uint8), size=2000, mtu=50, model=tiny_model, threads=1)
    assert len(packets) <= 4
    full = wisp.unpacketize(packets[-1:], model=tiny_model, threads=1)
    assert (full.image.mode, full.image.size) == ("L", (50, 40))


def test_a_file_is_sent_token_by_token(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    data = wisp.compress(photo_u8, size=600, model=tiny_model, threads=1)
    packets = wisp.packetize(data, mtu=100, model=tiny_model, threads=1)
    assert max(map(len, packets)) <= 100
    codec = codec_for_model(tiny_model, 1)
    assert read_packets(codec, sort_packets(packets)).pyramid == decode_tokens(
        data, model=tiny_model, threads=1
    )
    with pytest.raises(UsageError, match="keeps its own"):
        wisp.packetize(data, size=500, model=tiny_model)
    with pytest.raises(UsageError, match="raise the mtu"):
        wisp.packetize(wisp.compress(photo_u8, quality=100, model=tiny_model), mtu=14, model=tiny_model)


@pytest.mark.parametrize(
    "options",
    [{"mtu": 11}, {"mtu": 65536}, {"mtu": "200"}, {"mtu": True}, {"size": 0}, {"size": 1.5}, {"size": 10**9}],
)
def test_options_out_of_range(
    tiny_model: Path, photo_u8: NDArray[np.uint8], options: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        wisp.packetize(photo_u8, model=tiny_model, **options)  # type: ignore[arg-type]


def test_what_is_no_picture(tiny_model: Path) -> None:
    with pytest.raises((ImageError, UsageError)):
        wisp.packetize("photo.jpg", model=tiny_model)  # type: ignore[arg-type]


# ---- reading ----


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_packets_in_any_order_with_copies_and_noise_decode(
    tiny_model: Path, sent: list[bytes], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(sent) - 1), min_size=1, max_size=12))
    noise = data.draw(st.lists(st.binary(max_size=90), max_size=3))
    full = wisp.unpacketize([*noise, *(sent[i] for i in chosen)], model=tiny_model, threads=1)
    assert full.image.size == (300, 200)
    assert full.received == tuple(sorted(set(chosen)))
    assert full.partial == (len(set(chosen)) < len(sent))
    assert len(full.dropped) + full.num_duplicates == len(chosen) - len(set(chosen)) + len(noise)
    scale = full.info.scale_exponent
    rows, columns = (-(-side // (32 << scale)) for side in (200, 300))
    arrived = np.isin(interleave(rows, columns, len(sent)), chosen)
    assert np.array_equal(full.confidence > 0, arrived)


def test_order_does_not_matter(tiny_model: Path, sent: list[bytes]) -> None:
    one = wisp.unpacketize(sent[2:5], model=tiny_model, threads=1)
    other = wisp.unpacketize(sent[4:1:-1], model=tiny_model, threads=1)
    assert one.image.tobytes() == other.image.tobytes()


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_is_a_dropped_packet(
    tiny_model: Path, sent: list[bytes], place: int, flip: int
) -> None:
    place %= len(sent[1])
    changed = sent[1][:place] + bytes([sent[1][place] ^ flip]) + sent[1][place + 1 :]
    codec = codec_for_model(tiny_model, 1)
    found = sort_packets([sent[0], changed])
    assert [d.place for d in found.dropped] == [1]
    assert [p.index for p in read_packets(codec, found).packets] == [0]


@given(st.binary(min_size=1, max_size=120))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_forged_payload_is_dropped_or_decodes(tiny_model: Path, sent: list[bytes], payload: bytes) -> None:
    real = unpack_packet(sent[1])
    forged = pack_packet(Packet(real.header, real.picture_id, 1, real.count, payload))
    codec = codec_for_model(tiny_model, 1)
    found = read_packets(codec, sort_packets([sent[0], forged]))
    assert [p.index for p in found.packets] in ([0], [0, 1])
    assert len(found.packets) + len(found.dropped) == 2


def test_damaged_payloads_alone_are_an_error(tiny_model: Path, sent: list[bytes]) -> None:
    real = unpack_packet(sent[1])
    longer = pack_packet(Packet(real.header, real.picture_id, 1, real.count, real.payload + b"\0"))
    with pytest.raises(Corrupt, match="found none among 1"):
        wisp.unpacketize([longer], model=tiny_model)
    too_many = pack_packet(Packet(real.header, real.picture_id, 1, 4000, real.payload))
    with pytest.raises(Corrupt, match="one a region"):
        wisp.unpacketize([too_many], model=tiny_model)


def test_wrong_sets_are_named(tiny_model: Path, photo_u8: NDArray[np.uint8], sent: list[bytes]) -> None:
    other = wisp.packetize(photo_u8[::-1], size=640, mtu=80, model=tiny_model, threads=1)
    with pytest.raises(MixedPackets) as caught:
        wisp.unpacketize([*sent, *other], model=tiny_model)
    chosen = wisp.unpacketize([*sent, *other], picture_id=caught.value.picture_ids[0], model=tiny_model)
    assert (len(chosen.received), len(chosen.dropped)) == (8, 8)
    with pytest.raises(ModelMismatch):
        wisp.unpacketize(sent, model="wisp_small")
    for wrong in (sent[0], "abc", 5, ["abc"], []):
        with pytest.raises(UsageError):
            wisp.unpacketize(wrong, model=tiny_model)  # type: ignore[arg-type]
    with pytest.raises(BitstreamError):
        wisp.unpacketize(sent, max_pixels=1000, model=tiny_model)


# ---- missing regions ----


def test_the_bundle_tells_its_codebooks(tiny_model: Path) -> None:
    bundle = codec_for_model(tiny_model, 1).bundle
    books = read_codebooks(bundle)
    assert books is not None
    assert [len(book) for book in books] == list(bundle.config.groups)
    assert all(book.shape[1] == NOT_SENT + 1 and not book[:, NOT_SENT].any() and book.any() for book in books)


def test_missing_regions_blend_their_neighbours() -> None:
    books = np.zeros((2, NOT_SENT + 1, 2), np.float32)
    books[0, :NOT_SENT, 0] = np.arange(NOT_SENT)  # the first group counts whole steps, the second eighths
    books[1, :NOT_SENT, 0] = (np.arange(NOT_SENT) - 4) / 8
    shape = PyramidShape(1, 3, (32, 16), (2, 1))
    planes = (np.array([[[10, 0, 21]], [[4, 0, 4]]], np.uint8), np.zeros((1, 2, 6), np.uint8))
    grain = np.array([[3, 0, 2]], np.uint8)
    filled = BlendNeighbours(books).fill(TokenPyramid(shape, planes, grain), grain > 0)
    assert filled.planes[0][:, 0].tolist() == [[10, 15, 21], [4, 8, 4]]  # 15.5, of 15 and 16 the first
    assert filled.grain_map.tolist() == [[3, 2, 2]]
    assert planes[0][0, 0, 1] == 0


def test_regions_far_from_any_other_take_the_mean() -> None:
    books = np.zeros((1, NOT_SENT + 1, 1), np.float32)
    books[0, :NOT_SENT, 0] = np.arange(NOT_SENT)
    shape = PyramidShape(1, 40, (32,), (1,))
    tokens = np.zeros((1, 1, 40), np.uint8)
    tokens[0, 0, :2] = 20, 60
    grain = (np.arange(40) < 2).astype(np.uint8)[None]
    filled = BlendNeighbours(books).fill(TokenPyramid(shape, (tokens,), grain), grain > 0)
    assert filled.planes[0][0, 0, 39] == 40
    assert filled.planes[0][0, 0, 2] == 52  # (60 / 1 + 20 / 4) / (1 + 1 / 4)


@pytest.mark.parametrize(
    "wrong", [{"picture_id": "2386"}, {"picture_id": 1.5}, {"max_pixels": None}, {"max_pixels": "3"}]
)
def test_options_of_the_wrong_kind_are_named(
    tiny_model: Path, photo_u8: NDArray[np.uint8], wrong: dict[str, Any]
) -> None:
    packets = wisp.packetize(photo_u8, size=500, mtu=100, model=tiny_model, threads=1)
    with pytest.raises(UsageError, match=next(iter(wrong))):
        wisp.unpacketize(packets, model=tiny_model, **wrong)
