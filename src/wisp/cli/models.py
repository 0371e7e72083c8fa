"""`wisp models`: the bundles that are installed here."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from wisp.cli.console import say, show
from wisp.cli.options import JsonOption
from wisp.codecs.registry import release_of
from wisp.runtime import Bundle, installed_bundles

_CONFIG = "config.json"
_CARD = "card.md"
_HASH_CHARACTERS = 12


def models_command(as_json: JsonOption = False) -> None:
    """List the installed models. The number is what a file carries."""
    tables = [describe_bundle(bundle) for bundle in installed_bundles()]
    if as_json:
        print(json.dumps(tables, indent=1))
        return
    if not tables:
        say("no model is installed; put a bundle's folder into one of the folders of WISP_MODEL_PATH")
    for table in tables:
        size = table["num_bytes"]
        told = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"
        kept = f" ({table['release']}, kept for good)" if table["release"] else ""
        others = " and ".join(sorted(set(table["shared_with"].values())))
        kept += f", shares files with {others}" if others else ""
        show(
            f"{table['name']}: number {table['model_number']}{kept}, {told}, "
            f"sha256 {table['sha256'][:_HASH_CHARACTERS]}"
        )
        show(f"  {table['summary']}")
        show(f"  {table['card'] or table['folder']}")


def describe_bundle(bundle: Bundle) -> dict[str, Any]:
    """A bundle as plain JSON values.

    The hash is that of config.json, which holds the hashes of all other files: it stands for the whole model.
    """
    card = bundle.folder / _CARD
    return {
        "model_number": bundle.config.model_number,
        "name": bundle.config.name,
        "release": release_of(bundle.config.model_number),
        "codec": bundle.config.codec,
        "num_bytes": bundle.num_bytes,
        "shared_with": bundle.config.shared_with,
        "summary": bundle.config.summary,
        "sha256": hashlib.sha256((bundle.folder / _CONFIG).read_bytes()).hexdigest(),
        "folder": str(bundle.folder),
        "card": str(card) if card.is_file() else None,
    }
