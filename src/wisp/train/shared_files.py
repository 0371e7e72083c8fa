"""Store once what two bundles have alike: the older one keeps its own files and finds the others in the newer one.

    python -m wisp.train.shared_files OLD NEW

For a default model that moves on while its release stays (docs/decisions/0028-one-file-for-two-bundles.md).
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
        UsageError: the folders are not beside one another, or `other` has a name of more than a-z, 0-9 and _, or is
            itself without some of its files.
        ModelMismatch, ModelNotFound: one of them is no sound bundle.
    """
    if folder.resolve() == other.resolve() or folder.resolve().parent != other.resolve().parent:
        raise UsageError(f"expected two bundles in one folder, found {folder} and {other}")
    keeper, bundle = Bundle(other), Bundle(folder)
    if not SHARED_NAME.fullmatch(other.resolve().name):
        raise UsageError(f"expected a folder named by a-z, 0-9 and _, found {other.resolve().name!r}")
    if keeper.config.shared_with:
        raise UsageError(f"expected a bundle with all of its files in {other}, found one that shares them")
    for name in bundle.config.files:
        bundle.verified(name)
    alike = tuple(
        name
        for name, digest in sorted(bundle.config.files.items())
        if name != CARD_NAME and keeper.config.files.get(name) == digest and keeper.verified(name)
    )
    path = folder / CONFIG_NAME
    table = json.loads(path.read_text(encoding="utf-8"))
    table["shared_with"] = other.resolve().name
    write_bytes_atomic(path, (json.dumps(table, indent=1) + "\n").encode())
    for name in alike:
        (folder / name).unlink(missing_ok=True)
    return alike


def main(arguments: list[str]) -> None:
    """Share, and say what; or say why not."""
    try:
        old, new = (Path(argument) for argument in arguments)
        alike = share_files(old, new)
    except (ValueError, WispError) as fault:
        sys.exit(f"expected the folders of two bundles beside one another: {fault}")
    print(f"{old} shares with {new}: {', '.join(alike) or 'nothing'}")


if __name__ == "__main__":
    main(sys.argv[1:])
