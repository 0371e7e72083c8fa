"""Sequences: motion in whole numbers, frames that move the one before, seeking, sizes, and what is refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.cli.frame_files import frames_of
from wisp.codecs import any_codec_for_model, codec_for_model
from wisp.codecs.correction import (
    LARGEST,
    NUM_STEPS,
    Correction,
    nearest_step,
    pixels_of,
    quantize,
    step_size,
)
from wisp.codecs.correction_bits import EmptyBlock, exchange_correction
from wisp.codecs.frame_vectors import filled
from wisp.codecs.moved_frame import (
    MovedFrame,
    Past,
    moved_blocks,
    no_correction,
    read_frame,
    show_frame,
    write_frame,
)
from wisp.codecs.pyramid_networks import analyse
from wisp.container import Header, WispFile
from wisp.container.header import pack_header
from wisp.container.sequence import Frame, pack_sequence, unpack_sequence
from wisp.errors import BudgetError, Corrupt, ImageError, LimitExceeded, NotWisp, Truncated, UsageError
from wisp.imaging import motion
from wisp.imaging.advected import MAX_NUM_SOURCES, Advected, _cubic_taps, still
from wisp.imaging.motion import MAX_VECTOR, grid, search
from wisp.train.verify import example_picture

SIZE = (72, 100)  # no multiples of blocks and regions


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth noise (height, width, 3): every place looks different."""
    random = (
        np.random.default_rng(seed).integers(0, 256, (height // 4 + 2, width // 4 + 2, 3)).astype(np.uint8)
    )
    image = Image.fromarray(random).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


@pytest.fixture(scope="module")
def clip() -> list[NDArray[np.uint8]]:
    """Six frames of a picture that moves to the left, the last of another scene."""
    wide = example_picture(SIZE[0], SIZE[1] + 40)
    frames = [wide[:, 3 * number : 3 * number + SIZE[1]].copy() for number in range(5)]
    return [*frames, 255 - frames[0]]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -5), (-8, 12), (16, 20)])
def test_motion_is_found(down: int, right: int) -> None:
    big = noise(160, 192)
    before, now = big[32:128, 32:160], big[32 + down : 128 + down, 32 + right : 160 + right]
    vectors = search(before, now)
    inner = vectors[2:-2, 2:-2].reshape(-1, 2)
    assert (inner == (2 * down, 2 * right)).all(-1).mean() > 0.75
    assert np.abs(vectors).max() <= MAX_VECTOR
    _, predicted = still(before).move(vectors)
    assert np.abs(predicted[32:-32, 32:-32].astype(int) - now[32:-32, 32:-32]).mean() < 4


def test_whole_pixels_are_moved_without_loss() -> None:
    frame = noise(*SIZE)
    vectors = np.full((*grid(*SIZE), 2), (2 * 4, 2 * -6), np.int16)
    moved, _ = still(frame).move(vectors)
    _, shown = moved.move(vectors)
    assert np.array_equal(shown[:-8, 12:], frame[8:, :-12])


def test_fractions_add_up_and_pixels_are_interpolated_once() -> None:
    """Four times half a pixel is two whole ones, without any blur."""
    frame = noise(*SIZE)
    vectors = np.full((*grid(*SIZE), 2), (1, 0), np.int16)
    moved, half = still(frame).move(vectors)
    for _ in range(3):
        moved, shown = moved.move(vectors)
    assert np.array_equal(shown[:-6], frame[2:-4])  # further down the edge is repeated
    assert not np.array_equal(half, frame)


def test_the_cubic_taps() -> None:
    taps = _cubic_taps()
    assert taps.shape == (16, 4)
    assert (taps.sum(1) == 128).all()
    assert taps[0].tolist() == [0, 128, 0, 0]
    assert taps[8].tolist() == [-8, 72, 72, -8]
    assert (
        np.array_equal(taps[1:], taps[1:][::-1, ::-1]) or np.abs(taps[1:] - taps[1:][::-1, ::-1]).max() <= 1
    )


