"""Where bundles are found: in the package, in WISP_MODEL_PATH, in a checkout's models/, in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from wisp.errors import ModelNotFound, WispError
from wisp.runtime.bundle import CONFIG_NAME, Bundle

_PACKAGE = Path(__file__).resolve().parent.parent


def search_folders() -> list[Path]:
    """Folders that may hold bundles, in the order in which they are searched; only those that exist."""
    folders = [_PACKAGE / "models"]
    folders += [Path(p) for p in os.environ.get("WISP_MODEL_PATH", "").split(os.pathsep) if p]
    checkout = _PACKAGE.parent.parent
    if (checkout / "pyproject.toml").is_file():
        folders.append(checkout / "models")
    cache = os.environ.get("XDG_CACHE_HOME")
    if not cache:
        try:
            cache = str(Path.home() / ".cache")
        except RuntimeError:  # a user without a home, as in containers
            cache = None
    if cache:
        folders.append(Path(cache) / "wisp" / "models")
    return [
        folder for folder in folders if os.path.isdir(folder)
    ]  # false, not an error, where access is denied


def installed_bundles(threads: int | None = None) -> list[Bundle]:
    """Every readable bundle, first found first; a broken one is left out (naming it raises its error)."""
    found: dict[str, Bundle] = {}
    for folder in search_folders():
        try:
            paths = sorted(folder.iterdir())
        except OSError:  # a folder that may not be listed
            continue
        for path in paths:
            if os.path.isfile(path / CONFIG_NAME):
                try:
                    bundle = Bundle(path, threads)
                except WispError:
                    continue
                found.setdefault(bundle.config.name, bundle)
    return list(found.values())


def find_bundle(name: str, threads: int | None = None) -> Bundle:
    """The bundle of a registered model name.

    Raises:
        ModelNotFound: it is not installed.
    """
    for folder in search_folders():
        if os.path.isfile(folder / name / CONFIG_NAME):
            return Bundle(folder / name, threads)
    places = ", ".join(str(folder) for folder in search_folders())
    raise ModelNotFound(
        f"expected the bundle of model {name!r} in one of {places}; found none: put it "
        "there, name other folders in WISP_MODEL_PATH, or give its own folder as the model"
    )
