"""Metrics from other people's packages: import them late, and say clearly what is missing."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import TypeVar

from wisp.bench.metrics.metric import MetricUnavailable
from wisp.imaging.wording import one_line

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Package:
    """An imported package and its version."""

    module: ModuleType
    version: str


def import_package(module: str, distribution: str, purpose: str = "") -> Package:
    """Import `module`, which is installed under the name `distribution`.

    Args:
        module: dotted name.
        distribution: what pip calls it.
        purpose: why it is needed, for people; such as " with VGG-16".

    Raises:
        MetricUnavailable: it, or something that it imports, is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old packages beside new libraries
            return Package(importlib.import_module(module), metadata.version(distribution))
    except ImportError as fault:
        missing = fault.name if isinstance(fault, ModuleNotFoundError) else None
        if missing in (module, module.partition(".")[0], distribution):
            found, needed = "none", distribution
        elif missing is not None:
            found, needed = f"one without {missing}", f"{distribution} {missing}"
        else:
            found, needed = _reason(fault), distribution
        raise MetricUnavailable(
            f"expected the package {distribution}{purpose}, found {found}; pip install {needed}"
        ) from fault


def with_download(trunk: str, make: Callable[[], _Made]) -> _Made:
    """`make()`, which looks for the network `trunk` in torch's cache and else downloads it.

    Raises:
        MetricUnavailable: it cannot be had.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()
    # No network, a cut download, a library that no longer knows the package's call: whatever it is, the metric
    # cannot be had, and the others can.
    except Exception as fault:
        raise MetricUnavailable(
            f"expected the weights of {trunk}, found no download of them ({_reason(fault)}); run once with a "
            "network, or copy them into torch's cache"
        ) from fault


def _reason(fault: BaseException) -> str:
    """On one line, without folders: results, which are published, repeat it."""
    return re.sub(r"/\S*/", "", one_line(fault))
