"""Store once what bundles have alike: the oldest keeps its own files and finds the others in the newer ones.

    python -m wisp.train.shared_files OLD NEW...

For a default model that moves on while its release stays (docs/decisions/0028-wisp-2.md).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from wisp.atomic import write_bytes_atomic
from wisp.errors import UsageError, WispError
from wisp.runtime import CONFIG_NAME, SHARED_NAME, Bundle

CARD_NAME = "card.md"  # stays beside its configuration


def share_files(folder: Path, *others: Path) -> tuple[str, ...]:
    """Remove from the bundle in `folder` what those in `others`, folders beside it, have alike; names, sorted.

    Raises:
        UsageError: the folders are not beside one another, one of `others` has a name of more than a-z, 0-9 and _, the
            bundle in `folder` shares files already or another has files in it, or nothing is alike.
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
    if bundle.config.shared_with:
        raise UsageError(
            f"expected a bundle with all of its files in {folder}, found one that shares them with "
            f"{_names(bundle)}; copy them into it first"
        )
    for name in bundle.config.files:
        bundle.verified(name)
    alike: dict[str, str] = {}
    for keeper in keepers:
        for name, digest in bundle.config.files.items():
            is_its_own = name not in keeper.config.shared_with and name != CARD_NAME
            if is_its_own and keeper.config.files.get(name) == digest and keeper.verified(name):
                alike.setdefault(name, keeper.folder.name)
    if not alike:
        raise UsageError(f"expected a file that {folder} and {_listed(others)} have alike, found none")
    path = folder / CONFIG_NAME
    table = json.loads(path.read_text(encoding="utf-8"))
    table["shared_with"] = dict(sorted(alike.items()))
    write_bytes_atomic(path, (json.dumps(table, indent=1) + "\n").encode())
    for name in alike:
        (folder / name).unlink()
    return tuple(sorted(alike))


def refuse_keeper(folder: Path) -> None:
    """The files of a bundle that keeps those of another must not change.

    Raises:
        UsageError: a bundle beside `folder` shares files with it.
    """
    place = folder.resolve()
    for path in sorted(place.parent.glob(f"*/{CONFIG_NAME}")) if place.parent.is_dir() else ():
        try:
            shared = Bundle(path.parent).config.shared_with
        except WispError:
            continue
        if place.name in shared.values() and path.parent != place:
            raise UsageError(
                f"expected a bundle whose files are its own, found {path.parent.name} sharing files with {folder}; "
                "copy the folder to another place, and change the copy"
            )


def main(arguments: list[str]) -> None:
    """Share, and say what; or say why not."""
    try:
        old, *new = (Path(argument) for argument in arguments)
        alike = share_files(old, *new)
    except (ValueError, OSError, WispError) as fault:
        sys.exit(f"expected the folders of bundles beside one another: {fault}")
    print(f"{old} shares with {_listed(new)}: {', '.join(alike)}")


def _listed(folders: Iterable[Path]) -> str:
    return " and ".join(str(folder) for folder in folders)


def _names(bundle: Bundle) -> str:
    return " and ".join(sorted(set(bundle.config.shared_with.values())))


if __name__ == "__main__":
    main(sys.argv[1:])
