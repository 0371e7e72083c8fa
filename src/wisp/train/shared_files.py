"""Store once what two bundles have alike: the older one keeps its own files and finds the others in the newer one.

    python -m wisp.train.shared_files OLD NEW

For a default model that moves on while its release stays (docs/decisions/0028-wisp-2.md).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wisp.atomic import write_bytes_atomic
from wisp.errors import UsageError, WispError
from wisp.runtime import CONFIG_NAME, SHARED_NAME, Bundle

CARD_NAME = "card.md"  # stays beside its configuration


def share_files(folder: Path, other: Path) -> tuple[str, ...]:
    """Remove from the bundle in `folder` what the one in `other`, the folder beside it, has alike; names, sorted.

    Raises:
        UsageError: the folders are not beside one another, `other` has a name of more than a-z, 0-9 and _, one of the
            two is itself without some of its files, another bundle has files in `folder`, or nothing is alike.
        ModelMismatch, ModelNotFound: one of them is no sound bundle.
    """
    folder, other = folder.resolve(), other.resolve()
    if folder == other or folder.parent != other.parent:
        raise UsageError(f"expected two bundles in one folder, found {folder} and {other}")
    if not SHARED_NAME.fullmatch(other.name):
        raise UsageError(f"expected a folder named by a-z, 0-9 and _, found {other.name!r}")
    refuse_keeper(folder)
    keeper, bundle = Bundle(other), Bundle(folder)
    for found in (keeper, bundle):
        if found.config.shared_with:
            raise UsageError(
                f"expected a bundle with all of its files in {found.folder}, found one that shares them with "
                f"{found.config.shared_with}; copy them into it first"
            )
    for name in bundle.config.files:
        bundle.verified(name)
    alike = tuple(
        name
        for name, digest in sorted(bundle.config.files.items())
        if name != CARD_NAME and keeper.config.files.get(name) == digest and keeper.verified(name)
    )
    if not alike:
        raise UsageError(f"expected a file that {folder} and {other} have alike, found none")
    path = folder / CONFIG_NAME
    table = json.loads(path.read_text(encoding="utf-8"))
    table["shared_with"] = other.name
    write_bytes_atomic(path, (json.dumps(table, indent=1) + "\n").encode())
    for name in alike:
        (folder / name).unlink()
    return alike


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
        if shared == place.name and path.parent != place:
            raise UsageError(
                f"expected a bundle whose files are its own, found {path.parent.name} sharing files with {folder}; "
                "copy the folder to another place, and change the copy"
            )


def main(arguments: list[str]) -> None:
    """Share, and say what; or say why not."""
    try:
        old, new = (Path(argument) for argument in arguments)
        alike = share_files(old, new)
    except (ValueError, OSError, WispError) as fault:
        sys.exit(f"expected the folders of two bundles beside one another: {fault}")
    print(f"{old} shares with {new}: {', '.join(alike)}")


if __name__ == "__main__":
    main(sys.argv[1:])
