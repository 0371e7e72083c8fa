"""What a release decodes to, for ever: reference/releases, and what was found there when it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import release_reading as reading
from cli_runner import run_cli
from PIL import Image

import wisp
from wisp.codecs import ENTRIES, codec_for_model
from wisp.codecs.registry import WITHDRAWN, refuse_released
from wisp.errors import UnknownModel, UsageError

FOLDER = Path(__file__).parent.parent / "reference" / "releases"
# Number, and hash of found.json: what a release is. A line is added for each, and none is ever changed.
RELEASED = {
    "wisp-1": (9, "30556ace988395afc2aeca67a730dccf3e96b527ca588cabcd83c1119942b44b"),
    "wisp-2": (10, "e7dada55aaf575b3e9e29e4c02197272685a95283a33d902df67702144779a44"),
    "wisp-3": (11, "ca23c692513d58553bb7a3a6e2a114c20e3ed60dd5af7d6e3887cb39c69a0715"),
    "wisp-4": (12, "ec8a6f866084900ea616a5edee6a95d35eea6927acf2c9c4dcf667519c247b80"),
    "wisp-5": (14, "cc2f14ac9d1889caa09a2b1ae41ca66256f42231e8ef4195d5b888cffc58263f"),
}
CLOSE = 3  # grey levels that machines may differ by
KINDS = (".wisp", ".wisps", "")
PICTURES = sorted(path for name in RELEASED for path in (FOLDER / name).iterdir() if path.suffix in KINDS)
FILES = [path for path in PICTURES if path.suffix == ".wisp"]


def found_then(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((FOLDER / name / "found.json").read_text())
    return table


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_every_release_is_there() -> None:
    assert {entry.release: entry.number for entry in ENTRIES if entry.release} == {
        name: number for name, (number, _) in RELEASED.items()
    }
    assert {path.name for path in FOLDER.iterdir()} == set(RELEASED)
    assert not {number for number, _ in RELEASED.values()} & set(WITHDRAWN)
    assert not set(RELEASED) & {entry.name for entry in ENTRIES}


@pytest.mark.parametrize("name", RELEASED)
def test_a_release_is_what_it_was(name: str) -> None:
    assert reading.sha256((FOLDER / name / "found.json").read_bytes()) == RELEASED[name][1]
    assert found_then(name)["model_number"] == RELEASED[name][0]
    assert reading.frozen_parts(name) == found_then(name)["frozen"]


@pytest.mark.parametrize("name", RELEASED)
def test_no_file_is_forgotten(name: str) -> None:
    assert {path.stem for path in FILES if path.parent.name == name} == set(found_then(name)["files"])


@pytest.mark.parametrize("path", FILES, ids=label)
def test_a_file(path: Path) -> None:
    name = path.parent.name
    assert reading.in_file(path.read_bytes(), name) == found_then(name)["files"][path.stem]


@pytest.mark.parametrize("name", RELEASED)
def test_drawn_tokens_and_cut_files(name: str) -> None:
    data = (FOLDER / name / "photograph_1000.wisp").read_bytes()
    assert reading.drawn_and_cut(data, name) == found_then(name)["drawn_and_cut"]


@pytest.mark.parametrize("name", RELEASED)
def test_packets(name: str) -> None:
    packets = reading.read_packets_of(FOLDER / name / "packets")
    assert reading.in_packets(packets, name) == found_then(name)["packets"]


@pytest.mark.parametrize("name", RELEASED)
def test_a_sequence(name: str) -> None:
    data = (FOLDER / name / "clip.wisps").read_bytes()
    assert reading.in_clip(data, name) == found_then(name)["clip"]


@pytest.mark.parametrize("path", PICTURES, ids=label)
def test_pixels(path: Path) -> None:
    with Image.open(path.with_suffix(".png")) as opened:
        then = np.asarray(opened).astype(int)
    assert np.abs(reading.patches(reading.pictures_of(path)) - then).max() <= CLOSE


@pytest.mark.parametrize("name", RELEASED)
def test_all_files_of_a_release_are_there(name: str) -> None:
    bundle = codec_for_model(name).bundle
    assert all(bundle.content(file) for file in bundle.config.files)
    photograph = np.asarray(Image.open(FOLDER / name / "photograph_1000.png"))
    assert wisp.read_info(wisp.compress(photograph, size=300, model=name)).model_number == RELEASED[name][0]


def test_a_release_is_a_model_by_name() -> None:
    for entry in ENTRIES:
        if entry.release:
            assert codec_for_model(entry.release) is codec_for_model(entry.name)


def test_releases_are_named_to_who_asks_for_another() -> None:
    with pytest.raises(UnknownModel, match="wisp-1"):
        codec_for_model("wisp-0")


def test_wisp_models_names_the_release() -> None:
    tables = json.loads(run_cli("models", "--json").out)
    found = {table["release"]: table["model_number"] for table in tables if table["release"]}
    assert found == {name: number for name, (number, _) in RELEASED.items()}
    for name in RELEASED:
        assert f"({name}, kept for good), " in run_cli("models").out


def test_no_other_weights_get_the_number_of_a_release() -> None:
    for name, (number, _) in RELEASED.items():
        with pytest.raises(UsageError, match=f"{name}'s for good"):
            refuse_released(number)
    refuse_released(128)