@given(st.integers(0, 1 << 30))
def test_any_vectors_give_pixels_of_the_sources(seed: int) -> None:
    random = np.random.default_rng(seed)
    frame = np.full((40, 50, 3), 77, np.uint8)
    state: Advected = still(frame)
    for _ in range(3):
        vectors = random.integers(-MAX_VECTOR, MAX_VECTOR + 1, (*grid(40, 50), 2)).astype(np.int16)
        state, shown = state.move(vectors)
        assert (shown == 77).all()
        fresh = random.random((40, 50)) < 0.3
        state = state.renew(np.full_like(frame, 77), fresh)
        assert state.index.max() < len(state.sources)


def test_sources_are_bounded() -> None:
    """However many frames code something, eight of them are kept."""
    frame = noise(48, 48)
    state = still(frame)
    vectors = np.zeros((*grid(48, 48), 2), np.int16)
    for number in range(20):
        state, shown = state.move(vectors)
        fresh = np.zeros((48, 48), bool)
        fresh[number : number + 2, : 10 + number] = True
        state = state.renew(shown, fresh)
        assert len(state.sources) == min(number + 2, MAX_NUM_SOURCES)
        assert np.array_equal(state.move(vectors)[1], frame)


def moved_frame(model: Path, seed: int) -> MovedFrame:
    """A frame of random vectors, corrections, depths and tokens."""
    random = np.random.default_rng(seed)
    codec = codec_for_model(model)
    tokens = analyse(codec.bundle, example_picture(*SIZE)).tokens
    depths = random.integers(1, tokens.shape.num_groups + 1, tokens.grain_map.shape)
    coded = random.random(depths.shape) < random.random()
    blocks = grid(*SIZE)
    vectors = random.integers(-20, 21, (*blocks, 2)).astype(np.int16)
    vectors[coded.repeat(2, 0).repeat(2, 1)[: blocks[0], : blocks[1]]] = 0
    tokens = replace(tokens, grain_map=np.where(coded, depths, 0).astype(np.uint8)).cut_to_map()
    corrected = ~coded & (random.random(coded.shape) < random.random())
    correction = no_correction(*SIZE)
    if corrected.any():
        correction = random_correction(random, corrected)
    return MovedFrame(filled(vectors, moved_blocks(coded, blocks)), tokens, corrected, correction)


def past_of(seed: int = 0) -> Past:
    """After a key frame of that size, with some check."""
    header = Header(0, SIZE[1], SIZE[0], greyscale=False, scale_exponent=0, has_chunks=False)
    return Past(WispFile(header, b"", (), b"", seed))


def random_correction(random: np.random.Generator, regions: NDArray[np.bool_]) -> Correction:
    """Mostly small levels in regions of 32 pixels, and some of the largest."""
    rows, columns = regions.shape
    planes = []
    for fold, parts in ((4, ()), (2, (2,))):
        shape = (rows * fold, columns * fold, *parts, 64)
        levels = np.rint(random.laplace(0, 0.3, shape)).astype(np.int16)
        levels[random.random(shape) < 0.001] = random.choice([-LARGEST, LARGEST, 14, 15])
        mask = regions.repeat(fold, 0).repeat(fold, 1)
        levels[~mask] = 0
        planes.append(levels)
    return Correction(int(random.integers(NUM_STEPS)), planes[0], planes[1])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 30))
def test_frames_come_back(prior_model: Path, seed: int) -> None:
    """Two after one another: the second under what the first has taught."""
    codec = codec_for_model(prior_model)
    writing, reading = past_of(), past_of()
    for number in (seed, seed + 1):
        frame = moved_frame(prior_model, number)
        found = read_frame(codec, reading, write_frame(codec, writing, frame))
        assert found.tokens == frame.tokens
        assert np.array_equal(found.vectors, frame.vectors)
        assert np.array_equal(found.corrected, frame.corrected)
        assert np.array_equal(found.correction.luma, frame.correction.luma)
        assert np.array_equal(found.correction.chroma, frame.correction.chroma)
        assert found.correction.step == frame.correction.step
        assert reading.contexts.shares == writing.contexts.shares
        assert reading.contexts.parts == writing.contexts.parts
        assert reading.check == writing.check


