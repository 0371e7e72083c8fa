"""Two bundles that have files alike: each is stored once, and every model reads as before."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray

import wisp
from wisp.bench.allocation_ways import without_forecast
from wisp.errors import ModelMismatch, UsageError
from wisp.runtime import Bundle
from wisp.train import shared_files
from wisp.train.export import write_config
from wisp.train.shared_files import Stored


@pytest.fixture
def pair(tiny_model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Folders of an old and a new bundle that differ in the bytes of one network, in the number and in the card."""
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(tiny_model, old)
    shutil.copytree(tiny_model, new)
    with (new / "synthesis.onnx").open("ab") as stream:
        stream.write(b"\x32\x00")  # an empty documentation string: another file, the same network
    (new / "card.md").write_text("# new\n")
    table = json.loads((new / "config.json").read_text())
    write_config(new, {**table, "model_number": 200})
    return old, new


def test_what_is_alike_is_stored_once(pair: tuple[Path, Path], photo_u8: NDArray[np.uint8]) -> None:
    old, new = pair
    data = wisp.compress(photo_u8, size=600, model=old)
    shown = np.asarray(wisp.decompress(data, model=old))
    assert shared_files.share_files(old, new) == Stored(("analysis.onnx", "tables.npz"), ())
    assert {path.name for path in old.iterdir()} == {"card.md", "config.json", "synthesis.onnx"}
    moved = old.rename(old.with_name("moved"))  # another folder, as networks that are loaded are kept
    assert wisp.compress(photo_u8, size=600, model=moved) == data
    assert np.array_equal(np.asarray(wisp.decompress(data, model=moved)), shown)
    assert Bundle(moved).num_bytes < Bundle(new).num_bytes


def test_a_file_that_is_not_shared_is_the_old_ones(pair: tuple[Path, Path]) -> None:
    old, new = pair
    shared_files.share_files(old, new)
    assert Bundle(old).path("synthesis.onnx") == old / "synthesis.onnx"
    assert Bundle(old).path("tables.npz") == new / "tables.npz"


def test_hashes_hold_wherever_a_file_lies(pair: tuple[Path, Path]) -> None:
    old, new = pair
    shared_files.share_files(old, new)
    (new / "tables.npz").write_bytes(b"other")
    with pytest.raises(ModelMismatch, match=f"SHA-256 .* for {new / 'tables.npz'}"):
        _ = Bundle(old).tables


def test_a_third_bundle_finds_each_file_where_it_lies(
    pair: tuple[Path, Path], tmp_path: Path, photo_u8: NDArray[np.uint8]
) -> None:
    """The oldest has tables of one bundle and the analysis of another, which that one has from there too."""
    middle, new = pair
    oldest = tmp_path / "oldest"
    archive = (new / "tables.npz").read_bytes()
    assert archive.endswith(bytes(2))  # no comment; with one it is another file, and the same tables
    (new / "tables.npz").write_bytes(archive[:-2] + b"\x01\x00.")
    write_config(new, json.loads((new / "config.json").read_text()))
    shutil.copytree(middle, oldest)
    with (oldest / "synthesis.onnx").open("ab") as stream:
        stream.write(b"\x32\x01.")
    write_config(oldest, json.loads((oldest / "config.json").read_text()))
    data = wisp.compress(photo_u8, size=600, model=oldest)
    assert shared_files.share_files(middle, new).alike == ("analysis.onnx",)
    assert shared_files.share_files(oldest, middle, new).alike == ("analysis.onnx", "tables.npz")
    found = Bundle(oldest)
    assert found.config.shared_with == {"analysis.onnx": "new", "tables.npz": "old"}
    assert [found.verified(name).parent.name for name in sorted(found.config.files)] == [
        "new",
        "oldest",
        "oldest",
        "old",
    ]
    moved = oldest.rename(oldest.with_name("moved"))
    assert wisp.compress(photo_u8, size=600, model=moved) == data
    for keeper in (middle, new):
        with pytest.raises(UsageError, match=f"found .* sharing files with {keeper}"):
            shared_files.refuse_keeper(keeper)


