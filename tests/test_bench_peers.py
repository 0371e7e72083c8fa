"""The peers: the largest file that fits, or the size of the smallest."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peer_pictures import peer, photo
from PIL import Image

from wisp.bench.catalogue import DENOMINATORS, PEERS, PLACEHOLDERS, SCALABLE, codec_named
from wisp.bench.codec import Encoded, Unreachable
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.peers.quality_search import LOOK_AHEAD, Candidate, fit_by_quality
from wisp.errors import UsageError


def ppm(num_bytes: int) -> bytes:
    """A readable picture file of so many bytes, at least 14."""
    sink = io.BytesIO()
    Image.new("RGB", (1, 1)).save(sink, "PPM")
    return sink.getvalue().ljust(num_bytes, b"\0")


@given(steps=st.lists(st.integers(0, 40), min_size=1, max_size=60), budget=st.integers(10, 700))
def test_search_finds_the_largest_that_fits(steps: list[int], budget: int) -> None:
    sizes = [14 + int(total) for total in np.cumsum(steps)]
    found = fit_by_quality(lambda q: Candidate(ppm(sizes[q]), f"q={q}"), 0, len(sizes) - 1, budget)
    fitting = [(size, quality) for quality, size in enumerate(sizes) if size <= budget]
    if fitting:
        assert isinstance(found, Encoded)
        assert (found.data_num_bytes, found.setting) == (max(fitting)[0], f"q={max(fitting)[1]}")
    else:
        assert found == Unreachable(smallest_num_bytes=sizes[0])


def test_search_looks_past_a_dip() -> None:
    sizes = [20, 30, 40, 52, 49, 60, 70, 80]
    found = fit_by_quality(lambda q: Candidate(ppm(sizes[q]), str(q)), 0, 7, 50)
    assert isinstance(found, Encoded)
    assert (found.data_num_bytes, found.setting) == (49, "4")


def test_search_encodes_few_steps_and_none_twice() -> None:
    asked: list[int] = []

    def encode(step: int) -> Candidate:
        asked.append(step)
        return Candidate(ppm(14 + step), str(step))

    found = fit_by_quality(encode, 0, 10_000, 5014)
    assert isinstance(found, Encoded)
    assert found.data_num_bytes == 5014
    assert len(asked) == len(set(asked)) <= 14 + LOOK_AHEAD


def test_search_decodes_the_best_file_alone() -> None:
    decoded: list[bytes] = []

    def decode(data: bytes) -> Image.Image:
        decoded.append(data)
        return Image.new("RGB", (2, 3))

    found = fit_by_quality(lambda step: Candidate(bytes(step), str(step)), 1, 50, 20, decode)
    assert isinstance(found, Encoded)
    assert found.decoded.size == (2, 3)
    assert decoded == [bytes(20)]


@pytest.mark.parametrize("name", [*SCALABLE, "jpeg@1/2", "webp@1/2", "avif@1/4", "jxl@1/2", "jxl@1/4"])
def test_a_peer_fits_its_budget_and_keeps_the_size(name: str) -> None:
    codec = peer(name)
    image = photo()
    generous, tight = codec.fit(image, 20_000), codec.fit(image, 1500)
    assert isinstance(generous, Encoded)
    assert isinstance(tight, Encoded)
    assert tight.data_num_bytes <= 1500
    assert tight.data_num_bytes < generous.data_num_bytes or "@" in name
    for encoded in (generous, tight):
        assert encoded.decoded.size == image.size
        assert encoded.decoded.mode == "RGB"


@pytest.mark.parametrize("name", [*PEERS, "webp@1/4", "jxl@1/2"])
def test_a_peer_names_its_smallest_file(name: str) -> None:
    codec = peer(name)
    refusal = codec.fit(photo(), 5)
    assert isinstance(refusal, Unreachable)
    accepted = codec.fit(photo(), refusal.smallest_num_bytes)
    assert isinstance(accepted, Encoded)
    assert accepted.data_num_bytes == refusal.smallest_num_bytes
    assert accepted.decoded.size == photo().size
    assert isinstance(codec.fit(photo(), refusal.smallest_num_bytes - 1), Unreachable)


@pytest.mark.parametrize("name", PEERS)
def test_the_best_file_is_the_best_for_every_budget_down_to_its_size(name: str) -> None:
    codec = peer(name)
    best = codec.fit(photo(), 1200)
    assert isinstance(best, Encoded)
    assert best.data_num_bytes <= 1200
    again = codec.fit(photo(), best.data_num_bytes)
    assert isinstance(again, Encoded)
    assert (again.data_num_bytes, again.setting) == (best.data_num_bytes, best.setting)
    assert again.decoded.tobytes() == best.decoded.tobytes()


@pytest.mark.parametrize("name", PEERS)
def test_a_new_codec_does_the_same(name: str) -> None:
    first, second = (peer(name).fit(photo(), 1000) for _ in range(2))
    assert isinstance(first, Encoded)
    assert isinstance(second, Encoded)
    assert (first.data_num_bytes, first.setting) == (second.data_num_bytes, second.setting)
    assert first.decoded.tobytes() == second.decoded.tobytes()


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (130, 2), (33, 17)])
def test_odd_sizes_come_back(name: str, size: tuple[int, int]) -> None:
    found = peer(name).fit(photo(132, 72).crop((0, 0, *size)), 4000)
    assert isinstance(found, Encoded)
    assert found.decoded.size == size
    assert found.decoded.mode == "RGB"


def test_scaling_rounds_odd_sizes_up_and_back() -> None:
    image = photo(100, 64).crop((0, 0, 33, 17))
    found = codec_named("webp@1/4").fit(image, 4000)
    assert isinstance(found, Encoded)
    assert found.decoded.size == (33, 17)
    assert isinstance(codec_named("webp@1/16").fit(Image.new("RGB", (1, 1)), 4000), Encoded)


@pytest.mark.parametrize("name", PEERS)
def test_a_codec_knows_its_name(name: str) -> None:
    assert peer(name).name == name


def test_names_and_versions_differ() -> None:
    names = [f"{name}{scale}" for name in ("jpeg", "webp", "avif") for scale in ("", "@1/2", "@1/16")]
    codecs = [codec_named(name) for name in names]
    assert [codec.name for codec in codecs] == names
    assert len({codec.version for codec in codecs}) == len(codecs)
    assert isinstance(codec_named("wisp"), WispCodec)


SCALED_PLACEHOLDERS = [f"{name}@1/{denominator}" for name in PLACEHOLDERS for denominator in DENOMINATORS]
WRONG_NAMES = [
    "",
    "gif",
    "wisp@1/2",
    "avif@1/3",
    "avif@",
    "avif@1/2@1/2",
    "AVIF",
    "compressai",
    "compressai:",
]


@pytest.mark.parametrize("name", [*WRONG_NAMES, *SCALED_PLACEHOLDERS])
def test_unknown_codecs_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--codecs: expected wisp, jpeg, webp, avif") as refusal:
        codec_named(name)
    assert str(refusal.value).endswith(f"found {name!r}")
    assert all(valid in str(refusal.value) for valid in (*PEERS, "compressai:NAME", "@1/32"))