def test_every_cut_and_changed_byte_of_a_frame(prior_model: Path) -> None:
    codec = codec_for_model(prior_model)
    frame = moved_frame(prior_model, 5)
    assert frame.corrected.any()
    data = write_frame(codec, past_of(), frame)
    random = np.random.default_rng(1)
    for end in range(len(data)):
        with pytest.raises((Truncated, Corrupt)):
            read_frame(codec, past_of(), data[:end])
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= int(random.integers(1, 256))
        with pytest.raises((Truncated, Corrupt)):
            read_frame(codec, past_of(), bytes(changed))
    with pytest.raises(Corrupt):
        read_frame(codec, past_of(), data + b"\0")
    with pytest.raises(Corrupt, match="several"):
        read_frame(codec, past_of(1), data)


def test_coded_regions_fade_into_moved_ones(prior_model: Path) -> None:
    codec = codec_for_model(prior_model)
    before = example_picture(*SIZE)
    tokens = analyse(codec.bundle, example_picture(*SIZE, seed=9)).tokens
    grain = np.zeros_like(tokens.grain_map)
    grain[1, 1] = tokens.shape.num_groups
    frame = MovedFrame(
        np.zeros((*grid(*SIZE), 2), np.int16),
        replace(tokens, grain_map=grain).cut_to_map(),
        np.zeros(grain.shape, np.bool_),
        no_correction(*SIZE),
    )
    shown, state = show_frame(codec, still(before), frame)
    changed = (shown != before).any(-1)
    assert changed[32:64, 32:64].mean() > 0.9
    changed[24:72, 24:72] = False
    assert not changed.any()
    assert len(state.sources) == 2
    wanted = np.zeros(SIZE, np.uint8)
    wanted[28:68, 28:68] = 1  # where the coded region's share is a half
    assert np.array_equal(state.index, wanted)


def test_a_frame_that_corrects_and_codes_is_one_source(prior_model: Path) -> None:
    frame = moved_frame(prior_model, 5)
    assert frame.corrected.any()
    assert frame.coded.any()
    state = still(example_picture(*SIZE))
    for count in (2, 3):
        shown, state = show_frame(codec_for_model(prior_model), state, frame)
        assert len(state.sources) == count
        assert np.array_equal(state.sources[-1], shown)


def test_moved_frames_without_tokens_are_frozen(grid_model: Path) -> None:
    """Bytes and pixels of two frames: vectors, overlapped blocks, corrections, softened edges; no network."""
    codec = any_codec_for_model(grid_model)
    past, state, random = past_of(7), still(noise(*SIZE)), np.random.default_rng(11)
    written, shown = b"", np.empty(0, np.uint8)
    for _ in range(2):
        corrected = random.random((3, 4)) < 0.6
        vectors = np.rint(random.laplace(0, 4, (*grid(*SIZE), 2))).astype(np.int16)
        correction = replace(random_correction(random, corrected), step=14)
        frame = MovedFrame(vectors, None, corrected, correction)
        written += write_frame(codec, past, frame)
        shown, state = show_frame(codec, state, frame)
    assert hashlib.sha256(written).hexdigest()[:32] == "17249d78e4bd781e942cb2e2efbf70d0"
    assert hashlib.sha256(shown.tobytes()).hexdigest()[:32] == "cb1c17b968ad0b875162a5eba17cf8f6"


class ScriptedPort:
    """Answers what it was told to."""

    def __init__(self, answers: list[int]) -> None:
        self.answers = answers

    def bit(self, context: int, value: int = 0) -> int:
        return self.answers.pop(0)

    def equal(self, value: int, count: int) -> int:
        return self.answers.pop(0)


def test_levels_that_no_writer_writes() -> None:
    regions, empty = np.ones((1, 1), np.bool_), no_correction(32, 32)
    largest = [1, 1, 1, *[1] * 12]  # a block with levels, not 0, beyond 1, larger than 2 to 13
    with pytest.raises(EmptyBlock, match="2048"):
        exchange_correction(ScriptedPort([5, *largest, 2048 - 14]), empty, regions, 32, 0)
    fine = ScriptedPort([5, *largest, 2047 - 14, 1, 1, *[0] * 23])
    assert exchange_correction(fine, empty, regions, 32, 0).luma[0, 0, 0] == -2047
    with pytest.raises(EmptyBlock, match="without"):
        exchange_correction(ScriptedPort([5, 1, *[0] * 64]), empty, regions, 32, 0)


