"""What all exports share: options, a folder that appears whole or not at all, the head of the configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wisp.codecs.registry import refuse_released
from wisp.errors import UsageError
from wisp.runtime.bundle_config import CONFIG_FORMAT
from wisp.train.shared_files import refuse_keeper


@dataclass(frozen=True)
class ExportOptions:
    """How a bundle is to be written.

    Attributes:
        force: a folder that exists is replaced.
        image_limit: how many of the photographs the tables are fitted to.
        name: bundle name; default the recipe's.
        card_notes: Markdown for the end of the card: what the data are, what was seen.
        eight_bits: the large kernels of a pyramid's networks are stored in 8 bits (wisp.train.eighths).
        note: called with a line of progress now and then.
    """

    force: bool = False
    image_limit: int | None = 1200
    name: str | None = None
    card_notes: str = ""
    eight_bits: bool = False
    note: Callable[[str], None] = lambda text: None


def check_place(folder: Path, options: ExportOptions) -> None:
    """Raises UsageError: the folder exists, and is not to be replaced, or another bundle has files there."""
    refuse_keeper(folder)
    if folder.exists() and not options.force:
        raise UsageError(f"expected no folder at {folder}, found one; give --force to replace it")


def begin(folder: Path) -> Path:
    """An empty folder beside the one that is wanted."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def finish(part: Path, folder: Path) -> None:
    """Put the written folder in the wanted one's place."""
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def config_head(recipe: dict[str, Any], codec: str, options: ExportOptions) -> dict[str, Any]:
    """The entries that every bundle's configuration begins with; `recipe` as a checkpoint has it.

    Raises:
        UsageError: its number is a release's.
    """
    refuse_released(recipe["model_number"])
    return {
        "format": CONFIG_FORMAT,
        "name": options.name or recipe["name"],
        "model_number": recipe["model_number"],
        "codec": codec,
        "summary": recipe["description"],
    }