def test_a_bundle_that_lost_its_fellow(pair: tuple[Path, Path], photo_u8: NDArray[np.uint8]) -> None:
    old, new = pair
    shared_files.share_files(old, new)
    shutil.rmtree(new)
    with pytest.raises(
        ModelMismatch, match=f"tables.npz in bundle {new}, found none, with which {old} shares"
    ):
        wisp.compress(photo_u8, size=600, model=old)
    with pytest.raises(ModelMismatch, match="keep both folders beside one another"):
        _ = Bundle(old).tables


def test_a_configuration_written_anew_keeps_what_is_shared(pair: tuple[Path, Path]) -> None:
    old, new = pair
    shared_files.share_files(old, new)
    before = Bundle(old).config.files
    (old / "forecast.npz").write_bytes(b"more")
    write_config(old, json.loads((old / "config.json").read_text()))
    after = Bundle(old).config.files
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"forecast.npz"}
    (old / "forecast.npz").unlink()
    write_config(old, json.loads((old / "config.json").read_text()))
    assert Bundle(old).config.files == before
    kept = new.rename(new.with_name("kept"))  # and while the other folder is away
    write_config(old, json.loads((old / "config.json").read_text()))
    kept.rename(new)
    assert Bundle(old).config.files == before
    assert Bundle(old).verified("tables.npz") == new / "tables.npz"
    (old / "tables.npz").write_bytes(b"its own")
    write_config(old, json.loads((old / "config.json").read_text()))
    assert Bundle(old).config.shared_with == {"analysis.onnx": "new"}
    assert Bundle(old).content("tables.npz") == b"its own"


