"""Detail behind the tokens: budgets beyond the model are met, and every damage is a named error."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features

import wisp
from wisp.codecs import codec_for_model, decode_tokens, detail, detail_budget
from wisp.codecs.detail import MIN_ROOM, add_detail, write_detail
from wisp.codecs.detail_budget import FRAMES_BPP
from wisp.container import unpack_file
from wisp.errors import Corrupt, LimitExceeded, Truncated, UsageError
from wisp.imaging.alpha_plane import pack_alpha, unpack_alpha
from wisp.types import Fill


def error(shown: object, picture: NDArray[np.uint8]) -> float:
    return float(np.square(np.asarray(shown).astype(float) - picture).mean())


def smooth(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blocks of 8 pixels of one colour: what a codec might show."""
    height, width = (side // 8 * 8 for side in picture.shape[:2])
    means = picture[:height, :width].reshape(height // 8, 8, width // 8, 8, 3).mean((1, 3))
    return means.repeat(8, 0).repeat(8, 1).astype(np.uint8)


@pytest.fixture(scope="module")
def pair(photo_u8: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shown = smooth(photo_u8)
    return photo_u8[: shown.shape[0], : shown.shape[1]], shown


@pytest.fixture(scope="module")
def frame(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> bytes:
    written = write_detail(*pair, 1500)
    assert written is not None
    return written


@pytest.mark.parametrize("room", [400, 1500, 5003, 20_000])
def test_the_room_is_kept_and_used_and_the_picture_gets_better(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], room: int
) -> None:
    original, shown = pair
    frame = write_detail(original, shown, room)
    assert frame is not None
    assert 0.95 * room <= len(frame) <= room
    assert error(add_detail(shown, frame), original) < error(shown, original)


def test_more_room_is_never_worse(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    original, shown = pair
    errors = []
    for room in (600, 1200, 2400, 4800, 9600):
        frame = write_detail(original, shown, room)
        assert frame is not None
        errors.append(error(add_detail(shown, frame), original))
    assert errors == sorted(errors, reverse=True)


def test_other_methods_fill_what_one_leaves(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, shown = pair
    monkeypatch.setattr(detail, "TRIES", 0)  # no neighbours: the fullest frame of one method leaves some room
    monkeypatch.setattr(detail, "STRENGTHS", 0)
    gained = 0
    for room in (700, 1500, 3100, 5003):
        one = write_detail(original, shown, room)
        several = write_detail(original, shown, room, room - 3)
        assert one is not None
        assert several is not None
        assert len(one) <= len(several) <= room
        assert error(add_detail(shown, several), original) <= 1.01 * error(add_detail(shown, one), original)
        assert write_detail(original, shown, room, len(one)) == one
        gained += len(several) > len(one)
    assert gained


def test_no_frame_where_none_fits(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    original, shown = pair
    assert write_detail(original, shown, MIN_ROOM - 1) is None
    wide = np.zeros((1, 16384, 3), np.uint8)
    assert write_detail(wide, wide, 10_000) is None


def test_sums_stay_within_8_bits() -> None:
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    frame = write_detail(white, black, 2000)
    assert frame is not None
    assert add_detail(black, frame).min() >= 120
    assert (add_detail(white, frame) == 255).all()


def test_limits_of_a_program_s_pillow_damage_nothing(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, shown = pair
    before, alpha = add_detail(shown, frame), pack_alpha(picture[..., 0])
    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", shown[..., 0].size - 1
    )  # a warning, which is an error here
    assert np.array_equal(add_detail(shown, frame), before)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(LimitExceeded, match="MAX_IMAGE_PIXELS"):
        add_detail(shown, frame)
    plane = unpack_alpha(alpha, picture.shape[1], picture.shape[0])
    assert np.array_equal(np.asarray(plane), picture[..., 0])


def test_a_pillow_without_webp_is_not_a_damaged_file(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda name: name != "webp")
    with pytest.raises(UsageError, match="Pillow with WebP"):
        add_detail(pair[1], frame)


def test_foreign_and_damaged_frames(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    original, shown = pair
    frame = write_detail(original, shown, 3000)
    assert frame is not None
    with pytest.raises(Corrupt, match="296x200"):
        add_detail(shown[:, :-8], frame)
    for wrong in (b"", frame[:9], bytes(10), b"\x01" + frame[1:], frame[:3] + b"\0\0\0" + frame[6:]):
        with pytest.raises(Corrupt):
            add_detail(shown, wrong)
    with pytest.raises(Corrupt):
        add_detail(shown, frame[:40])
    scaled = struct.pack("<HH", shown.shape[1] | 1 << 14, shown.shape[0])
    with pytest.raises(Corrupt):
        add_detail(shown, frame[:6] + scaled + frame[10:])
    sizes = struct.pack("<HH", 16383, 16383)
    with pytest.raises(Corrupt, match="16383"):
        add_detail(shown, frame[:6] + sizes + frame[10:])


@pytest.fixture(scope="module")
def full(prior_model: Path, photo_u8: NDArray[np.uint8]) -> bytes:
    """The largest file of tokens alone."""
    return wisp.compress(photo_u8, quality=100, model=prior_model)


@pytest.mark.parametrize("more", [50, 200, 700, 3000, 20_000])
def test_budgets_beyond_the_tokens_are_kept_and_used(
    prior_model: Path, photo_u8: NDArray[np.uint8], full: bytes, more: int
) -> None:
    size = len(full) + more
    data = wisp.compress(photo_u8, size=size, model=prior_model)
    assert data == wisp.compress(photo_u8, size=size, model=prior_model, threads=2)
    assert 0.97 * size <= len(data) <= size
    info = wisp.read_info(data)
    assert info.num_bytes == info.header_num_bytes + info.payload_num_bytes == len(data)
    shown = wisp.decompress(data, model=prior_model)
    if more >= 700:
        assert info.format_version == 3
        assert error(shown, photo_u8) < error(wisp.decompress(full, model=prior_model), photo_u8)


def test_more_bytes_beyond_the_tokens_are_not_worse(photo_u8: NDArray[np.uint8]) -> None:
    first, second = (int(bpp * photo_u8[..., 0].size / 8) for bpp in FRAMES_BPP)
    tokens = wisp.compress(photo_u8, quality=100)
    errors = [error(wisp.decompress(tokens), photo_u8)]
    for more in (50, first - 1, first, second - 1, second, 2 * second):
        data = wisp.compress(photo_u8, size=len(tokens) + more)
        errors.append(error(wisp.decompress(data), photo_u8))
    assert all(after <= 1.01 * before for before, after in itertools.pairwise(errors)), errors


def test_a_larger_frame_is_tried_where_a_small_one_is_worse(
    prior_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr(detail_budget, "write_detail", lambda *_: None)
        tokens = wisp.compress(photo_u8, size=50_000, model=prior_model)
    assert wisp.read_info(tokens).format_version < 3
    rooms = []

    def write(
        original_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], room: int, wanted: int
    ) -> bytes | None:
        rooms.append(room)
        return write_detail(original_u8, 255 - original_u8 if len(rooms) == 1 else shown_u8, room, wanted)

    monkeypatch.setattr(detail_budget, "write_detail", write)
    data = wisp.compress(photo_u8, size=len(tokens) + 60, model=prior_model)
    first, second = (int(bpp * photo_u8[..., 0].size / 8) for bpp in FRAMES_BPP)
    assert 0.95 * first <= rooms[0] < 0.95 * second <= rooms[1]
    assert wisp.read_info(data).format_version == 3


def test_a_side_that_no_frame_can_have_costs_no_second_coding(
    prior_model: Path, photo_u8: NDArray[np.uint8], full: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detail_budget, "MAX_SIDE", 299)
    monkeypatch.setattr(detail_budget, "write_detail", pytest.fail)
    alone = wisp.compress(photo_u8, size=len(full) + 3000, model=prior_model)
    assert wisp.read_info(alone).format_version < 3


def test_a_file_with_detail_in_all_its_parts(
    prior_model: Path, photo_u8: NDArray[np.uint8], full: bytes
) -> None:
    data = wisp.compress(photo_u8, size=len(full) + 1500, model=prior_model)
    tokens, detail = codec_for_model(prior_model).decode(unpack_file(data))
    assert tokens == decode_tokens(data, model=prior_model)
    assert len(detail) > 1000
    whole = wisp.reconstruct(data, model=prior_model)
    made_up = wisp.reconstruct(data, fill=Fill.generate, seed=3, model=prior_model)
    assert made_up.num_generated == 0
    assert np.array_equal(np.asarray(made_up.image), np.asarray(whole.image))
    for end in (len(data) - 1, len(data) - 2, len(data) - 700, len(data) - len(detail) - 2):
        with pytest.raises(Truncated):
            wisp.decompress(data[:end], model=prior_model)
        part = wisp.reconstruct(data[:end], allow_partial=True, model=prior_model)
        assert part.partial
        filled = wisp.reconstruct(data[:end], allow_partial=True, fill=Fill.generate, model=prior_model)
        assert filled.num_generated == 0
        assert not part.verified
        assert error(part.image, photo_u8) > error(whole.image, photo_u8)
    random = np.random.default_rng(0)
    for place in random.choice(np.arange(7, len(data)), 60, replace=False).tolist():
        changed = bytearray(data)
        changed[place] ^= int(random.integers(1, 256))
        with pytest.raises((Corrupt, Truncated)):
            wisp.decompress(bytes(changed), model=prior_model)
    with pytest.raises(Corrupt):
        wisp.decompress(data + b"\0", model=prior_model)


def test_empty_detail_and_detail_of_a_reduced_picture_are_corrupt(
    prior_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    codec = codec_for_model(prior_model)
    for size, exponent in ((900, 0), (30, 1)):
        file = unpack_file(wisp.compress(photo_u8, size=size, model=prior_model))
        header = replace(file.header, version=3, scale_exponent=max(exponent, file.header.scale_exponent))
        tokens = codec.decode_tokens(file)
        data = codec.write_tokens(tokens, header, (), b"" if not exponent else b"frame")
        with pytest.raises(Corrupt, match="full scale"):
            wisp.decompress(data, model=prior_model)


def test_sizes_beyond_any_file_are_met_by_a_smaller_one(
    prior_model: Path, photo_u8: NDArray[np.uint8]
) -> None:
    data = wisp.compress(photo_u8[:64, :64], size="300MB", model=prior_model)
    assert wisp.read_info(data).format_version == 3


def test_grey_pictures_stay_grey(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    grey = photo_u8[..., 1]
    data = wisp.compress(grey, bpp=2.0, model=prior_model)
    shown = wisp.decompress(data, model=prior_model)
    assert shown.mode == "L"
    assert wisp.read_info(data).format_version == 3
    assert error(shown, grey) < 40


def test_alpha_and_exif_travel_beside_it(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    from PIL import Image

    alpha = np.full(photo_u8.shape[:2], 200, np.uint8)
    image = Image.fromarray(np.dstack([photo_u8, alpha]))
    data = wisp.compress(image, size=30_000, alpha="keep", model=prior_model)
    assert len(data) <= 30_000
    assert wisp.read_info(data).format_version == 3
    assert np.array_equal(np.asarray(wisp.decompress(data, model=prior_model))[..., 3], alpha)