def test_no_search_finds_what_readers_refuse() -> None:
    assert MAX_VECTOR == 57  # docs/sequences.md
    assert 2 * (motion.REACH + motion.REFINED + 2) + 1 <= MAX_VECTOR


def test_vectors_beyond_any_search_are_refused(grid_model: Path) -> None:
    codec, blocks = any_codec_for_model(grid_model), grid(*SIZE)
    for length, is_fine in ((MAX_VECTOR, True), (MAX_VECTOR + 1, False)):
        vectors = np.full((*blocks, 2), length, np.int16)
        frame = MovedFrame(vectors, None, np.zeros((3, 4), np.bool_), no_correction(*SIZE))
        data = write_frame(codec, past_of(), frame)
        if is_fine:
            assert np.array_equal(read_frame(codec, past_of(), data).vectors, vectors)
            continue
        with pytest.raises((Corrupt, Truncated)):
            read_frame(codec, past_of(), data)


def test_frames_of_another_clip_are_found_out(prior_model: Path, clip: list[NDArray[np.uint8]]) -> None:
    one, two = (
        unpack_sequence(wisp.compress_sequence(frames, quality=40, model=prior_model)).frames
        for frames in (clip[:3], [frame[::-1].copy() for frame in clip[:3]])
    )
    mixed = pack_sequence([one[0], two[1], two[2]], (25, 1))
    with pytest.raises((Corrupt, Truncated), match="frame 1"):
        list(wisp.decompress_sequence(mixed, model=prior_model))
    later = pack_sequence([one[0], one[1], two[2]], (25, 1))
    with pytest.raises((Corrupt, Truncated), match="frame 2"):
        list(wisp.decompress_sequence(later, model=prior_model))


def test_a_correction_is_the_difference_to_within_its_step() -> None:
    random = np.random.default_rng(3)
    for size in (1.0, 6.0, 40.0):
        difference = np.cumsum(random.normal(0, size, (64, 96, 3)), 1).astype(np.float32)
        difference += random.normal(0, size, (64, 96, 1)).astype(np.float32)  # no colours: those are halved
        step = nearest_step(size)
        found = pixels_of(quantize(difference, step))
        brightness = np.array([0.299, 0.587, 0.114])
        errors = (found - difference) @ brightness
        assert np.square(errors).mean() < 0.4 * size**2 + 0.5
    assert not quantize(np.zeros((32, 32, 3), np.float32), 0).touched().any()


def test_corrections_in_whole_numbers() -> None:
    """A level of the mean is an eighth of its step in every pixel; of frozen levels the pixels are frozen too."""
    empty = no_correction(32, 32)
    luma, chroma = empty.luma.copy(), empty.chroma.copy()
    luma[0, 0, 0] = 8
    found = pixels_of(Correction(12, luma, chroma))
    assert step_size(12) == 8 * 16
    assert (found[:8, :8] == 8).all()
    assert not found[8:].any()
    assert not found[:, 8:].any()
    random = np.random.default_rng(0)
    luma[:] = random.integers(-3, 4, luma.shape)
    chroma[:] = random.integers(-2, 3, chroma.shape)
    assert hashlib.sha256(pixels_of(Correction(9, luma, chroma)).astype("<i4").tobytes()).hexdigest() == (
        "2b4b0dbe3fdfec4b9d88f20c3f63cb1812ca97e91505e27b8c9a5f738c8cbb75"
    )


def test_a_sequence_costs_less_than_its_frames_and_looks_like_them(
    prior_model: Path, clip: list[NDArray[np.uint8]]
) -> None:
    data = wisp.compress_sequence(clip, quality=40, model=prior_model)
    assert data == wisp.compress_sequence(clip, quality=40, model=prior_model, threads=2)
    info = wisp.read_sequence_info(data)
    assert (info.width, info.height, info.rate) == (SIZE[1], SIZE[0], (25, 1))
    assert len(info.frame_num_bytes) == len(clip)
    assert info.keys[0] == 0
    alone = [wisp.compress(frame, quality=60, model=prior_model) for frame in clip]
    assert len(data) < 0.8 * sum(map(len, alone))
    shown = list(wisp.decompress_sequence(data, model=prior_model))
    assert [image.size for image in shown] == [(SIZE[1], SIZE[0])] * len(clip)
    errors = [np.square(np.asarray(s).astype(float) - f).mean() for s, f in zip(shown, clip, strict=True)]
    single = [
        np.square(np.asarray(wisp.decompress(d, model=prior_model)).astype(float) - f).mean()
        for d, f in zip(alone, clip, strict=True)
    ]
    assert np.mean(errors) < np.mean(single)


