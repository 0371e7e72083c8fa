"""The codec of a latent grid: channels as the rate, any size of picture, named errors."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import LatentGridCodec, any_codec_for_model, codec_for_model, pyramid_networks
from wisp.container import unpack_file
from wisp.errors import BitstreamError, BudgetError, Corrupt, ModelMismatch, Truncated, UsageError
from wisp.train.export import write_config


def codec_of(folder: Path) -> LatentGridCodec:
    codec = any_codec_for_model(folder, 1)
    assert isinstance(codec, LatentGridCodec)
    return codec


def test_channels_are_the_rate(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_of(grid_model)
    files = [wisp.compress(photo_u8, channels=c, model=grid_model) for c in range(1, 5)]
    sizes = [len(data) for data in files]
    assert sizes == sorted(set(sizes))
    grids = [codec.decode(unpack_file(data)) for data in files]
    errors = []
    for count, (data, grid) in enumerate(zip(files, grids, strict=True), start=1):
        assert grid.shape == (count, 25, 38)
        assert np.array_equal(grid, grids[-1][:count])
        shown = wisp.reconstruct(data, model=grid_model)
        assert shown.image.size == (300, 200)
        assert shown.confidence.shape == (25, 38)
        assert np.allclose(shown.confidence, count / 4)
        assert shown.region_side == 8
        assert not shown.generated
        errors.append(np.square(np.asarray(shown.image).astype(float) - photo_u8).mean())
    assert errors[-1] < errors[0]
    assert wisp.compress(photo_u8, channels=3, model=grid_model, threads=2) == files[2]


def test_quality_stands_for_a_rate(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    for quality, channels in ((0, 1), (33, 1), (34, 2), (66, 2), (67, 4), (100, 4)):
        data = wisp.compress(photo_u8, quality=quality, model=grid_model)
        assert data == wisp.compress(photo_u8, channels=channels, model=grid_model)


def test_a_size_is_a_promise(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    whole = len(wisp.compress(photo_u8, channels=4, model=grid_model))
    with pytest.raises(BudgetError) as caught:
        wisp.compress(photo_u8, size=10, model=grid_model)
    smallest = caught.value.smallest_num_bytes
    assert len(wisp.compress(photo_u8, size=smallest, model=grid_model)) == smallest
    with pytest.raises(BudgetError):
        wisp.compress(photo_u8, size=smallest - 1, model=grid_model)
    scales = set()
    for size in range(whole + 50, smallest, -60):
        data = wisp.compress(photo_u8, size=size, model=grid_model)
        assert len(data) <= size
        scales.add(wisp.read_info(data).scale_exponent)
        assert wisp.decompress(data, model=grid_model).size == (300, 200)
    assert scales >= {0, 1, 2}


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (9, 8), (65, 33)])
def test_any_shape(grid_model: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    data = wisp.compress(pixels, channels=4, model=grid_model)
    assert wisp.decompress(data, model=grid_model).size == (shape[1], shape[0])


def test_grey_alpha_and_exif(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    grey = wisp.decompress(wisp.compress(photo_u8[..., 0], channels=2, model=grid_model), model=grid_model)
    assert grey.mode == "L"
    with_alpha = np.dstack([photo_u8, np.arange(300, dtype=np.uint8)[None].repeat(200, 0)])
    data = wisp.compress(Image.fromarray(with_alpha), channels=2, model=grid_model, alpha="keep")
    shown = wisp.decompress(data, model=grid_model)
    assert shown.mode == "RGBA"
    assert np.array_equal(np.asarray(shown)[..., 3], with_alpha[..., 3])


def test_tiles_agree_with_the_whole(
    grid_model: Path, photo_u8: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = codec_of(grid_model)
    whole = codec.analyse(photo_u8)
    data = wisp.compress(photo_u8, channels=4, model=grid_model)
    shown = np.asarray(wisp.decompress(data, model=grid_model)).astype(int)
    monkeypatch.setattr(pyramid_networks, "WHOLE", 0)
    monkeypatch.setattr(pyramid_networks, "CORE", 96)
    assert np.abs(codec.analyse(photo_u8) - whole).max() < 1e-3
    assert np.abs(np.asarray(wisp.decompress(data, model=grid_model)).astype(int) - shown).max() <= 1


def test_damage_is_named(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    data = wisp.compress(photo_u8[:64, :64], channels=2, model=grid_model)
    random = np.random.default_rng(0)
    for place in range(6, len(data)):
        broken = bytearray(data)
        broken[place] ^= 1 << random.integers(8)
        with pytest.raises(BitstreamError):
            wisp.decompress(bytes(broken), model=grid_model)
    for length in range(len(data)):
        with pytest.raises(Truncated):
            wisp.decompress(data[:length], model=grid_model)
    with pytest.raises(BitstreamError):
        wisp.decompress(data + b"\0", model=grid_model)


def test_a_cut_file_that_was_asked_for_says_why(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    data = wisp.compress(photo_u8, channels=2, model=grid_model)
    with pytest.raises(Truncated, match="in part"):
        wisp.decompress(data[:-40], model=grid_model, allow_partial=True)
    assert wisp.decompress(data, model=grid_model, allow_partial=True).size == (300, 200)


def test_other_versions_and_counts_are_damage(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    codec = codec_of(grid_model)
    file = unpack_file(wisp.compress(photo_u8, channels=2, model=grid_model))
    for count in (0, 5, 255):
        with pytest.raises(Corrupt, match="channels"):
            codec.decode(replace(file, payload=bytes([count]) + file.payload[1:]))
    with pytest.raises(Corrupt, match="version"):
        codec.decode(replace(file, header=replace(file.header, version=1)))


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 0},
        {"channels": 5},
        {"channels": 2.0},
        {"channels": True},
        {"channels": 2, "size": 500},
        {"channels": 2, "bpp": 0.1},
        {"channels": 2, "quality": 3},
        {"size": 500, "roi": "auto"},
        {"ratios": (0.5, 0.5)},
        {"size": 500, "keep": 0.5},
        {"size": 500, "huffman": True},
        {"size": 500, "effort": 9},
    ],
)
def test_options_that_mean_nothing(
    grid_model: Path, photo_u8: NDArray[np.uint8], options: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        wisp.compress(photo_u8, model=grid_model, **options)  # type: ignore[arg-type]


def test_only_a_grid_has_channels(tiny_model: Path, vector_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    for model in (tiny_model, vector_model):
        with pytest.raises(UsageError, match="channels"):
            wisp.compress(photo_u8, channels=2, model=model)


def test_what_needs_tokens_says_so(grid_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    data = wisp.compress(photo_u8, channels=2, model=grid_model)
    with pytest.raises(UsageError, match="fill"):
        wisp.decompress(data, model=grid_model, fill="generate")
    with pytest.raises(UsageError, match="tokens"):
        codec_for_model(grid_model)
    with pytest.raises(UsageError, match="tokens"):
        wisp.packetize(photo_u8, size=500, mtu=100, model=grid_model)


def test_on_the_command_line(grid_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(photo_u8).save(tmp_path / "a.png")
    model = ("--model", grid_model)
    result = run_cli("compress", tmp_path / "a.png", tmp_path / "a.wisp", "--channels", "2", *model)
    assert result.code == 0
    assert (tmp_path / "a.wisp").read_bytes() == wisp.compress(photo_u8, channels=2, model=grid_model)
    result = run_cli("decompress", tmp_path / "a.wisp", tmp_path / "b.png", *model)
    assert result.code == 0
    assert run_cli("info", tmp_path / "a.wisp").code == 0
    result = run_cli("compress", tmp_path / "a.png", tmp_path / "c.wisp", "--channels", "9", *model)
    assert_one_line_error(result, 2, "channels")
    options = ("--channels", "2", "--size", "900")
    result = run_cli("compress", tmp_path / "a.png", tmp_path / "c.wisp", *options, *model)
    assert_one_line_error(result, 2, "channels")


@pytest.mark.parametrize(
    ("name", "value"),
    [("rates", []), ("rates", [0]), ("rates", [4, 2]), ("rates", "4"), ("lmbda", -1), ("lmbda", "much")],
)
def test_a_broken_configuration(grid_model: Path, tmp_path: Path, name: str, value: object) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(grid_model, folder)
    table = json.loads((folder / "config.json").read_text())
    table["latent"][name] = value
    write_config(folder, table)
    with pytest.raises(ModelMismatch, match=name):
        any_codec_for_model(folder)


@pytest.mark.parametrize("name", ["frequencies", "marginals", "thresholds", "predicted"])
def test_broken_tables(grid_model: Path, tmp_path: Path, photo_u8: NDArray[np.uint8], name: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(grid_model, folder)
    with np.load(folder / "tables.npz") as archive:
        parts = {key: archive[key] for key in archive.files}
    for broken in (parts[name].astype(np.float32), parts[name][:-1], 7 - parts[name]):
        np.savez(folder / "tables.npz", **{**parts, name: broken})
        write_config(folder, json.loads((folder / "config.json").read_text()))
        with pytest.raises(ModelMismatch):
            LatentGridCodec(type(codec_of(grid_model).bundle)(folder)).compress(
                wisp.open_image(_png(photo_u8)), wisp.rate.make_target(None, None, 100)
            )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    import io

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_a_codec_that_no_one_knows(grid_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(grid_model, folder)
    for codec, word in (("latent_cube", "upgrade"), ("token_pyramid", "suit")):
        table = json.loads((folder / "config.json").read_text())
        write_config(folder, {**table, "codec": codec})
        with pytest.raises(ModelMismatch, match=word):
            any_codec_for_model(folder)
        shutil.rmtree(folder)
        shutil.copytree(grid_model, tmp_path / "other", dirs_exist_ok=True)
        folder = tmp_path / "other"
