"""Store once what bundles have alike: the oldest keeps its own files and finds the others in the newer ones.

A file of the same length that is nearly the other one's, such as a network that was trained on, is kept as its
difference (wisp.runtime.differences).

    python -m wisp.train.shared_files OLD NEW...

For a default model that moves on while its release stays (docs/decisions/0028-wisp-2.md).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wisp.atomic import write_bytes_atomic
from wisp.errors import UsageError, WispError
from wisp.runtime import CONFIG_NAME, DIFFERENCE_SUFFIX, SHARED_NAME, Bundle, make_difference

CARD_NAME = "card.md"  # stays beside its configuration
WORTH_IT = 0.75  # of a file's size its difference may take
SMALL = 1 << 16  # bytes that nobody saves: a difference needs Python's lzma to be read


@dataclass(frozen=True)
class Stored:
    """Names of files, sorted: found elsewhere, and kept as a difference from what is there."""

    alike: tuple[str, ...]
    differing: tuple[str, ...]


def share_files(folder: Path, *others: Path) -> Stored:
    """Keep in the bundle in `folder` only what those in `others`, folders beside it, have not alike or nearly so.

    What it shared before is looked for anew: without others the bundle is whole again.

    Raises:
        UsageError: the folders are not beside one another, one of `others` has a name of more than a-z, 0-9 and _,
            another bundle has files in `folder`, or nothing is alike.
        ModelMismatch, ModelNotFound: one of them is no sound bundle.
    """
    folder = folder.resolve()
    keepers = []
    for other in (path.resolve() for path in others):
        if folder == other or folder.parent != other.parent:
            raise UsageError(f"expected bundles in one folder, found {folder} and {other}")
        if not SHARED_NAME.fullmatch(other.name):
            raise UsageError(f"expected a folder named by a-z, 0-9 and _, found {other.name!r}")
        keepers.append(Bundle(other))
    refuse_keeper(folder)
    bundle = Bundle(folder)
    contents = {name: bundle.content(name) for name in bundle.config.files}
    places = {
        name: place for name, data in contents.items() if (place := _place(name, data, keepers, folder))
    }
    if others and not places:
        raise UsageError(f"expected a file that {folder} and {_listed(others)} have alike, found none")
    differing = {name: place.difference for name, place in places.items() if place.difference}
    # Whole first: a file that is there counts before all that is said of it, so the bundle is sound at every step.
    for name, data in contents.items():
        if not (folder / name).is_file():
            write_bytes_atomic(folder / name, data)
    _write_places(folder, {})
    for name in contents:
        (folder / (name + DIFFERENCE_SUFFIX)).unlink(missing_ok=True)
    for name, difference in differing.items():
        write_bytes_atomic(folder / (name + DIFFERENCE_SUFFIX), difference)
    _write_places(folder, {name: places[name].folder for name in sorted(places)})
    for name in places:
        (folder / name).unlink()
    return Stored(tuple(sorted(set(places) - set(differing))), tuple(sorted(differing)))


def _write_places(folder: Path, places: dict[str, str]) -> None:
    path = folder / CONFIG_NAME
    table = json.loads(path.read_text(encoding="utf-8"))
    table["shared_with"] = places
    if not places:
        del table["shared_with"]
    write_bytes_atomic(path, (json.dumps(table, indent=1) + "\n").encode())


@dataclass(frozen=True)
class _Place:
    """The folder that has a file, and what makes it of the one there, or None where that is the same."""

    folder: str
    difference: bytes | None = None


def _place(name: str, data: bytes, keepers: Sequence[Bundle], folder: Path) -> _Place | None:
    """Where a file can be had: whole, or else by the smallest difference that is worth it; None if nowhere."""
    best, smallest = None, len(data) * WORTH_IT
    for keeper in keepers:
        if name == CARD_NAME or name not in keeper.config.files or name in keeper.config.shared_with:
            continue
        if keeper.path(name).resolve().parent == folder:  # a link to the very file that would be removed
            continue
        base = keeper.content(name)
        if base == data:
            return _Place(keeper.folder.name)
        if len(base) == len(data) > SMALL and len(difference := make_difference(data, base)) < smallest:
            best, smallest = _Place(keeper.folder.name, difference), len(difference)
    return best


def refuse_keeper(folder: Path) -> None:
    """The files of a bundle that keeps those of another must not change.

    Raises:
        UsageError: a bundle beside `folder` shares files with it.
    """
    # A link to it may stand beside who shares with it.
    places = {folder.resolve(), folder.parent.resolve() / folder.name}
    configs = [(path, place) for place in places for path in place.parent.glob(f"*/{CONFIG_NAME}")]
    for path, place in sorted(configs):
        try:
            shared = json.loads(path.read_text(encoding="utf-8")).get("shared_with") or {}
        except (OSError, ValueError, AttributeError):
            continue
        names = shared.values() if isinstance(shared, dict) else [shared]
        if place.name in names and path.parent.resolve() != folder.resolve():
            raise UsageError(
                f"expected a bundle whose files are its own, found {path.parent.name} sharing files with {folder}; "
                "copy the folder to another place, and change the copy"
            )


def main(arguments: list[str]) -> None:
    """Share, and say what; or say why not."""
    try:
        old, *new = (Path(argument) for argument in arguments)
        stored = share_files(old, *new)
    except (ValueError, OSError, WispError) as fault:
        sys.exit(f"expected the folders of bundles beside one another: {fault}")
    print(f"{old} shares with {_listed(new) or 'none'}: {', '.join(stored.alike) or 'nothing'}")
    print(f"kept as differences: {', '.join(stored.differing) or 'nothing'}")


def _listed(folders: Iterable[object]) -> str:
    return " and ".join(map(str, folders))


if __name__ == "__main__":
    main(sys.argv[1:])
