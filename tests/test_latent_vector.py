"""The codec of a latent vector, and inversion: sizes are kept, searches improve, interruptions lose nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runner import assert_one_line_error, run_cli
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import LatentVectorCodec, any_codec_for_model
from wisp.codecs.latent_options import note_on_domain
from wisp.codecs.latent_vector import NUM_STEPS, PUBLISHED, step_of
from wisp.container import unpack_file
from wisp.entropy.latent_bytes import LatentKind, write_qsgd, write_stepped
from wisp.entropy.qsgd import quantise
from wisp.entropy.uniform_steps import quantise_steps
from wisp.errors import BitstreamError, BudgetError, Corrupt, ModelMismatch, Truncated, UsageError
from wisp.imaging import to_picture
from wisp.runtime import Bundle
from wisp.train import inversion
from wisp.train.export import write_config
from wisp.train.generators.pgan import PganGenerator
from wisp.train.inversion import InversionOptions, InversionTask, invert
from wisp.train.invert_pictures import config_of, invert_pictures, published_file
from wisp.train.latent_configs import VectorConfig
from wisp.train.latent_from_bundle import generator_of_bundle
from wisp.train.verify import example_picture


def codec_of(folder: Path) -> LatentVectorCodec:
    codec = any_codec_for_model(folder, 1)
    assert isinstance(codec, LatentVectorCodec)
    return codec


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    return example_picture(64, 64, 1)


def test_a_size_is_a_promise(vector_model: Path, face: NDArray[np.uint8]) -> None:
    with pytest.raises(BudgetError) as caught:
        wisp.compress(face, size=9, model=vector_model)
    smallest = caught.value.smallest_num_bytes
    assert smallest > 9
    sizes = []
    for size in (smallest, smallest + 4, smallest + 10, 400):
        data = wisp.compress(face, size=size, model=vector_model)
        assert len(data) <= size
        assert wisp.decompress(data, model=vector_model).size == (64, 64)
        sizes.append(len(data))
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_any_shape_comes_back_at_its_own_size(vector_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    for pixels in (photo_u8, photo_u8[..., 0], photo_u8[:1, :1]):
        data = wisp.compress(pixels, quality=50, model=vector_model)
        shown = wisp.reconstruct(data, model=vector_model)
        assert shown.image.size == (pixels.shape[1], pixels.shape[0])
        assert shown.image.mode == ("L" if pixels.ndim == 2 else "RGB")
        assert shown.confidence.tolist() == [[1.0]]
        assert shown.drawn
        assert shown.generated  # which its metadata will say
        assert shown.num_generated == 0


def test_quality_is_the_step(vector_model: Path, face: NDArray[np.uint8]) -> None:
    sizes = [len(wisp.compress(face, quality=q, model=vector_model)) for q in (0, 50, 100)]
    assert sizes == sorted(sizes)
    index = unpack_file(wisp.compress(face, quality=100, model=vector_model)).payload[0]
    assert step_of(index) == 0.25


@settings(max_examples=40, deadline=None)
@given(st.integers(0, NUM_STEPS - 1), st.integers(0, 2**32 - 1), st.sampled_from([0.1, 3.0, 80.0]))
def test_any_levels_come_back(vector_model: Path, index: int, seed: int, spread: float) -> None:
    codec = codec_of(vector_model)
    levels = np.random.default_rng(seed).normal(0, spread, 16)
    levels = np.clip(np.rint(levels), -255, 255).astype(np.int16)
    data = codec.write_levels(to_picture(np.zeros((64, 64, 3), np.uint8)), levels, index)
    latent = codec.decode(unpack_file(data))
    assert np.array_equal(latent.values, (levels * step_of(index)).astype(np.float32))


def test_damage_is_named(vector_model: Path, face: NDArray[np.uint8]) -> None:
    codec = codec_of(vector_model)
    latent = codec.analyse(face)
    published = write_qsgd(quantise(latent, 6), LatentKind.GAPS)
    for data in (
        wisp.compress(face, quality=80, model=vector_model),
        codec.write_published(to_picture(face), published),
    ):
        random = np.random.default_rng(0)
        for place in range(6, len(data)):
            broken = bytearray(data)
            broken[place] ^= 1 << random.integers(8)
            with pytest.raises(BitstreamError):
                wisp.decompress(bytes(broken), model=vector_model)
        for length in range(len(data)):
            with pytest.raises(Truncated):
                wisp.decompress(data[:length], model=vector_model)


def test_published_vectors(vector_model: Path, face: NDArray[np.uint8]) -> None:
    codec = codec_of(vector_model)
    picture, latent = to_picture(face), codec.analyse(face)
    for vector in (
        write_qsgd(quantise(latent, 8), LatentKind.GAPS),
        write_qsgd(quantise(latent, 8), LatentKind.DELTA),
        write_stepped(quantise_steps(latent, 0.5)),
    ):
        data = codec.write_published(picture, vector)
        assert len(data) == len(vector) + 9
        found = codec.decode(unpack_file(data))
        assert np.abs(found.values - latent).max() < 0.1 * np.abs(latent).max()
        assert wisp.decompress(data, model=vector_model).size == (64, 64)


def test_vectors_of_another_length_are_damage(vector_model: Path, face: NDArray[np.uint8]) -> None:
    codec = codec_of(vector_model)
    short = codec.write_published(to_picture(face), write_qsgd(quantise(np.ones(3), 4)))
    with pytest.raises(Corrupt, match="16 numbers"):
        codec.decode(unpack_file(short))
    long = codec.write_published(to_picture(face), write_qsgd(quantise(np.ones(17), 4)))
    with pytest.raises(Corrupt, match="16"):
        codec.decode(unpack_file(long))
    given = write_stepped(quantise_steps(np.ones(16), 0.5), np.full(16, 30))
    with pytest.raises(Corrupt, match="scales"):
        codec.decode(unpack_file(codec.write_published(to_picture(face), given)))
    file = unpack_file(short)
    with pytest.raises(Corrupt, match="scale 0"):
        codec.decode(replace(file, header=replace(file.header, scale_exponent=2)))
    with pytest.raises(Corrupt, match=str(PUBLISHED)):
        codec.decode(replace(file, payload=b"\xff" + file.payload[1:]))


def test_what_is_no_face_is_told(vector_model: Path, face: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert note_on_domain(to_picture(face), vector_model) is None
    line = note_on_domain(to_picture(noise), vector_model)
    assert line is not None
    assert "out of the domain of tiny_vector" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dimensions", 0),
        ("dimensions", 16.5),
        ("dimensions", 17),
        ("side", None),
        ("finest_step", 200),
        ("usual_error", "x"),
        ("usual_error", 0),
    ],
)
def test_a_broken_configuration(
    vector_model: Path, tmp_path: Path, face: NDArray[np.uint8], name: str, value: object
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(vector_model, folder)
    table = json.loads((folder / "config.json").read_text())
    table["latent"][name] = value
    write_config(folder, table)
    with pytest.raises(ModelMismatch):
        LatentVectorCodec(Bundle(folder)).compress(to_picture(face), wisp.rate.make_target(None, None, 50))


# ---- inversion ----


def test_the_generator_in_pytorch_is_the_bundles(vector_model: Path, face: NDArray[np.uint8]) -> None:
    codec = codec_of(vector_model)
    generator = generator_of_bundle(codec.bundle, config_of(codec))
    latent = (np.rint(codec.analyse(face) / 0.5) * 0.5).astype(np.float32)
    with torch.no_grad():
        x_hat = generator(torch.from_numpy(latent)[None], torch.tensor([[-1.0]]))[0].permute(1, 2, 0).numpy()
    wanted = np.clip(np.rint((x_hat + 1) * 127.5), 0, 255)
    assert np.abs(codec.synthesise(latent, 0.5).astype(float) - wanted).max() <= 1


def error_of(data: bytes, model: Path, face: NDArray[np.uint8]) -> float:
    return float(np.square(np.asarray(wisp.decompress(data, model=model)).astype(float) - face).mean())


def test_a_search_beats_the_guess_in_as_many_bytes(vector_model: Path) -> None:
    faces = [example_picture(64, 64, seed) for seed in (11, 12)]
    notes: list[int] = []
    files, found = invert_pictures(
        codec_of(vector_model),
        [to_picture(face) for face in faces],
        24,
        InversionOptions(steps=60, starts=3),
        note=lambda step, score: notes.append(step),
    )
    assert notes == list(range(1, 61))
    assert found.num_steps == 60
    assert not found.interrupted
    for face, data, score in zip(faces, files, found.scores, strict=True):
        assert len(data) <= 24
        plain = wisp.compress(face, size=24, model=vector_model)
        assert error_of(data, vector_model, face) < error_of(plain, vector_model, face)
        assert score < 1


def test_a_search_that_finds_nothing_keeps_the_guess(vector_model: Path, face: NDArray[np.uint8]) -> None:
    files, found = invert_pictures(
        codec_of(vector_model), [to_picture(face)], 24, InversionOptions(steps=1, minutes=0.0, starts=1)
    )
    assert found.num_steps == 0
    assert files == [wisp.compress(face, size=24, model=vector_model)]


def test_a_budget_without_any_slack_keeps_the_guess(vector_model: Path) -> None:
    """The guess's file has just this size, which a search does not come back to: nothing is lost."""
    face = example_picture(64, 64, 14)
    codec = codec_of(vector_model)
    size = len(wisp.compress(face, size=30, model=vector_model))
    plain = wisp.compress(face, size=size, model=vector_model)
    (data,), found = invert_pictures(codec, [to_picture(face)], size, InversionOptions(steps=1, starts=1))
    assert found.levels.any()
    assert found.scores[0] <= 1
    assert len(data) <= size
    if found.scores[0] == 1:
        assert data == plain