def test_what_is_missing_is_not_blamed_on_others(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = pair
    (old / "tables.npz").unlink()
    monkeypatch.chdir(old.parent)
    with pytest.raises(ModelMismatch, match="found none; reinstall the model"):
        _ = Bundle(Path("old")).tables


def test_whatever_the_folder_is_called(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = pair
    shared_files.share_files(old, new)
    (tmp_path / "elsewhere").mkdir()
    door = tmp_path / "elsewhere" / "door"
    door.symlink_to(old, target_is_directory=True)
    monkeypatch.chdir(old)
    for folder in (Path(), Path("..", "old"), door):
        assert Bundle(folder).verified("tables.npz") == new / "tables.npz"


@pytest.fixture
def trained_on(pair: tuple[Path, Path]) -> tuple[Path, Path]:
    """The pair with networks of equal length that differ in a few bytes."""
    for folder, comment in zip(pair, (b"\x32\x04like", b"\x32\x02so"), strict=True):
        with (folder / "synthesis.onnx").open("ab") as stream:
            stream.write(comment)
        write_config(folder, json.loads((folder / "config.json").read_text()))
    return pair


def test_what_is_nearly_alike_is_kept_as_a_difference(
    trained_on: tuple[Path, Path], photo_u8: NDArray[np.uint8]
) -> None:
    old, new = trained_on
    network, size = (old / "synthesis.onnx").read_bytes(), Bundle(old).num_bytes
    data = wisp.compress(photo_u8, size=600, model=old)
    shown = np.asarray(wisp.decompress(data, model=old))
    listed = Bundle(old).config.files
    assert shared_files.share_files(old, new) == Stored(("analysis.onnx", "tables.npz"), ("synthesis.onnx",))
    assert {path.name for path in old.iterdir()} == {"card.md", "config.json", "synthesis.onnx.difference"}
    assert Bundle(old).num_bytes < size / 20
    assert Bundle(old).config.files == listed
    moved = old.rename(old.with_name("moved"))
    assert Bundle(moved).content("synthesis.onnx") == network
    assert wisp.compress(photo_u8, size=600, model=moved) == data
    assert np.array_equal(np.asarray(wisp.decompress(data, model=moved)), shown)
    write_config(moved, json.loads((moved / "config.json").read_text()))
    assert Bundle(moved).config.files == listed
    assert shared_files.share_files(moved) == Stored((), ())
    assert (moved / "synthesis.onnx").read_bytes() == network
    assert {path.name for path in moved.iterdir()} == {"config.json", *listed}
    assert Bundle(moved).config.shared_with == {}


@pytest.mark.parametrize("before", ["whole", "difference", "alike"])
@pytest.mark.parametrize("after", ["whole", "difference", "alike"])
def test_whatever_stops_it(
    before: str, after: str, trained_on: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at any of its steps, the bundle is sound, and the next try goes through."""
    old, new = trained_on
    network = (old / "synthesis.onnx").read_bytes()
    keepers = {"whole": (), "difference": (new,), "alike": (shutil.copytree(old, old.with_name("like")),)}
    steps = ("write_bytes_atomic", "Path.unlink")
    count = 0
    while True:
        shared_files.share_files(old, *keepers[before])
        left = [count]

        def stumbling(step: Callable[..., None], left: list[int] = left) -> Callable[..., None]:
            def run(*arguments: object, **options: object) -> None:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                step(*arguments, **options)

            return run

        try:
            with monkeypatch.context() as patch:
                patch.setattr(shared_files, steps[0], stumbling(shared_files.write_bytes_atomic))
                patch.setattr(Path, "unlink", stumbling(Path.unlink))
                shared_files.share_files(old, *keepers[after])
        except KeyboardInterrupt:
            assert Bundle(old).content("synthesis.onnx") == network
            assert all(Bundle(old).content(name) for name in Bundle(old).config.files)
            shared_files.share_files(old, *keepers[after])
            assert Bundle(old).content("synthesis.onnx") == network
            count += 1
        else:
            break
    assert count >= 2
    assert Bundle(old).content("synthesis.onnx") == network


def test_what_lies_about_is_not_listed(pair: tuple[Path, Path]) -> None:
    old, _ = pair
    before = Bundle(old).config.files
    (old / ".wisp-0123456789abcdef.part").write_bytes(b"left over")
    (old / ".ipynb_checkpoints").mkdir()
    (old / "sub").mkdir()
    write_config(old, json.loads((old / "config.json").read_text()))
    assert Bundle(old).config.files == before


def test_a_keeper_by_another_name_does_not_change(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """It lies elsewhere, and a link to it stands beside who shares with it."""
    old, new = pair
    shared_files.share_files(old, new)
    (tmp_path / "away").mkdir()
    moved = new.rename(tmp_path / "away" / "new")
    new.symlink_to(moved, target_is_directory=True)
    assert Bundle(old).tables
    with pytest.raises(UsageError, match="old sharing files with"):
        shared_files.refuse_keeper(new)
    (tmp_path / "door").symlink_to(new, target_is_directory=True)
    new.unlink()
    moved.rename(new)
    for name in ("new", "door"):  # a link beside the bundle itself
        with pytest.raises(UsageError, match="old sharing files with"):
            shared_files.refuse_keeper(tmp_path / name)


def test_a_link_to_the_only_copy_is_no_copy(pair: tuple[Path, Path]) -> None:
    old, new = pair
    shutil.copy(old / "synthesis.onnx", new / "synthesis.onnx")
    (new / "tables.npz").unlink()
    (new / "tables.npz").symlink_to(old / "tables.npz")
    write_config(new, json.loads((new / "config.json").read_text()))
    assert shared_files.share_files(old, new).alike == ("analysis.onnx", "synthesis.onnx")
    assert (new / "tables.npz").read_bytes()


def test_without_lzma_all_else_works(trained_on: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = trained_on
    shared_files.share_files(old, new)
    monkeypatch.setitem(sys.modules, "lzma", None)
    assert Bundle(new).content("synthesis.onnx")
    assert Bundle(old).tables
    with pytest.raises(ModelMismatch, match="a Python without lzma"):
        _ = Bundle(old).synthesis


def test_a_difference_that_is_another(trained_on: tuple[Path, Path]) -> None:
    """Altered, of another file, or without the file that it differs from."""
    old, new = trained_on
    shared_files.share_files(old, new)
    difference, base = old / "synthesis.onnx.difference", new / "synthesis.onnx"
    kept, network = difference.read_bytes(), base.read_bytes()
    for broken in (b"", kept[:-9], kept + b".", network[:100]):
        difference.write_bytes(broken)
        with pytest.raises(ModelMismatch, match=f"{difference}, found .*; reinstall the model"):
            _ = Bundle(old).synthesis
    difference.write_bytes(kept)
    base.write_bytes(network[:-1] + b"!")
    with pytest.raises(ModelMismatch, match=r"SHA-256 .* for .*\.difference, found"):
        _ = Bundle(old).synthesis
    base.unlink()
    with pytest.raises(ModelMismatch, match="keep both folders beside one another"):
        _ = Bundle(old).synthesis


def test_files_of_others_do_not_change(pair: tuple[Path, Path], photographs: Path, tmp_path: Path) -> None:
    old, new = pair
    shared_files.share_files(old, new)
    before = {path.name: path.read_bytes() for path in new.iterdir()}
    third = tmp_path / "third"
    shutil.copytree(new, third)
    with pytest.raises(UsageError, match="old sharing files with"):
        shared_files.share_files(new, third)
    options = ["--data", photographs, "--minutes", 0]
    ran = run_cli("train-prior", new, *options)
    assert_one_line_error(ran, 2, "old sharing files with", "change the copy")
    assert {path.name: path.read_bytes() for path in new.iterdir()} == before


def test_a_copy_elsewhere_is_whole(pair: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = pair
    shared_files.share_files(old, new)
    (old / "forecast.npz").write_bytes(b"more")
    write_config(old, json.loads((old / "config.json").read_text()))
    (tmp_path / "place").mkdir()
    copy = Bundle(without_forecast(Bundle(old), tmp_path / "place"))
    assert copy.config.shared_with == {}
    assert not copy.has_forecast
    assert all(copy.verified(name).parent == copy.folder for name in copy.config.files)


@pytest.mark.parametrize("name", ["Weiß", "with space", "a-b"])
def test_folders_that_cannot_be_named(name: str, pair: tuple[Path, Path]) -> None:
    old, new = pair
    with pytest.raises(UsageError, match="a-z, 0-9 and _"):
        shared_files.share_files(old, new.rename(new.with_name(name)))
    assert (old / "tables.npz").exists()


def test_folders_that_cannot_share(pair: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = pair
    for other in (old, tmp_path / "deeper" / "new"):
        with pytest.raises(UsageError, match="bundles in one folder"):
            shared_files.share_files(old, other)
    other = tmp_path / "other"
    shutil.copytree(new, other)
    for path in other.iterdir():
        if path.name != "config.json":
            path.write_bytes(path.read_bytes() + b" ")
    write_config(other, json.loads((other / "config.json").read_text()))
    with pytest.raises(UsageError, match="alike, found none"):
        shared_files.share_files(old, other)
    shared_files.share_files(old, new)
    with pytest.raises(UsageError, match="alike, found none"):  # which has nothing of its own to give
        shared_files.share_files(other, old)


def test_the_command(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    shared_files.main([str(path) for path in pair])
    assert "analysis.onnx, tables.npz" in capsys.readouterr().out
    shared_files.main([str(pair[0])])
    assert "shares with none: nothing" in capsys.readouterr().out
    for wrong in (
        [],
        [str(pair[0]), str(pair[0])],
        [str(pair[0].parent / "no"), str(pair[1])],
    ):
        with pytest.raises(SystemExit, match="expected"):
            shared_files.main(wrong)
