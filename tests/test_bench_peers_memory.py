"""Peers remember the last picture's files: time is saved, answers stay the same."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peer_pictures import peer, photo
from PIL import Image, ImageCms

from wisp.bench.catalogue import SCALABLE
from wisp.bench.codec import Encoded, Unreachable
from wisp.bench.peers import avif
from wisp.bench.peers.jpeg import JpegCodec
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.quality_search import Candidate
from wisp.bench.peers.scaled import ScaledCodec

PICTURE = photo(40, 24)


def outcome(found: Encoded | Unreachable) -> tuple[object, ...]:
    if isinstance(found, Unreachable):
        return ("unreachable", found.smallest_num_bytes)
    return (found.data_num_bytes, found.setting, found.decoded.tobytes())


def test_a_step_is_made_once_a_picture() -> None:
    made: list[tuple[int, int]] = []

    def make(image: Image.Image, step: int) -> int:
        made.append((image.width, step))
        return image.width * step

    files: LastPicture[int, int] = LastPicture()
    assert [files.remembering(PICTURE, make)(step) for step in (2, 3, 2)] == [80, 120, 80]
    assert files.remembering(PICTURE.copy(), make)(2) == 80
    assert made == [(40, 2), (40, 3)]
    assert files.remembering(photo(8, 8), make)(2) == 16
    assert files.remembering(PICTURE, make)(2) == 80
    assert made == [(40, 2), (40, 3), (8, 2), (40, 2)]


def test_pixels_decide_which_picture_it_is() -> None:
    files: LastPicture[int, bytes] = LastPicture()
    image = PICTURE.copy()
    before = files.remembering(image, lambda made, _: made.tobytes())(0)
    image.putpixel((3, 2), (1, 2, 3))
    after = files.remembering(image, lambda made, _: made.tobytes())(0)
    assert before == PICTURE.tobytes()
    assert after == image.tobytes() != before


@settings(max_examples=25, deadline=None)
@given(budgets=st.lists(st.integers(300, 2500), min_size=1, max_size=8), flags=st.lists(st.booleans()))
def test_earlier_budgets_do_not_change_an_answer(budgets: list[int], flags: list[bool]) -> None:
    veteran = JpegCodec()
    other = photo(40, 24, seed=6)
    for index, budget in enumerate(budgets):
        image = other if index < len(flags) and flags[index] else PICTURE
        assert outcome(veteran.fit(image, budget)) == outcome(JpegCodec().fit(image, budget))


@pytest.mark.parametrize("denominator", [1, 2])
def test_budgets_share_encodes(monkeypatch: pytest.MonkeyPatch, denominator: int) -> None:
    steps: list[int] = []
    real = avif._encode

    def counted(image: Image.Image, quality: int) -> Candidate:
        steps.append(quality)
        return real(image, quality)

    monkeypatch.setattr(avif, "_encode", counted)
    codec = avif.AvifCodec() if denominator == 1 else ScaledCodec(avif.AvifCodec(), denominator)
    codec.fit(PICTURE, 10)
    refused = len(steps)
    codec.fit(PICTURE, 11)
    assert len(steps) == refused, "an unreachable budget costs one search, however many there are"
    codec.fit(PICTURE, 700)
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize("name", SCALABLE)
def test_metadata_costs_no_peer_a_byte(name: str) -> None:
    codec = peer(name)
    bare = codec.fit(PICTURE, 900)
    exif = Image.Exif()
    exif[0x010E] = "a description of the picture"
    sink = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    PICTURE.save(sink, "PNG", exif=exif, icc_profile=profile)
    with Image.open(sink) as opened:
        laden = opened.convert("RGB")
    assert {"exif", "icc_profile"} <= set(laden.info)
    assert outcome(peer(name).fit(laden, 900)) == outcome(bare)
    assert {"exif", "icc_profile"} <= set(laden.info), "the caller's picture is left as it was"
