"""BlurHash and ThumbHash: a few bytes, a few cosines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from peer_pictures import peer, photo
from PIL import Image

from wisp.bench.codec import CodecUnavailable, Encoded, Unreachable
from wisp.bench.peers.blurhash import components_within
from wisp.bench.peers.placeholder_size import size_within
from wisp.bench.peers.thumbhash import ThumbhashCodec

SIDES = st.integers(1, 5000)


def pixels(found: Encoded | Unreachable) -> NDArray[np.int64]:
    """The decoded picture, (H, W, 3), 0..255."""
    assert isinstance(found, Encoded)
    return np.asarray(found.decoded).astype(np.int64)


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (300, 200), left)
    image.paste(right, (150, 0, 300, 200))
    return image


@given(width=SIDES, height=SIDES, bound=st.integers(1, 200))
def test_sizes_within_a_bound(width: int, height: int, bound: int) -> None:
    small = size_within((width, height), bound)
    if max(width, height) <= bound:
        assert small == (width, height)
    else:
        assert max(small) == bound
        assert min(small) == max(1, round(min(width, height) * bound / max(width, height)))
        assert (small[0] < small[1]) <= (width < height)


@given(width=SIDES, height=SIDES, budget=st.integers(6, 400))
def test_blurhash_fills_its_budget(width: int, height: int, budget: int) -> None:
    components = components_within((width, height), budget)
    assert components is not None
    across, down = components
    assert 1 <= across <= 9
    assert 1 <= down <= 9
    assert 4 + 2 * across * down <= budget
    assert components_within((height, width), budget) in ((down, across), (across, down))
    resolution = min(across / width, down / height)
    for other in [(a, d) for a in range(1, 10) for d in range(1, 10) if 4 + 2 * a * d <= budget]:
        assert min(other[0] / width, other[1] / height) <= resolution + 1e-12


@pytest.mark.parametrize(
    ("budget", "components"),
    [
        (5, None),
        (6, (1, 1)),
        (21, (4, 2)),
        (28, (4, 3)),
        (52, (6, 4)),
        (98, (9, 5)),
        (166, (9, 9)),
        (9999, (9, 9)),
    ],
)
def test_blurhash_components_of_a_landscape(budget: int, components: tuple[int, int] | None) -> None:
    assert components_within((768, 512), budget) == components
    assert components_within((512, 768), budget) == (components and components[::-1])


def test_blurhash_sizes_and_settings() -> None:
    codec = peer("blurhash")
    for budget, num_bytes, setting in ((6, 6, "1x1"), (29, 28, "4x3"), (166, 166, "9x9"), (5000, 166, "9x9")):
        found = codec.fit(photo(), budget)
        assert isinstance(found, Encoded)
        assert (found.data_num_bytes, found.setting) == (num_bytes, f"components={setting}")
    assert codec.fit(photo(), 5) == Unreachable(smallest_num_bytes=6)


def test_blurhash_of_one_colour_is_that_colour() -> None:
    decoded = pixels(peer("blurhash").fit(Image.new("RGB", (200, 100), (201, 77, 30)), 6))
    assert np.abs(decoded - [201, 77, 30]).max() <= 1


def test_blurhash_means_light_and_not_numbers() -> None:
    # Half black and half white is half of white's light: sRGB 188, by the formula of IEC 61966-2-1.
    decoded = pixels(peer("blurhash").fit(halves((0, 0, 0), (255, 255, 255)), 6))
    assert np.abs(decoded - 188).max() <= 1


def test_more_components_come_closer() -> None:
    image = photo(32, 24).resize((96, 64), Image.Resampling.BICUBIC)
    codec = peer("blurhash")
    errors = [
        float(((pixels(codec.fit(image, b)) - np.asarray(image)) ** 2).mean()) for b in (6, 28, 98, 166)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.6 * errors[0]


@pytest.mark.parametrize("name", ["blurhash", "thumbhash"])
def test_sides_stay_where_they_are(name: str) -> None:
    decoded = pixels(peer(name).fit(halves((200, 40, 40), (40, 40, 200)), 200))
    left, right = decoded[:, 30:120].mean(axis=(0, 1)), decoded[:, 180:270].mean(axis=(0, 1))
    assert left[0] > right[0] + 60
    assert right[2] > left[2] + 60
    rows = decoded.mean(axis=1)
    assert np.ptp(rows, axis=0).max() < 30


@pytest.mark.parametrize(
    ("size", "num_bytes"),
    [((768, 512), 21), ((512, 768), 21), ((300, 300), 24), ((400, 10), 17), ((1, 1), 24)],
)
def test_thumbhash_fits_or_does_not(size: tuple[int, int], num_bytes: int) -> None:
    codec = peer("thumbhash")
    image = photo(768, 768).crop((0, 0, *size))
    assert codec.fit(image, num_bytes - 1) == Unreachable(smallest_num_bytes=num_bytes)
    exact, roomy = codec.fit(image, num_bytes), codec.fit(image, 10**5)
    assert isinstance(exact, Encoded)
    assert exact.data_num_bytes == num_bytes
    assert pixels(exact).shape == (size[1], size[0], 3)
    assert (pixels(exact) == pixels(roomy)).all()


def test_thumbhash_of_one_colour_is_nearly_that_colour() -> None:
    # The mean has 6 bits for brightness and for each of two colour differences.
    decoded = pixels(peer("thumbhash").fit(Image.new("RGB", (64, 64), (201, 77, 30)), 24))
    assert np.abs(decoded - [201, 77, 30]).max() <= 8


def flat(data: bytes) -> tuple[int, int, bytes]:
    return 32, 21, bytes((90, 90, 90, 255)) * (32 * 21)


def too_short(data: bytes) -> tuple[int, int, bytes]:
    return 32, 21, b"\0"


@pytest.mark.parametrize("decode", [flat, too_short, None])
def test_another_packages_thumbhash_is_refused(
    monkeypatch: pytest.MonkeyPatch, decode: Callable[[bytes], tuple[int, int, bytes]] | None
) -> None:
    other = SimpleNamespace(rgba_to_thumb_hash=lambda width, height, rgba: bytes(21))
    if decode is not None:
        other.thumb_hash_to_rgba = decode
    monkeypatch.setitem(sys.modules, "thumbhash", other)
    with pytest.raises(CodecUnavailable, match="pip install --force-reinstall thumbhash-rs"):
        ThumbhashCodec()
