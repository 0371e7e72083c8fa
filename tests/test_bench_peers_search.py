"""Peers' searches against every step of their dials, on a small picture."""

from __future__ import annotations

from types import ModuleType

import pytest
from peer_pictures import photo

from wisp.bench.catalogue import codec_named
from wisp.bench.codec import Encoded, Unreachable
from wisp.bench.peers import avif, jpeg, webp


@pytest.mark.parametrize(
    ("name", "module", "steps"),
    [("jpeg", jpeg, range(1, 101)), ("avif", avif, range(101)), ("webp", webp, range(0, 10_001, 25))],
)
def test_nothing_larger_fits(name: str, module: ModuleType, steps: range) -> None:
    image = photo(48, 32)
    sizes = [len(module._encode(image, step).data) for step in steps]
    codec = codec_named(name)
    for budget in range(min(sizes), max(sizes) + 60, 43):
        found = codec.fit(image, budget)
        assert isinstance(found, Encoded)
        # WebP's size falls by a few bytes now and then, over more of its hundredths than the search looks past.
        dip = 8 if name == "webp" else 0
        assert max(size for size in sizes if size <= budget) - dip <= found.data_num_bytes <= budget
    assert isinstance(codec.fit(image, min(sizes) // 2), Unreachable)
