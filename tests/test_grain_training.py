"""Grain tables counted from a bundle's own files: fewer bits for its maps, and a part of the model from then on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.errors import ModelMismatch, UsageError
from wisp.runtime import Bundle
from wisp.train import grain_export
from wisp.train.export import write_config
from wisp.train.grain_export import maps_by_hand, train_grain
from wisp.train.shared_files import share_files
from wisp.train.verify import example_picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(12):
        Image.fromarray(example_picture(128, 160, seed)).save(folder / f"{seed:02}.png")
    return folder


@pytest.fixture(scope="module")
def counted(prior_model: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counted") / "tiny"
    shutil.copytree(prior_model, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grain_export, "BY_HAND", 2)  # of few pictures
        report = train_grain(folder, pictures, 12, 2, threads=1)
    assert len(report.after) == 2
    assert report.after[0] < report.before
    return folder


def test_its_own_maps_cost_less(counted: Path, prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    before, after = (TokenPyramidCodec(Bundle(folder)).entropy_model for folder in (prior_model, counted))
    with np.load(counted / "grain.npz") as archive:
        assert np.array_equal(Bundle(counted).tables["grain"], archive["grain"])
    assert (Bundle(counted).tables["bias_0"] == Bundle(prior_model).tables["bias_0"]).all()
    common = int(np.argmin(after.grain.bits[4, 4]))
    assert after.grain.bits[4, 4, common] <= before.grain.bits[4, 4, common]


def test_maps_by_hand_are_counted_too(counted: Path, photo_u8: NDArray[np.uint8]) -> None:
    codec = TokenPyramidCodec(Bundle(counted))
    groups = codec.bundle.config.groups
    found = maps_by_hand([photo_u8] * 160, groups, 32, 0)
    assert [place for place, maps in enumerate(found) if maps] == list(range(4, 160, 8))
    maps = [grain for many in found for grain in many]
    assert {int(depth) for grain in maps for depth in np.unique(grain)} == set(np.cumsum(groups).tolist())
    again = maps_by_hand([photo_u8] * 160, groups, 32, 0)
    assert all(np.array_equal(one, other) for one, (other,) in zip(maps, filter(None, again), strict=True))
    bits = codec.entropy_model.grain.bits
    for end in np.cumsum(
        groups
    ):  # no level's end is out of reach; 5 bits where the writer's maps alone count
        assert bits[end, end, end - 1] < 2


@pytest.mark.parametrize("options", [{"size": 150}, {"size": 900}, {"quality": 60}])
def test_files_are_written_and_read_with_it(
    counted: Path, prior_model: Path, photo_u8: NDArray[np.uint8], options: dict[str, int]
) -> None:
    data = wisp.compress(photo_u8, model=counted, **options)  # type: ignore[arg-type]
    wisp.check(data, model=counted)
    with pytest.raises(wisp.BitstreamError):
        wisp.check(data, model=prior_model)
    part = wisp.reconstruct(data[: len(data) * 2 // 3], allow_partial=True, model=counted)
    assert part.partial
    larger = wisp.compress(photo_u8, size=50_000, model=counted)
    assert wisp.read_info(larger).format_version == 3
    wisp.check(larger, model=counted)
    frames = [np.roll(photo_u8[:96, :128], 8 * step, 1) for step in range(3)]
    clip = wisp.compress_sequence(frames, quality=40, model=counted)
    assert len(list(wisp.decompress_sequence(clip, model=counted))) == 3
    packets = wisp.packetize(photo_u8, size=900, mtu=200, model=counted)
    assert not wisp.unpacketize(packets, model=counted).partial


def test_what_cannot_be_counted(
    counted: Path, prior_model: Path, uniform_model: Path, pictures: Path, tmp_path: Path
) -> None:
    released, uniform = tmp_path / "released", tmp_path / "uniform"
    shutil.copytree(prior_model, released)
    shutil.copytree(uniform_model, uniform)
    table = json.loads((released / "config.json").read_text())
    write_config(released, {**table, "model_number": 10})
    options = ("--data", pictures, "--image-limit", 4)
    assert_one_line_error(run_cli("train-grain", released, *options), 2, "wisp-2's for good")
    assert_one_line_error(run_cli("train-grain", uniform, *options), 2, "no grain maps to count")
    keeper, sharer = tmp_path / "keeper", tmp_path / "sharer"
    shutil.copytree(prior_model, keeper)
    shutil.copytree(prior_model, sharer)
    share_files(sharer, keeper)
    with pytest.raises(UsageError, match="sharer sharing files with"):
        train_grain(keeper, pictures, 4)
    with pytest.raises(UsageError, match="more photographs than one"):
        train_grain(sharer, pictures, 1)
    assert not (sharer / "grain.npz").exists()
    (tmp_path / "broken").mkdir()
    broken = shutil.copytree(counted, tmp_path / "broken" / "tiny")
    np.savez(broken / "grain.npz", grain=np.zeros((2, 2, 2), np.int16))
    write_config(broken, json.loads((broken / "config.json").read_text()))
    with pytest.raises(ModelMismatch, match="grain tables"):
        _ = TokenPyramidCodec(Bundle(broken)).entropy_model
    np.savez(broken / "grain.npz", grain=np.zeros((13, 13, 12), np.int16), bias_0=np.zeros(256, np.int16))
    write_config(broken, json.loads((broken / "config.json").read_text()))
    with pytest.raises(ModelMismatch, match="expected one array"):
        _ = Bundle(broken).tables


def test_the_command(prior_model: Path, pictures: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(prior_model, tmp_path / "tiny")
    ran = run_cli(
        "train-grain", folder, "--data", pictures, "--image-limit", 200, "--rounds", 1, "--threads", 1
    )
    assert ran.code == 0
    assert "bits a region before" in ran.out
    assert (folder / "grain.npz").stat().st_size < 10_000
    before, after = (float(number) for number in re.findall(r"\d+\.\d+", ran.out.partition("grain.npz;")[2]))
    assert after < before


def test_few_photographs_are_all_counted(prior_model: Path, pictures: Path, tmp_path: Path) -> None:
    """A limit above their number takes each of them once."""
    found = []
    for limit in (12, 200):
        folder = shutil.copytree(prior_model, tmp_path / f"tiny_{limit}")
        train_grain(folder, pictures, limit, 1, threads=1)
        found.append(Bundle(folder).tables["grain"])
    assert np.array_equal(*found)


def test_counting_that_is_stopped(
    prior_model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the last step nothing has changed, and after a stop there the next try goes through."""
    folder = shutil.copytree(prior_model, tmp_path / "tiny")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(grain_export, "write_bytes_atomic", stop)
        with pytest.raises(KeyboardInterrupt):
            train_grain(folder, pictures, 12, 2, threads=1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    train_grain(folder, pictures, 12, 1, threads=1)
    wanted = (folder / "grain.npz").read_bytes()
    (folder / "grain.npz").write_bytes(b"another")
    train_grain(folder, pictures, 12, 1, threads=1)
    assert (folder / "grain.npz").read_bytes() == wanted


def test_a_table_that_is_no_better_is_not_taken(
    counted: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(counted, tmp_path / "tiny")
    monkeypatch.setattr(
        grain_export, "fit_grain_logits", lambda maps, count: np.zeros((13, 13, 12), np.int16)
    )
    before = (folder / "grain.npz").read_bytes()
    with pytest.raises(UsageError, match="count more photographs"):
        train_grain(folder, pictures, 12, 1, threads=1)
    assert (folder / "grain.npz").read_bytes() == before
