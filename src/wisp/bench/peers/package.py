"""What a codec needs, opened when it asks for it: a package that only the bench has, or a part of Pillow."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from typing import Any

from PIL import features

from wisp.bench.codec import CodecUnavailable


@dataclass(frozen=True)
class Package:
    """An imported package.

    Attributes:
        module: the module that was asked for. Any, since these packages are not there when types are checked.
        label: name and version, as in the results: ``blurhash 1.1.5``.
    """

    module: Any
    label: str


def open_package(codec: str, module: str, package: str) -> Package:
    """Import `module` of the distribution `package`.

    Args:
        codec: who needs it, as on the command line.
        module: dotted name.
        package: the name pip knows it by.

    Raises:
        CodecUnavailable: not installed, or installed and broken.
    """
    try:
        imported = importlib.import_module(module)
    # A compiled package that does not fit this machine or its neighbours fails in any of these ways.
    except (ImportError, OSError, RuntimeError) as fault:
        raise CodecUnavailable(
            f"{codec}: expected the package {package}, found {_one_line(fault)}; pip install {package}"
        ) from fault
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = "of unknown version"
    return Package(imported, f"{package} {version}")


def require_pillow(codec: str, feature: str) -> None:
    """Make sure that this Pillow was built with a format.

    Args:
        codec: who needs it, as on the command line.
        feature: Pillow's own name of what it needs: ``avif``, ``webp`` or ``jpg``.

    Raises:
        CodecUnavailable: it was not.
    """
    if not features.check(feature):
        raise CodecUnavailable(
            f"{codec}: expected a Pillow that can write it, found one that cannot; install Pillow from PyPI"
        )


def _one_line(fault: Exception) -> str:
    return " ".join(str(fault).split()) or type(fault).__name__
