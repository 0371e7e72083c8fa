"""Generation: what was sent stays, the same seed gives the same tokens everywhere, and faults are named."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.bench.prior_reference import ReferenceRunner
from wisp.codecs import codec_for_model
from wisp.codecs.generation import Filled, default_depth, generate, make_generation
from wisp.codecs.masked_prior import MaskedPrior
from wisp.codecs.prior_entropy import PriorEntropyModel
from wisp.errors import UsageError
from wisp.imaging.xmp import GENERATED_SOURCE
from wisp.runtime import Bundle
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.types import Fill


def entropy_model(folder: Path, threads: int = 1) -> PriorEntropyModel:
    model = codec_for_model(folder, threads).prior_model
    assert model is not None
    return model


def pyramid_of(grain: NDArray[np.uint8], seed: int) -> TokenPyramid:
    """Random tokens at given depths."""
    random = np.random.default_rng(seed)
    shape = PyramidShape(*grain.shape, (32, 16, 8), (4, 4, 4))
    planes = tuple(
        random.integers(0, 256, (g, *shape.plane_shape(i))).astype(np.uint8) for i, g in enumerate((4, 4, 4))
    )
    return TokenPyramid(shape, planes, grain).cut_to_map()


def uneven() -> TokenPyramid:
    """4 x 5 regions at depths 0 to 12."""
    return pyramid_of(np.random.default_rng(4).integers(0, 13, (4, 5)).astype(np.uint8), 4)


@st.composite
def received(draw: st.DrawFn) -> TokenPyramid:
    rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    depths = draw(st.lists(st.integers(0, 12), min_size=rows * columns, max_size=rows * columns))
    grain = np.array(depths, np.uint8).reshape(rows, columns)
    return pyramid_of(grain, draw(st.integers(0, 1 << 30)))


@settings(max_examples=20, deadline=None)
@given(received(), st.integers(1, 12), st.integers(0, (1 << 64) - 1))
def test_sent_tokens_stay_and_the_rest_is_filled(
    prior_model: Path, pyramid: TokenPyramid, depth: int, seed: int
) -> None:
    before = tuple(plane.copy() for plane in pyramid.planes)
    filled = generate(entropy_model(prior_model), pyramid, make_generation(seed, depth=depth))
    assert np.array_equal(filled.pyramid.grain_map, np.maximum(pyramid.grain_map, depth))
    assert replace(filled.pyramid, grain_map=pyramid.grain_map).cut_to_map() == pyramid
    assert filled.pyramid.cut_to_map() == filled.pyramid
    assert all(np.array_equal(a, b) for a, b in zip(before, pyramid.planes, strict=True))
    missing = [
        filled.pyramid.sent(place, level).sum() - pyramid.sent(place, level).sum()
        for place, level, _ in pyramid.shape.order()
    ]
    assert filled.num_generated == sum(missing)


def test_the_same_seed_gives_the_same_tokens_and_another_gives_others(prior_model: Path) -> None:
    model, pyramid = entropy_model(prior_model), uneven()
    one, again, other = (generate(model, pyramid, make_generation(s, depth=12)).pyramid for s in (3, 3, 4))
    assert one == again
    missing = [~pyramid.sent(place, level) for place, level, _ in pyramid.shape.order()]
    planes = [(level, group) for _, level, group in pyramid.shape.order()]
    alike = [
        one.planes[level][group][m] == other.planes[level][group][m]
        for (level, group), m in zip(planes, missing, strict=True)
    ]
    assert np.concatenate(alike).mean() < 0.2


def test_a_deeper_fill_goes_on_from_a_shallower_one(prior_model: Path) -> None:
    model, pyramid = entropy_model(prior_model), uneven()
    deep = generate(model, pyramid, make_generation(1, depth=12)).pyramid
    for depth in (1, 4, 6):
        shallow = generate(model, pyramid, make_generation(1, depth=depth)).pyramid
        assert replace(deep, grain_map=shallow.grain_map).cut_to_map() == shallow


@pytest.mark.parametrize("options", [{}, {"temperature": 0}, {"temperature": 0.6, "top_p": 0.8}])
def test_threads_runners_and_windows_give_the_same_tokens(prior_model: Path, options: dict[str, Any]) -> None:
    pyramid, wanted = uneven(), make_generation(9, depth=12, **options)
    model = entropy_model(prior_model)
    bundle = Bundle(prior_model)
    slow = MaskedPrior(bundle.prior_parts, ReferenceRunner, bundle.config.strides, bundle.config.groups)
    one = generate(model, pyramid, wanted).pyramid
    assert generate(entropy_model(prior_model, 2), pyramid, wanted).pyramid == one
    assert generate(PriorEntropyModel(model.tables, slow), pyramid, wanted).pyramid == one
    in_windows = PriorEntropyModel(model.tables, model.prior, window=30)
    assert generate(in_windows, pyramid, wanted).pyramid == one


@pytest.mark.parametrize(
    ("depths", "expected"),
    [([1, 12], 4), ([3, 3], 4), ([4, 4], 8), ([7, 12], 8), ([8, 12], 12), ([12, 12], 12)],
)
def test_by_default_one_level_is_made_whole(depths: list[int], expected: int) -> None:
    shape = PyramidShape(1, 2, (32, 16, 8), (4, 4, 4))
    assert default_depth(shape, np.array([depths], np.uint8)) == expected


def test_nothing_is_drawn_where_everything_was_sent(prior_model: Path) -> None:
    pyramid = pyramid_of(np.full((2, 2), 12, np.uint8), 1)
    assert generate(entropy_model(prior_model), pyramid, make_generation()) == Filled(pyramid, 0)


def test_the_picture_says_that_it_was_generated(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    data = wisp.compress(photo_u8, size=150, model=prior_model)
    smooth = wisp.reconstruct(data, model=prior_model)
    made = wisp.reconstruct(data, fill="generate", seed=5, model=prior_model)
    assert (smooth.fill, smooth.num_generated, smooth.generated) == (Fill.smooth, 0, False)
    assert made.fill is Fill.generate
    assert made.generated
    assert np.array_equal(made.confidence, smooth.confidence)
    assert not np.array_equal(np.asarray(made.image), np.asarray(smooth.image))
    again = wisp.decompress(data, fill=Fill.generate, seed=5, model=prior_model)
    assert np.array_equal(np.asarray(again), np.asarray(made.image))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fill": "rough"}, "fill 'smooth' or 'generate'"),
        ({"fill": None}, "fill 'smooth' or 'generate'"),
        ({"fill": "generate", "seed": -1}, "seed"),
        ({"fill": "generate", "fill_depth": 0}, "fill depth"),
        ({"fill": "generate", "fill_depth": 13}, "at most 12"),
        ({"fill": "generate", "fill_depth": True}, "fill depth"),
        ({"fill": "generate", "fill_depth": 2.0}, "fill depth"),
    ],
)
def test_faults_are_named(
    prior_model: Path, photo_u8: NDArray[np.uint8], options: dict[str, Any], message: str
) -> None:
    data = wisp.compress(photo_u8, size=150, model=prior_model)
    with pytest.raises(UsageError, match=message):
        wisp.reconstruct(data, model=prior_model, **options)


@pytest.fixture(scope="module")
def packed(prior_model: Path, photo_u8: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "photo.wisp"
    path.write_bytes(wisp.compress(photo_u8, size=150, model=prior_model))
    return path


def test_command_line(packed: Path, prior_model: Path, tmp_path: Path) -> None:
    one, two, smooth = (tmp_path / f"{name}.png" for name in ("one", "two", "smooth"))
    arguments = (
        "--model",
        prior_model,
        "--fill",
        "generate",
        "--seed",
        7,
        "--temperature",
        0.8,
        "--top-p",
        0.9,
    )
    ran = run_cli("decompress", packed, one, *arguments)
    assert ran.code == 0
    full = wisp.reconstruct(
        packed.read_bytes(), model=prior_model, fill="generate", seed=7, temperature=0.8, top_p=0.9
    )
    assert ran.lines[0].endswith(f"was sent, {full.num_generated} tokens were made up")
    with Image.open(one) as opened:
        assert np.array_equal(np.asarray(opened), np.asarray(full.image))
    assert run_cli("decompress", packed, two, *arguments, "--fill-depth", 12, "-q").code == 0
    assert run_cli("decompress", packed, smooth, "--model", prior_model, "-q").code == 0
    assert [GENERATED_SOURCE.encode() in path.read_bytes() for path in (one, two, smooth)] == [
        True,
        True,
        False,
    ]
    assert one.read_bytes() != two.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--fill", "generate", "--seed", "-1"), "seed"),
        (("--fill", "generate", "--seed", str(1 << 64)), "seed"),
        (("--fill", "generate", "--seed", "x"), "seed"),
        (("--fill", "generate", "--temperature", "4.5"), "temperature"),
        (("--fill", "generate", "--temperature", "nan"), "temperature"),
        (("--fill", "generate", "--top-p", "0"), "top-p"),
        (("--fill", "generate", "--fill-depth", "13"), "fill depth"),
        (("--fill", "rough"), "rough"),
        (("--seed", "1"), "--fill generate"),
        (("--top-p", "0.5", "--fill", "smooth"), "--top-p"),
    ],
)
def test_bad_options_are_one_line(
    packed: Path, prior_model: Path, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    out = tmp_path / "out.png"
    assert_one_line_error(run_cli("decompress", packed, out, "--model", prior_model, *arguments), 2, part)
    assert not out.exists()


def test_a_model_without_a_prior_is_named(
    tiny_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path
) -> None:
    path, out = tmp_path / "photo.wisp", tmp_path / "out.png"
    path.write_bytes(wisp.compress(photo_u8, size=150, model=tiny_model))
    ran = run_cli("decompress", path, out, "--model", tiny_model, "--fill", "generate")
    assert_one_line_error(ran, 2, "masked prior", "smooth")
    assert not out.exists()


def test_numbers_of_numpy_are_numbers(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    stream = io.BytesIO(wisp.compress(photo_u8, size=150, model=prior_model))
    options: dict[str, Any] = {"seed": np.int64(2), "temperature": np.float32(0.5), "fill_depth": np.int32(4)}
    assert wisp.reconstruct(stream.getvalue(), fill="generate", model=prior_model, **options).generated
