"""Quantised vectors as bytes: frozen bytes, round trips of every level, cuts and damage by name, sizes as published."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wisp.entropy.bit_stream import BitReader
from wisp.entropy.elias import Delta, Gamma, Omega
from wisp.entropy.exponential import EXPONENTIAL
from wisp.entropy.gaussian_levels import best_scale, nearest_scale, write_levels
from wisp.entropy.gaussian_tables import NUM_SCALES, deviation, scale_cumulatives, scale_frequencies, variance
from wisp.entropy.latent_bytes import LatentKind, read_latent, write_qsgd, write_stepped
from wisp.entropy.qsgd import QsgdVector, most, quantise
from wisp.entropy.uniform_steps import SteppedVector, quantise_steps
from wisp.errors import BitstreamError, Corrupt, LimitExceeded, Truncated, UsageError

REFERENCE = json.loads((Path(__file__).parent.parent / "reference" / "entropy" / "latents.json").read_text())
ELIAS = [LatentKind.GAMMA, LatentKind.DELTA, LatentKind.OMEGA, LatentKind.GAPS]
HEAD = 3


def qsgd(norm: float, bits: int, levels: list[int]) -> QsgdVector:
    return QsgdVector(norm, bits, np.array(levels, np.int16))


def same(found: QsgdVector | SteppedVector, wanted: QsgdVector | SteppedVector) -> bool:
    assert type(found) is type(wanted)
    scalars = {k: v for k, v in vars(found).items() if k != "levels"}
    return scalars == {k: v for k, v in vars(wanted).items() if k != "levels"} and (
        found.levels.dtype == np.int16 and found.levels.tolist() == wanted.levels.tolist()
    )


@st.composite
def qsgd_vectors(draw: st.DrawFn) -> QsgdVector:
    bits = draw(st.integers(1, 8))
    largest = draw(st.integers(0, most(bits)))
    levels = draw(st.lists(st.integers(-largest, largest), min_size=1, max_size=50))
    return qsgd(draw(st.floats(2.0**-149, 2.0**127, width=32)), bits, levels)


@st.composite
def stepped_vectors(draw: st.DrawFn) -> SteppedVector:
    largest = draw(st.integers(0, 255))
    levels = draw(st.lists(st.integers(-largest, largest), min_size=1, max_size=80))
    step = draw(st.integers(128, 255)) * 2.0 ** draw(st.integers(-133, 110))
    return SteppedVector(step, np.array(levels, np.int16))


@pytest.mark.parametrize("vector", REFERENCE["words"], ids=lambda v: v["code"])
def test_words_are_frozen(vector: dict) -> None:
    code = {"gamma": Gamma(), "delta": Delta(), "omega": Omega()}[vector["code"]]
    reader = BitReader(bytes.fromhex(vector["words"]))
    assert [code.read(reader) for _ in vector["numbers"]] == vector["numbers"]
    reader.finish()


@pytest.mark.parametrize("vector", REFERENCE["qsgd"], ids=lambda v: v["name"])
def test_qsgd_bytes_are_frozen(vector: dict) -> None:
    wanted = qsgd(vector["norm"], vector["bits"], vector["levels"])
    assert write_qsgd(wanted, LatentKind(vector["kind"])).hex() == vector["bytes"]
    assert same(read_latent(bytes.fromhex(vector["bytes"])), wanted)


@pytest.mark.parametrize("vector", REFERENCE["stepped"], ids=lambda v: v["name"])
def test_stepped_bytes_are_frozen(vector: dict) -> None:
    wanted = SteppedVector(vector["step"], np.array(vector["levels"], np.int16))
    scales = None if vector["scales"] is None else np.array(vector["scales"])
    assert write_stepped(wanted, scales).hex() == vector["bytes"]
    assert same(read_latent(bytes.fromhex(vector["bytes"]), scales=scales), wanted)


@pytest.mark.parametrize("scale", REFERENCE["scales"])
def test_frequencies_are_frozen(scale: str) -> None:
    assert scale_frequencies()[int(scale)].tolist() == REFERENCE["scales"][scale]


@pytest.mark.parametrize("kind", ELIAS)
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_level_of_every_bits_comes_back(kind: LatentKind, bits: int) -> None:
    for level in range(-most(bits), most(bits) + 1):
        for levels in ([level], [0, level, 0], [1, level, -1]):
            vector = qsgd(1.5, bits, levels)
            assert same(read_latent(write_qsgd(vector, kind)), vector)
    whole = qsgd(1.5, bits, list(range(-most(bits), most(bits) + 1)))
    assert same(read_latent(write_qsgd(whole, kind)), whole)


def test_every_level_under_every_scale_comes_back() -> None:
    levels = np.arange(-255, 256, dtype=np.int16)
    for scale in range(NUM_SCALES):
        scales = np.full(len(levels), scale)
        vector = SteppedVector(0.25, levels)
        assert same(read_latent(write_stepped(vector, scales), scales=scales), vector)
    for level in levels:
        vector = SteppedVector(0.25, levels[level + 255 :][:1])
        assert same(read_latent(write_stepped(vector)), vector)


@given(vector=qsgd_vectors(), kind=st.sampled_from(ELIAS))
@settings(max_examples=150, deadline=None)
def test_any_qsgd_vector_comes_back_and_no_part_of_it(vector: QsgdVector, kind: LatentKind) -> None:
    data = write_qsgd(vector, kind)
    assert same(read_latent(data), vector)
    for kept in range(len(data)):
        with pytest.raises(Truncated):
            read_latent(data[:kept])
    with pytest.raises(Corrupt):
        read_latent(data + b"\0")


@given(vector=stepped_vectors())
@settings(max_examples=100, deadline=None)
def test_any_stepped_vector_comes_back_and_no_part_of_it(vector: SteppedVector) -> None:
    data = write_stepped(vector)
    assert same(read_latent(data), vector)
    for kept in range(len(data)):
        with pytest.raises(Truncated):
            read_latent(data[:kept])
    with pytest.raises(Corrupt):
        read_latent(data + b"\0")


@given(
    first=st.sampled_from([0x04, 0x18, 0x21, 0x36, 0x80, 0x90]),
    count=st.integers(0, 40),
    rest=st.binary(max_size=60),
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_vector_or_a_named_error(first: int, count: int, rest: bytes) -> None:
    try:
        read_latent(struct.pack(">BH", first, count) + rest, scales=np.full(count + 1, 30))
    except BitstreamError:
        return


@pytest.mark.parametrize("first", [0x04, 0x18, 0x21, 0x36, 0x80])
def test_a_long_vector_of_few_bytes_is_refused_at_once(first: int) -> None:
    with pytest.raises(BitstreamError):
        read_latent(struct.pack(">BH", first, 65535) + bytes.fromhex("3f8050ffee01"))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("", Truncated),
        ("0400", Truncated),
        ("400000 3f800000 80", Corrupt),  # a kind that does not exist
        ("000000 3f800000 80", Corrupt),  # no bits
        ("090000 3f800000 80", Corrupt),  # nine bits
        ("810000 3f80 10 00", Corrupt),  # bits, where there are none
        ("040000 7f800000 80", Corrupt),  # infinite
        ("040000 7fc00000 80", Corrupt),  # not a number
        ("040000 bf800000 80", Corrupt),  # negative
        ("040000 80000000", Corrupt),  # zero with a sign
        ("040000 00000000 00", Corrupt),  # zero, and something behind it
        ("040000 3f800000 81", Corrupt),  # a bit that fills the byte is set
        ("010000 3f800000 60", Corrupt),  # level 2 of one bit
        ("310001 3f800000 a400", Corrupt),  # place 3 of 2
        ("800000 0000 10 00", Corrupt),  # no step
        ("800000 7f00 10 00", Corrupt),  # too large a step
        ("800000 3f80 60 00", Corrupt),  # scale 96
        ("800000 3f80 10 ffffffff", Corrupt),  # bytes that no range coder writes
    ],
)
def test_faults_have_names(data: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_latent(bytes.fromhex(data))


def test_a_limit_comes_first() -> None:
    data = write_qsgd(qsgd(1.0, 4, [1] * 40))
    assert len(read_latent(data, max_length=40).levels) == 40
    with pytest.raises(LimitExceeded, match="40"):
        read_latent(data[:HEAD], max_length=39)


def test_given_scales_must_be_given_and_fit() -> None:
    vector = SteppedVector(1.0, np.array([1, 2, 3], np.int16))
    data = write_stepped(vector, np.array([20, 30, 40]))
    for scales in (None, np.array([20, 30]), np.array([20, 30, 96]), np.array([20.0, 30, 40])):
        with pytest.raises(UsageError, match="scales"):
            read_latent(data, scales=scales)


def test_what_cannot_be_written_is_refused() -> None:
    ok = np.array([1], np.int16)
    for vector in (
        QsgdVector(1.0, 0, ok),
        QsgdVector(1.0, 9, ok),
        QsgdVector(1.0, 1, ok * 2),
        QsgdVector(0.1, 4, ok),
        QsgdVector(-1.0, 4, ok),
        QsgdVector(math.nan, 4, ok),
        QsgdVector(math.inf, 4, ok),
        QsgdVector(1e39, 4, ok),
        QsgdVector(0.0, 4, ok),
        QsgdVector(1.0, 4, ok[:0]),
        QsgdVector(1.0, 4, np.zeros(65537, np.int16)),
    ):
        with pytest.raises(UsageError):
            write_qsgd(vector)
    with pytest.raises(UsageError, match="gamma"):
        write_qsgd(QsgdVector(1.0, 4, ok), LatentKind.GAUSSIAN)
    for stepped in (SteppedVector(0.1, ok), SteppedVector(1.0, ok * 256), SteppedVector(1.0, ok[:0])):
        with pytest.raises(UsageError):
            write_stepped(stepped)
    with pytest.raises(UsageError, match="scales"):
        write_stepped(SteppedVector(1.0, ok), np.array([96]))


def test_tables_are_those_of_the_document() -> None:
    """docs/latents.md, section 4, and docs/format.md, section 5.3, in Python's own integers."""
    for index in range(NUM_SCALES):
        v = (64, 76, 91, 108)[index % 4] * 2 ** (index // 4)
        e = [EXPONENTIAL[min(256, (32768 * k * k + v // 2) // v)] for k in [*range(-127, 128), 128]]
        q = (65536 - 256) * 2**24 // sum(e)
        f = [x * q // 2**24 + 1 for x in e]
        f[e.index(max(e))] += 65536 - sum(f)
        assert scale_frequencies()[index].tolist() == f


def test_tables_are_gaussian_to_within_a_hundredth_of_a_bit() -> None:
    frequencies, cumulatives = scale_frequencies(), scale_cumulatives()
    assert (frequencies.sum(1) == 65536).all()
    assert frequencies.min() >= 1
    assert (np.diff(cumulatives) == frequencies).all()
    assert [variance(i) for i in (0, 1, 2, 3, 4, 95)] == [64, 76, 91, 108, 128, 108 << 23]
    numbers = np.arange(-127, 128)
    for scale in range(24, 60):  # deviations from 1 to 21
        exact = np.exp(-((numbers / deviation(scale)) ** 2) / 2)
        exact /= exact.sum()
        loss = (exact * (np.log2(exact + 1e-300) - np.log2(frequencies[scale, :255] / 65536))).sum()
        assert 0 <= loss < 0.01


def test_scales_are_chosen_for_the_levels() -> None:
    random = np.random.default_rng(5)
    for spread in (0.3, 1.0, 5.0, 20.0):
        levels = np.rint(random.normal(0, spread, 4000)).astype(np.int16)
        best = best_scale(levels)
        assert abs(best - nearest_scale(math.sqrt(spread**2 + 1 / 12))) <= 2
        sizes = [len(write_levels(levels, np.full(4000, i))) for i in range(best - 2, best + 3)]
        assert min(sizes) >= sizes[2] - 1
    assert best_scale(np.zeros(10, np.int16)) == 0


def test_a_scale_for_each_dimension_beats_one_for_all() -> None:
    random = np.random.default_rng(6)
    spreads = np.geomspace(0.2, 20, 512)
    vector = quantise_steps(random.normal(0, spreads), 0.5)
    scales = np.array([nearest_scale(s / 0.5) for s in spreads])
    assert len(write_stepped(vector, scales)) < 0.8 * len(write_stepped(vector))


@pytest.mark.parametrize(("bits", "published"), [(4, 163), (6, 307), (8, 499)])
def test_sizes_are_those_simulated_for_the_paper(bits: int, published: int) -> None:
    """512 Gaussian numbers: stochastic levels, omega of level + 1, a sign for those above 0, 32 bits of norm."""
    sizes = [
        len(
            write_qsgd(
                quantise(np.random.default_rng(seed).standard_normal(512), bits, "stochastic", seed),
                LatentKind.OMEGA,
            )
        )
        for seed in range(10)
    ]
    assert np.mean(sizes) - HEAD == pytest.approx(published, rel=0.03)


def test_uniform_steps_cost_what_a_gaussian_must() -> None:
    """At a step of half a deviation, entropy is 3.06 bits a number: 196 bytes for 512."""
    vectors = [quantise_steps(np.random.default_rng(seed).standard_normal(512), 0.5) for seed in range(10)]
    sizes = [len(write_stepped(vector)) for vector in vectors]
    assert 196 < np.mean(sizes) < 196 * 1.01 + 8