def test_ctrl_c_keeps_the_best_so_far(vector_model: Path, face: NDArray[np.uint8]) -> None:
    def interrupt(step: int, score: float) -> None:
        if step == 30:
            raise KeyboardInterrupt

    codec, options = codec_of(vector_model), InversionOptions(steps=200)
    (data,), found = invert_pictures(codec, [to_picture(face)], 24, options, note=interrupt)
    assert found.interrupted
    assert found.num_steps == 30
    assert len(data) <= 24
    assert wisp.decompress(data, model=vector_model).size == (64, 64)


def test_the_published_code_of_a_search(vector_model: Path, face: NDArray[np.uint8]) -> None:
    codec = codec_of(vector_model)
    _, found = invert_pictures(codec, [to_picture(face)], 40, InversionOptions(steps=5, starts=1))
    sizes = [len(published_file(codec, to_picture(face), found, 0, bits)) for bits in (4, 6, 8)]
    assert sizes == sorted(sizes)


def test_another_generator_can_be_inverted() -> None:
    """A progressive GAN's: its own drawing, found again from a start beside it."""
    torch.manual_seed(0)
    generator = PganGenerator(8, (8, 8)).requires_grad_(False)
    latent = torch.randn(1, 8)
    task = InversionTask(
        draw=lambda z, log_step: generator.unbounded(z),
        spreads=torch.ones(8),
        scales_at=lambda index: np.clip(np.full(8, 56 - index), 0, 95),
        step_of=step_of,
        starts=latent + 0.5 * torch.randn(1, 8),
        levels=np.zeros((1, 8), np.int16),
        indices=np.array([8]),
        last_index=40,
        wanted=generator.unbounded(latent),
        budgets=np.array([80.0]),
    )
    found = invert(task, InversionOptions(steps=150, starts=2))
    assert found.scores[0] < 0.2