def test_a_cut_is_a_key_frame(clip: list[NDArray[np.uint8]]) -> None:
    data = wisp.compress_sequence([*clip[:2], clip[5]], quality=60)
    assert wisp.read_sequence_info(data).keys == (0, 2)


def test_any_key_frame_decodes_alone_and_any_frame_can_be_sought(
    prior_model: Path, clip: list[NDArray[np.uint8]]
) -> None:
    data = wisp.compress_sequence(clip, quality=50, key_every=2, rate=(30000, 1001), model=prior_model)
    info = wisp.read_sequence_info(data)
    assert set(info.keys) >= {0, 2, 4}
    assert info.rate == (30000, 1001)
    whole = [np.asarray(image) for image in wisp.decompress_sequence(data, model=prior_model)]
    for key in info.keys:
        alone = wisp.decompress(wisp.key_frame(data, key), model=prior_model)
        assert np.array_equal(np.asarray(alone), whole[key])
    for first in range(len(clip)):
        (sought,) = wisp.decompress_sequence(data, first=first, count=1, model=prior_model)
        assert np.array_equal(np.asarray(sought), whole[first])
    with pytest.raises(UsageError, match="key frame"):
        wisp.key_frame(data, 1)
    # a damaged frame is found, and the key frames behind it still decode
    sequence = unpack_sequence(data)
    broken = [replace(f, data=b"\0" * len(f.data)) if n == 1 else f for n, f in enumerate(sequence.frames)]
    damaged = pack_sequence(broken, sequence.rate)
    with pytest.raises((Corrupt, Truncated)):
        list(wisp.decompress_sequence(damaged, model=prior_model))
    earlier = [replace(f, data=b"\0" * len(f.data)) if n == 4 else f for n, f in enumerate(sequence.frames)]
    half = wisp.decompress_sequence(pack_sequence(earlier, sequence.rate), model=prior_model)
    for number in range(4):
        assert np.array_equal(np.asarray(next(half)), whole[number])
    with pytest.raises(Corrupt, match="frame 4"):
        next(half)
    later = list(wisp.decompress_sequence(damaged, first=2, model=prior_model))
    assert np.array_equal(np.asarray(later[0]), whole[2])


def test_a_size_is_kept(prior_model: Path, clip: list[NDArray[np.uint8]]) -> None:
    middle = len(wisp.compress_sequence(clip[:3], quality=50, model=prior_model))
    seen: list[tuple[int, int]] = []
    data = wisp.compress_sequence(
        clip[:3], size=middle, model=prior_model, progress=lambda done, count: seen.append((done, count))
    )
    assert 0.7 * middle <= len(data) <= middle
    assert seen[-1][0] == seen[-1][1]
    with pytest.raises(BudgetError) as caught:
        wisp.compress_sequence(clip[:3], size=40, model=prior_model)
    least = caught.value.smallest_num_bytes
    assert len(wisp.compress_sequence(clip[:3], size=least, model=prior_model)) == least


def test_grey_frames_stay_grey(prior_model: Path, clip: list[NDArray[np.uint8]]) -> None:
    data = wisp.compress_sequence([frame[..., 1] for frame in clip[:2]], model=prior_model)
    assert [image.mode for image in wisp.decompress_sequence(data, model=prior_model)] == ["L", "L"]


