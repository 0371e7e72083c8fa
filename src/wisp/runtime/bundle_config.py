"""What a bundle's config.json declares, checked before anything is made of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wisp.errors import ModelMismatch

CONFIG_FORMAT = 1
FILE_NAME = re.compile(r"\w[\w.]*")
SHARED_NAME = re.compile("[a-z0-9_]{1,64}")  # of a folder beside a bundle's: nothing that leads elsewhere


@dataclass(frozen=True)
class BundleConfig:
    """What config.json declares.

    Attributes:
        name: `family.tag`.
        model_number: the number that files carry.
        codec: which codec of wisp.codecs runs this model.
        strides, groups: shape of the token pyramid, coarsest level first.
        contexts: for each place of the order, (level, group, phase) of each context table.
        grain: "map" (a depth for each region), "uniform" (one for the picture, at a share of the positions) or "routed"
            (one level for each region).
        allocation: numbers measured for the allocation (see wisp.allocation).
        files: SHA-256 of each file, as lower-case hex.
        noise: whether the synthesis takes the origin of what it is given, for its noise.
        latent: of a codec of continuous latents, its numbers (wisp.codecs.latent_grid, latent_vector); such a model has
            no pyramid: strides, groups, contexts and allocation are empty.
        shared_with: for each file that is listed and not here the name of the bundle's folder, beside this one, that
            has it, or has the one from which it differs as a file beside says (wisp.runtime.differences). The hashes
            are those of this model: they hold wherever a file lies and however it is stored.
    """

    name: str
    model_number: int
    codec: str
    files: dict[str, str]
    strides: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    contexts: tuple[tuple[tuple[int, int, bool], ...], ...] = ()
    allocation: dict[str, Any] = field(default_factory=dict)
    summary: str = ""
    grain: str = "map"
    noise: bool = False
    latent: dict[str, Any] = field(default_factory=dict)
    shared_with: dict[str, str] = field(default_factory=dict)


def parse_config(text: str, path: Path) -> BundleConfig:
    """The configuration in `text`, which was read from `path`.

    Raises:
        ModelMismatch: it is none, or one of which no codec can be made.
    """
    try:
        table = json.loads(text)
        if table.pop("format") != CONFIG_FORMAT:
            raise ModelMismatch(
                f"expected bundle format {CONFIG_FORMAT} in {path}, found another; upgrade wisp"
            )
        if "latent" not in table:
            table["strides"], table["groups"] = tuple(table["strides"]), tuple(table["groups"])
            table["contexts"] = tuple(
                tuple((int(a), int(b), bool(c)) for a, b, c in p) for p in table["contexts"]
            )
        config = BundleConfig(**table)
        _check_config(config)
        return config
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise ModelMismatch(
            f"expected a bundle configuration in {path}, found {fault!r}; reinstall the model"
        ) from None


def _check_config(config: BundleConfig) -> None:
    """Raise ValueError or TypeError for values of which no codec can be made."""
    if type(config.model_number) is not int or not 0 <= config.model_number <= 254:
        raise ValueError(f"model number {config.model_number!r}")
    tables = (config.allocation, config.files, config.latent, config.shared_with)
    if not all(isinstance(table, dict) for table in tables) or type(config.codec) is not str:
        raise TypeError(
            "allocation, files, latent or shared_with that are no table, or a codec that is no name"
        )
    if not all(type(name) is str and FILE_NAME.fullmatch(name) for name in config.files):
        raise ValueError("files of names that are none")
    for name, folder in config.shared_with.items():
        if name not in config.files or type(folder) is not str or not SHARED_NAME.fullmatch(folder):
            raise ValueError(
                f"a file {name!r} shared with {folder!r}, which is no file of it, or no bundle's name"
            )
    if not config.latent:
        _check_pyramid(config)
    elif config.strides or config.groups or config.contexts:
        raise ValueError("a pyramid beside a latent")


def _check_pyramid(config: BundleConfig) -> None:
    """Raise ValueError for values of which no pyramid can be made."""
    numbers = (*config.strides, *config.groups)
    if not all(type(number) is int and 1 <= number <= 1024 for number in numbers):
        raise ValueError(f"strides {config.strides} and groups {config.groups}")
    ratios = zip(config.strides, config.strides[1:], strict=False)
    if any(coarse % fine or coarse == fine for coarse, fine in ratios):
        raise ValueError(f"strides {config.strides} that do not divide one another")
    if not 1 <= len(config.strides) == len(config.groups) or len(config.contexts) != sum(config.groups):
        raise ValueError(
            f"{len(config.strides)} strides, {len(config.groups)} levels, {len(config.contexts)} contexts"
        )
    if type(config.noise) is not bool:
        raise ValueError(f"noise {config.noise!r}")
    if config.grain not in ("map", "uniform", "routed"):
        raise ValueError(f"grain {config.grain!r}")