def test_invert_on_the_command_line(vector_model: Path, face: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(face).save(tmp_path / "a.png")
    out = tmp_path / "a.wisp"
    options = ("--size", "24", "--steps", "5", "--model", vector_model, "--threads", "1")
    result = run_cli("invert", tmp_path / "a.png", out, *options)
    assert result.code == 0
    assert "5 steps" in result.stderr
    assert out.stat().st_size <= 24
    assert_one_line_error(run_cli("invert", tmp_path / "a.png", out, *options), 2, "exists")
    result = run_cli("invert", tmp_path / "a.png", out, "-f", *options, "--published", "6")
    assert_one_line_error(result, 2, "--published")
    result = run_cli("invert", tmp_path / "a.png", out, "-f", *options[2:], "--published", "6")
    assert result.code == 0
    assert unpack_file(out.read_bytes()).payload[0] == PUBLISHED
    too_small = ("--size", "9", "--model", vector_model)
    assert_one_line_error(run_cli("invert", tmp_path / "a.png", out, "-f", *too_small), 1, "budget")


def test_ctrl_c_ends_the_command(
    vector_model: Path, tmp_path: Path, face: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        Image.fromarray(face).save(tmp_path / f"{name}.png")
    (tmp_path / "out").mkdir()
    step = inversion._Search.step

    def interrupted(self: inversion._Search, progress: float) -> None:
        step(self, progress)
        raise KeyboardInterrupt

    monkeypatch.setattr(inversion._Search, "step", interrupted)
    options = ("--size", "24", "--model", vector_model)
    result = run_cli("invert", tmp_path / "a.png", tmp_path / "b.png", tmp_path / "out", *options)
    assert result.code == 130
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.wisp"]
    assert wisp.decompress((tmp_path / "out" / "a.wisp").read_bytes(), model=vector_model).size == (64, 64)


def test_invert_wants_a_vector(grid_model: Path, face: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(face).save(tmp_path / "a.png")
    result = run_cli("invert", tmp_path / "a.png", "--model", grid_model)
    assert_one_line_error(result, 2, "latent vectors")


def test_a_bundle_without_a_shape_cannot_be_searched(
    vector_model: Path, tmp_path: Path, face: NDArray[np.uint8]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(vector_model, folder)
    table = json.loads((folder / "config.json").read_text())
    del table["latent"]["shape"]
    write_config(folder, table)
    with pytest.raises(ModelMismatch, match="shape"):
        invert_pictures(codec_of(folder), [to_picture(face)], 30, InversionOptions(steps=1))


@pytest.mark.parametrize(
    "broken",
    [
        {"steps": (2.0, 1.0)},
        {"steps": (1.0,)},
        {"side": 48},
        {"seed_channels": -3},
        {"widths": (8, 8)},
        {"widths": ("a", 8, 8)},
        {"analysis_blocks": (1, 1, "x")},
    ],
)
def test_shapes_that_are_none(broken: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        VectorConfig(**broken)  # type: ignore[arg-type]


def test_the_confidence_map_has_the_pictures_size(
    vector_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path
) -> None:
    (tmp_path / "a.wisp").write_bytes(wisp.compress(photo_u8, quality=50, model=vector_model))
    chart = tmp_path / "map.png"
    options = ("--confidence", chart, "--model", vector_model)
    assert run_cli("decompress", tmp_path / "a.wisp", tmp_path / "b.png", *options).code == 0
    with Image.open(chart) as image:
        assert image.size == (300, 200)