def test_what_is_refused(prior_model: Path, clip: list[NDArray[np.uint8]]) -> None:
    with pytest.raises(UsageError, match="at least one frame"):
        wisp.compress_sequence([], model=prior_model)
    with pytest.raises(ImageError, match="one size"):
        wisp.compress_sequence([clip[0], clip[1][:-1]], model=prior_model)
    for wrong_frames in (None, Image.fromarray(clip[0]), clip[0], 3):
        with pytest.raises(UsageError, match="one after another"):
            wisp.compress_sequence(wrong_frames, model=prior_model)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="both"):
        wisp.compress_sequence(clip[:1], size=100, quality=3, model=prior_model)
    for wrong in ({"key_every": 0}, {"key_every": True}, {"rate": (0, 1)}, {"rate": 25}, {"quality": 101}):
        with pytest.raises(UsageError):
            wisp.compress_sequence(clip[:1], model=prior_model, **wrong)
    data = wisp.compress_sequence(clip[:2], model=prior_model)
    for wrong in ({"first": 2}, {"first": -1}, {"count": 3}):
        with pytest.raises(UsageError):
            wisp.decompress_sequence(data, model=prior_model, **wrong)
    with pytest.raises(NotWisp, match=r"for wisp[.]decompress_sequence"):
        wisp.decompress(data)
    with pytest.raises(NotWisp, match=r"for wisp[.]decompress$"):
        wisp.read_sequence_info(wisp.key_frame(data, 0))
    with pytest.raises(UsageError, match="bytes of a wisp sequence"):
        wisp.read_sequence_info("clip.wisps")  # type: ignore[arg-type]


