"""Attacks through the surroundings: threads, homes, model names, and bundles that lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import wisp
from wisp.codecs import codec_for_model
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.errors import ModelMismatch
from wisp.runtime import default_threads
from wisp.runtime.bundle import Bundle
from wisp.runtime.locate import search_folders
from wisp.runtime.sessions import MAX_THREADS
from wisp.train.export import write_config


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "9" * 5000, str(MAX_THREADS + 1), " 2"])
def test_threads_out_of_range(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WISP_THREADS", text)
    with pytest.raises(wisp.UsageError, match="WISP_THREADS"):
        default_threads()


@pytest.mark.parametrize("threads", [0, -1, MAX_THREADS + 1, 1.5, "2", True])
def test_threads_option_out_of_range(threads: Any, tiny_model: Path) -> None:
    with pytest.raises(wisp.UsageError, match="threads"):
        _ = Bundle(tiny_model, threads).analysis


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("WISP_MODEL_PATH", f"{tmp_path}:/no/such/folder::")
    assert tmp_path in search_folders()


@pytest.mark.parametrize("model", ["", "x" * 5000, "a\0b", "/", "..", "wisp_small\n"])
def test_models_that_are_none(
    model: str, photo_u8: NDArray[np.uint8], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(wisp.ModelError):
        wisp.compress(photo_u8, size=500, model=model)


BAD_CONFIGS: tuple[dict[str, Any], ...] = (
    {"strides": [0, 0, 0]},
    {"strides": [32, 16]},
    {"strides": [32, 12, 8]},
    {"strides": "abc"},
    {"grain": "coarse"},
    {"grain": ["uniform"]},
    {"groups": [4, 4, -4]},
    {"groups": [4.5, 4, 4]},
    {"contexts": [[]]},
    {"contexts": None},
    {"model_number": 255},
    {"model_number": "0"},
    {"files": []},
    {"allocation": [1]},
    {"allocation": {"masking": 0.5, "level_gains": [1.0], "scale_bpp": []}},
    {"allocation": {"masking": None, "level_gains": [1.0] * 3, "scale_bpp": []}},
    {"format": 2},
    {"files": {"../tables.npz": ""}},
    {"shared_with": {"tables.npz": "../elsewhere"}},
    {"shared_with": {"tables.npz": "x" * 300}},
    {"shared_with": {"tables.npz": "other\n"}},
    {"shared_with": {"tables.npz": 7}},
    {"shared_with": {"no.npz": "other"}},
    {"shared_with": "other"},
    {"shared_with": None},
    {"unknown": 1},
)


def _altered(tiny_model: Path, folder: Path, text: str) -> Path:
    shutil.copytree(tiny_model, folder)
    (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("change", BAD_CONFIGS, ids=str)
def test_configurations_of_no_model(change: dict[str, Any], tiny_model: Path, tmp_path: Path) -> None:
    table = json.loads((tiny_model / "config.json").read_text(encoding="utf-8")) | change
    with pytest.raises(ModelMismatch):
        codec_for_model(_altered(tiny_model, tmp_path / "bundle", json.dumps(table)))


@pytest.mark.parametrize("text", ["", "7", "[]", "null", "[" * 100_000, '{"format": 1}'])
def test_configurations_of_another_kind(text: str, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMismatch):
        codec_for_model(_altered(tiny_model, tmp_path / "bundle", text))


def test_tables_that_break_the_integer_law(tiny_model: Path) -> None:
    config = Bundle(tiny_model).config
    good = Bundle(tiny_model).tables
    PyramidEntropyModel(good, config.contexts, config.groups, config.strides)
    for change in (
        {"bias_0": good["bias_0"].astype(np.float32)},
        {"bias_0": good["bias_0"][:255]},
        {"bias_0": np.full(256, 17_000, np.int16)},
        {"table_1_0": good["table_1_0"].astype(np.int16)},
        {"table_1_0": good["table_1_0"][:-1]},
        {"table_4_0": good["table_4_0"][:256]},
        {"grain": good["grain"][1:]},
    ):
        with pytest.raises(ModelMismatch):
            PyramidEntropyModel({**good, **change}, config.contexts, config.groups, config.strides)


@pytest.mark.parametrize(
    "context", [(0, 1, False), (0, 2, False), (2, 0, False), (-1, 0, False), (9, 0, False)]
)
def test_contexts_that_look_ahead(context: tuple[int, int, bool], tiny_model: Path) -> None:
    config, tables = Bundle(tiny_model).config, Bundle(tiny_model).tables
    contexts = (config.contexts[0], (context,), *config.contexts[2:])
    with pytest.raises(ModelMismatch, match="before"):
        PyramidEntropyModel(tables, contexts, config.groups, config.strides)


def test_a_bundle_that_only_shows(prior_model: Path, photo_u8: np.ndarray, tmp_path: Path) -> None:
    data = wisp.compress(photo_u8, size=900, model=prior_model)
    packets = wisp.packetize(photo_u8, size=900, mtu=200, model=prior_model)
    lost, folder = (Path(shutil.copytree(prior_model, tmp_path / name)) for name in ("lost", "left_out"))
    for place in (lost, folder):
        (place / "analysis.onnx").unlink()
    with pytest.raises(ModelMismatch, match="reinstall the model"):
        wisp.compress(photo_u8, size=900, model=lost)
    write_config(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    shown, wanted = (np.asarray(wisp.decompress(data, model=model)) for model in (folder, prior_model))
    assert np.array_equal(shown, wanted)
    generated = wisp.decompress(data, model=folder, fill="generate")
    assert generated.size == wisp.decompress(data, model=folder).size
    joined = wisp.unpacketize(packets[1:], model=folder)
    assert np.array_equal(
        np.asarray(joined.image), np.asarray(wisp.unpacketize(packets[1:], model=prior_model).image)
    )
    for make in (wisp.compress, wisp.packetize):
        with pytest.raises(ModelMismatch, match="only shows pictures"):
            make(photo_u8, size=900, model=folder)
