"""Detail of large pictures: a sample is searched, and the room is kept and used all the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand
from wisp.codecs import codec_for_model, large_detail, prior_budget
from wisp.codecs.detail import _encode_at, add_detail
from wisp.codecs.large_detail import LEFT, sampled_detail
from wisp.codecs.pyramid_entropy import Payload
from wisp.codecs.pyramid_networks import analyse
from wisp.tokens.pyramid import TokenPyramid
from wisp.train.verify import example_picture


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    original = example_picture(3072, 512)
    blocks = original.reshape(384, 8, 64, 8, 3).mean((1, 3)).astype(np.uint8)
    return original, blocks.repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize("room", [9000, 30_000])
def test_the_room_is_kept_and_used(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], room: int) -> None:
    original, shown = pair
    whole = 0

    def encode(a: NDArray[np.uint8], b: NDArray[np.uint8], quality: float, strength: float) -> bytes:
        nonlocal whole
        whole += len(a) == len(original)
        return _encode_at(a, b, quality, strength)

    frame = sampled_detail(original, shown, room, encode)
    assert frame is not None
    assert 0.95 * room <= len(frame) <= room
    assert whole <= large_detail.TRIES + large_detail.LAST_HALVINGS
    before, after = (np.square(s.astype(float) - original).mean() for s in (shown, add_detail(shown, frame)))
    assert after < before


def test_a_sample_that_is_unlike_the_whole_is_made_up_for() -> None:
    """Sizes that are smooth in quality and strength: the room is met to within what may be left."""
    picture = np.zeros((4000, 16, 3), np.uint8)

    def encode(a: NDArray[np.uint8], b: NDArray[np.uint8], quality: float, strength: float) -> bytes:
        density = 1.0 if len(a) < len(picture) else 3.0
        return bytes(int(density * len(a) * (0.2 + quality / 50) * (0.3 + 0.7 * strength)))

    for room in (4000, 9000, 20_000):
        frame = sampled_detail(picture, picture, room, encode)
        assert frame is not None
        assert (1 - LEFT) * room <= len(frame) <= room
    assert sampled_detail(picture, picture, 100, encode) is None


def test_a_window_is_a_pyramid_of_its_own(tiny_model: object, photo_u8: NDArray[np.uint8]) -> None:
    tokens = analyse(codec_for_model(tiny_model).bundle, photo_u8).tokens  # type: ignore[arg-type]
    window = tokens.window(slice(2, 4), slice(1, 5))
    assert window.grain_map.shape == (2, 4)
    for level, plane in enumerate(window.planes):
        fold = tokens.shape.fold(level)
        assert plane.shape[1:] == window.shape.plane_shape(level)
        assert np.array_equal(plane, tokens.planes[level][:, 2 * fold : 4 * fold, fold : 5 * fold])


def test_calibration_scales_what_is_estimated(monkeypatch: pytest.MonkeyPatch, tiny_model: object) -> None:
    monkeypatch.setattr(prior_budget, "LARGE", 100)
    tokens = analyse(codec_for_model(tiny_model).bundle, example_picture(256, 512)).tokens  # type: ignore[arg-type]
    shape = (tokens.shape.num_groups, *tokens.grain_map.shape)
    falling = np.broadcast_to(np.arange(shape[0] + 1.0)[::-1, None, None], (shape[0] + 1, *shape[1:]))
    demand = Demand(falling.copy(), np.full(shape, 10.0), np.zeros((13, 13, 12)))
    seen: list[TokenPyramid] = []

    def sent(depths: NDArray[np.uint8]) -> TokenPyramid:
        return replace(tokens, grain_map=depths)

    def write(part: TokenPyramid) -> Payload:
        seen.append(part)
        return Payload(bytes(int(part.grain_map.sum() * 10 * 1.5 / 8)), ())

    found = prior_budget.calibrated(demand, 700, 8, sent, write)
    assert seen[0].grain_map.shape == (2, 4)
    assert np.allclose(found.token_bits / demand.token_bits, 1.5, rtol=0.05)
    assert prior_budget.calibrated(demand, 90, 8, sent, write) is demand