def test_on_the_command_line(prior_model: Path, clip: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, frame in enumerate(clip[:3]):
        Image.fromarray(frame).save(frames / f"{number:03d}.png")
    target = tmp_path / "clip.wisps"
    made = run_cli("compress", frames, target, "--quality", 40, "--fps", "29.97", "--model", prior_model)
    assert made.code == 0
    assert "3 frames of 100x72" in made.stderr
    data = target.read_bytes()
    pictures = [Image.fromarray(frame) for frame in clip[:3]]
    assert data == wisp.compress_sequence(pictures, quality=40, rate=(2997, 100), model=prior_model)
    shown = tmp_path / "shown"
    assert run_cli("decompress", target, shown, "--first", 1, "--model", prior_model).code == 0
    assert sorted(path.name for path in shown.iterdir()) == ["00001.png", "00002.png"]
    wanted = list(wisp.decompress_sequence(data, model=prior_model))
    with Image.open(shown / "00002.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(wanted[2]))
    assert_one_line_error(run_cli("decompress", target, shown, "--model", prior_model), 2, "empty place")
    assert_one_line_error(run_cli("compress", frames, target), 2, "clip.wisps")
    for wrong in ("-", tmp_path / "one.png", tmp_path / "a.webm", tmp_path / "no" / "folder"):
        assert_one_line_error(run_cli("decompress", target, wrong, "--model", prior_model), 2)
    for option in (("--fill", "generate"), ("--format", "jpeg"), ("--allow-partial",), ("--bytes", "10")):
        given = run_cli("decompress", target, tmp_path / "x", *option)
        assert_one_line_error(given, 2, "no --")
    for option in (("--alpha", "keep"), ("--effort", "9"), ("--huffman",), ("--fps", "1e99999999")):
        assert_one_line_error(run_cli("compress", frames, tmp_path / "x.wisps", *option), 2, option[0])
    assert not list(tmp_path.glob("x*"))
    broken = unpack_sequence(data)
    bad = [*broken.frames[:2], replace(broken.frames[2], data=b"\0" * 20)]
    (tmp_path / "bad.wisps").write_bytes(pack_sequence(bad, broken.rate))
    failed = run_cli("decompress", tmp_path / "bad.wisps", tmp_path / "y", "--model", prior_model)
    assert_one_line_error(failed, 1, "bad.wisps")
    assert not (tmp_path / "y").exists()
    assert run_cli("decompress", target, shown, "-f", "--first", 2, "--model", prior_model).code == 0
    assert [path.name for path in shown.iterdir()] == ["00002.png"]
    assert run_cli("decompress", target, shown, "-f", "--count", 2, "--model", prior_model).code == 0
    assert sorted(path.name for path in shown.iterdir()) == ["00000.png", "00001.png"]
    too_many = run_cli("decompress", target, shown, "-f", "--first", 2, "--count", 2, "--model", prior_model)
    assert_one_line_error(too_many, 2, "count as a whole number from 1 to 1")
    assert_one_line_error(run_cli("decompress", tmp_path / "x.wisp", shown, "--count", 2), 2, "--count")
    told = run_cli("info", target)
    assert "3 frames of 100x72" in told.out
    assert json.loads(run_cli("info", target, "--json").out)["keys"] == [0]
    assert_one_line_error(run_cli("compress", frames, tmp_path / "b.wisps", "--bpp", 1), 2, "--bpp")
    assert_one_line_error(run_cli("compress", frames, tmp_path / "b.wisps", "--fps", "x"), 2, "--fps")
    (tmp_path / "cut.wisps").write_bytes(data[:-1])
    assert_one_line_error(run_cli("decompress", tmp_path / "cut.wisps", tmp_path / "c"), 1, "missing")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_one_line_error(run_cli("compress", empty, tmp_path / "b.wisps"), 1, "folder of pictures")
    assert not (tmp_path / "b.wisps").exists()


def test_videos(prior_model: Path, clip: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    data = wisp.compress_sequence(clip[:3], rate=(12, 1), model=prior_model)
    (tmp_path / "a.wisps").write_bytes(data)
    assert run_cli("decompress", tmp_path / "a.wisps", tmp_path / "a.mp4", "--model", prior_model).code == 0
    with av.open(tmp_path / "a.mp4") as video:
        assert "wisp" in video.metadata["comment"]
    made = run_cli("compress", tmp_path / "a.mp4", tmp_path / "b.wisps", "--model", prior_model)
    assert made.code == 0
    info = wisp.read_sequence_info((tmp_path / "b.wisps").read_bytes())
    assert (info.rate, len(info.frame_num_bytes), info.width, info.height) == ((12, 1), 3, SIZE[1], SIZE[0])
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    assert_one_line_error(run_cli("compress", tmp_path / "bad.mp4", tmp_path / "c.wisps"), 1, "video")


def test_colour_after_grey_is_not_lost(prior_model: Path, clip: list[NDArray[np.uint8]]) -> None:
    """A fade from black begins grey."""
    black = np.zeros_like(clip[0])
    data = wisp.compress_sequence([black, clip[0], clip[1], black], model=prior_model)
    assert wisp.read_sequence_info(data).keys[:2] == (0, 1)
    shown = list(wisp.decompress_sequence(data, model=prior_model))
    assert [image.mode for image in shown] == ["RGB"] * 4
    alone = wisp.decompress(wisp.compress(clip[0], model=prior_model), model=prior_model)
    assert np.array_equal(np.asarray(shown[1]), np.asarray(alone))


def test_key_frames_must_be_alike_also_when_seeking(prior_model: Path, clip: list[NDArray[np.uint8]]) -> None:
    first = wisp.compress(clip[0], model=prior_model)
    smaller = wisp.compress(clip[0][:-8], model=prior_model)
    half = wisp.compress(np.tile(clip[0], (2, 2, 1)), size=30, model=prior_model)
    assert wisp.read_info(half).scale_exponent > 0
    for frames in ([first, smaller], [smaller, first], [half], [first, half]):
        data = pack_sequence([Frame(frame, True) for frame in frames], (25, 1))
        with pytest.raises(Corrupt):
            list(wisp.decompress_sequence(data, first=len(frames) - 1, model=prior_model))


@pytest.mark.parametrize("kind", ["grid", "vector", "routed", "uniform"])
def test_models_that_cannot_code_regions_move_and_correct_them(
    kind: str, clip: list[NDArray[np.uint8]], request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(f"{kind}_model")
    data = wisp.compress_sequence(clip, quality=60, model=model)
    info = wisp.read_sequence_info(data)
    assert info.keys == (0, 5)  # the last frame is another scene
    shown = [np.asarray(image) for image in wisp.decompress_sequence(data, model=model)]
    (sought,) = wisp.decompress_sequence(data, first=3, count=1, model=model)
    assert np.array_equal(np.asarray(sought), shown[3])
    errors = [np.square(s.astype(float) - frame).mean() for s, frame in zip(shown, clip, strict=True)]
    assert max(errors[1:5]) < errors[0]  # an untrained model's key frame shows next to nothing
    coarse = wisp.compress_sequence(clip, quality=20, model=model)
    assert sum(wisp.read_sequence_info(coarse).frame_num_bytes[1:5]) < sum(info.frame_num_bytes[1:5])
    sequence = unpack_sequence(data)
    for changed in (b"moved", sequence.frames[1].data[:-1], sequence.frames[1].data + b"\0"):
        frames = [sequence.frames[0], Frame(changed, False)]
        with pytest.raises((Corrupt, Truncated)):
            list(wisp.decompress_sequence(pack_sequence(frames, (25, 1)), model=model))


def test_large_frames_are_refused_before_anything_is_allocated(clip: list[NDArray[np.uint8]]) -> None:
    header = pack_header(Header(4, 4097, 4096, False, 0, False))
    data = pack_sequence([Frame(header + bytes(8), True)], (25, 1))
    with pytest.raises(LimitExceeded):
        wisp.decompress_sequence(data)
    with pytest.raises(LimitExceeded):
        wisp.compress_sequence([np.zeros((4097, 4096), np.uint8)])


def test_frames_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name, grey in (("f10", 100), ("f2", 20), ("f1", 10), ("g", 200)):
        Image.new("L", (8, 8), grey).save(tmp_path / f"{name}.png")
    pictures, _ = frames_of([str(tmp_path)])
    assert [int(picture.pixels_u8[0, 0, 0]) for picture in pictures] == [10, 20, 100, 200]


@pytest.fixture
def packed_clip(prior_model: Path, clip: list[NDArray[np.uint8]], tmp_path: Path) -> Path:
    path = tmp_path / "clip.wisps"
    path.write_bytes(wisp.compress_sequence(clip[:2], quality=40, model=prior_model))
    return path


def test_frames_go_where_a_link_leads(
    packed_clip: Path, prior_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts lie in the folder itself: it may be on another disk, to which nothing can be renamed."""
    real = tmp_path / "disk" / "real"
    real.mkdir(parents=True)
    rename = os.replace

    def across_no_disks(source: str | Path, target: str | Path) -> None:
        is_there = [
            os.path.realpath(path).startswith(f"{real.resolve()}{os.sep}") for path in (source, target)
        ]
        if is_there[0] != is_there[1]:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "replace", across_no_disks)
    monkeypatch.setattr(os, "rename", across_no_disks)
    link = tmp_path / "link"
    link.symlink_to(real)
    (link / "00001.png").write_bytes(b"old")
    (link / "00007.png").write_bytes(b"old")
    assert run_cli("decompress", packed_clip, link, "-f", "--model", prior_model).code == 0
    assert sorted(path.name for path in link.iterdir()) == ["00000.png", "00001.png"]
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.wisps", "disk", "link"]


def test_frames_go_into_the_folder_one_is_in(
    packed_clip: Path, prior_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert run_cli("decompress", packed_clip, ".", "--model", prior_model).code == 0
    assert sorted(path.name for path in here.iterdir()) == ["00000.png", "00001.png"]


def test_what_others_call_a_part_is_theirs(packed_clip: Path, prior_model: Path, tmp_path: Path) -> None:
    theirs = tmp_path / ".shown.part"
    theirs.mkdir()
    (theirs / "mine.txt").write_text("mine")
    assert run_cli("decompress", packed_clip, tmp_path / "shown", "--model", prior_model).code == 0
    assert (theirs / "mine.txt").read_text() == "mine"


def test_a_failure_leaves_the_old_frames(
    packed_clip: Path, prior_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tmp_path / "shown"
    assert run_cli("decompress", packed_clip, shown, "--model", prior_model).code == 0
    before = {path.name: path.read_bytes() for path in shown.iterdir()}
    monkeypatch.setattr("wisp.cli.frame_files.os.replace", raise_no_space)
    for target in (shown, tmp_path / "new"):
        assert run_cli("decompress", packed_clip, target, "-f", "--model", prior_model).code == 1
    assert {path.name: path.read_bytes() for path in shown.iterdir()} == before
    assert not (tmp_path / "new").exists()


def raise_no_space(*names: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_frame_of_another_size_is_named(
    prior_model: Path, clip: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    Image.fromarray(clip[0]).save(frames / "a.png")
    Image.fromarray(clip[0][:-1]).save(frames / "b.png")
    ran = run_cli("compress", frames, tmp_path / "clip.wisps", "--model", prior_model)
    assert ran.code == 1
    assert "b.png': expected a frame of 100x72 like the first, found 100x71" in ran.stderr
