"""Model bundles: a folder with two networks, integer tables, a configuration, a card, and hashes of all.

config.json      what the model is; SHA-256 of every other file
analysis.onnx    pixels -> tokens
synthesis.onnx   tokens -> pixels
tables.npz       the entropy model's integer tables
prior.npz        the masked prior, if the model has one (wisp.codecs.masked_prior)
forecast.npz     what each depth will look like, if the model has it; for writers alone (wisp.allocation.forecast)
distance.onnx    how far a decoded picture looks from the original, if the model has it; for writers alone
                 (wisp.codecs.seeing)
card.md          how it was trained, on what, and its limits

Files that are equal in two bundles are stored once: `shared_with` names the folder beside that has each.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ModelMismatch, ModelNotFound
from wisp.runtime.sessions import Network, settle_threads

CONFIG_NAME = "config.json"
CONFIG_FORMAT = 1
PRIOR_NAME = "prior.npz"
ANALYSIS_NAME = "analysis.onnx"
FORECAST_NAME = "forecast.npz"
DISTANCE_NAME = "distance.onnx"
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
            has it. The hashes are those of this model: they hold wherever a file lies.
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


def _parse_config(text: str, path: Path) -> BundleConfig:
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
    if not all(type(name) is str and re.fullmatch(r"\w[\w.]*", name) for name in config.files):
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


class Bundle:
    """A model on disk; its parts are read when first needed, and checked against their hashes then.

    Raises:
        ModelNotFound: the folder holds no bundle.
        ModelMismatch: a file is missing, altered, or not what the configuration says.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        path = folder / CONFIG_NAME
        if not path.is_file():
            raise ModelNotFound(f"expected a model bundle with {CONFIG_NAME} in {folder}, found none")
        self.folder = folder
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise ModelMismatch(f"expected a readable {path}, found: {fault}; reinstall the model") from None
        self.config = _parse_config(text, path)
        self._threads = threads

    @property
    def threads(self) -> int:
        """Threads of a network, and networks of a prior that run at once.

        Raises:
            UsageError: as Network.
        """
        return settle_threads(self._threads)

    def path(self, name: str) -> Path:
        """Where one of the bundle's files is, or should be: in its folder, or in the one that it shares it with."""
        own = self.folder / name
        shared = self.config.shared_with.get(name)
        return self.folder.resolve().parent / shared / name if shared and not os.path.exists(own) else own

    def verified(self, name: str) -> Path:
        """Path of one of the bundle's files, once its SHA-256 agrees."""
        path = self.path(name)
        wanted = self.config.files.get(name)
        if wanted is None or not os.path.isfile(path):
            raise ModelMismatch(f"expected {name} in bundle {path.parent}, found none{self._missing(path)}")
        import hashlib  # loads OpenSSL, which `import wisp` can do without

        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != wanted:
            raise ModelMismatch(
                f"expected SHA-256 {wanted[:12]}... for {path}, found {found[:12]}...; reinstall the model"
            )
        return path

    def _missing(self, path: Path) -> str:
        """What to do where a file is missing."""
        if path.parent == self.folder:
            return "; reinstall the model"
        return f", with which {self.folder} shares it; keep both folders beside one another, or reinstall the model"

    @cached_property
    def analysis(self) -> Network:
        """Pixels to tokens.

        Raises:
            ModelMismatch: the bundle was made without it.
        """
        if ANALYSIS_NAME not in self.config.files and not (self.folder / ANALYSIS_NAME).exists():
            raise ModelMismatch(
                f"expected a model that compresses, found {self.config.name} ({self.config.model_number}), whose "
                f"bundle {self.folder} has no analysis network and only shows pictures; choose another with --model"
            )
        return self._network(ANALYSIS_NAME)

    @cached_property
    def synthesis(self) -> Network:
        """Tokens to pixels."""
        return self._network("synthesis.onnx")

    @property
    def can_look(self) -> bool:
        """Whether the configuration lists a network of distances, and the forecast beside which it is used."""
        return self.has_forecast and DISTANCE_NAME in self.config.files

    @cached_property
    def distance(self) -> Network:
        """A picture to what a small network sees in it; what differs is how far two pictures look from each other.

        Raises:
            ModelMismatch: the bundle has none.
        """
        return self._network(DISTANCE_NAME)

    @cached_property
    def tables(self) -> dict[str, NDArray[Any]]:
        """The integer tables by name."""
        return self._arrays("tables.npz")

    @property
    def has_prior(self) -> bool:
        """Whether the configuration lists a masked prior."""
        return PRIOR_NAME in self.config.files

    @property
    def has_forecast(self) -> bool:
        """Whether the configuration lists a forecast for the allocation."""
        return FORECAST_NAME in self.config.files

    @cached_property
    def forecast_parts(self) -> dict[str, NDArray[Any]]:
        """The forecast's arrays by name.

        Raises:
            ModelMismatch: the bundle has none.
        """
        return self._arrays(FORECAST_NAME)

    @cached_property
    def prior_parts(self) -> dict[str, NDArray[Any]]:
        """The masked prior's arrays by name.

        Raises:
            ModelMismatch: the bundle has none.
        """
        return self._arrays(PRIOR_NAME)

    def prior_network(self, name: str, graph: bytes) -> Network:
        """One of the prior's graphs, ready to run; too small for more than one thread.

        Those that see windows of bounded size keep their memory, which halves their time.
        """
        return Network(self.path(PRIOR_NAME) / name, 1, graph, keep_memory=name.startswith("step_"))

    def _network(self, name: str) -> Network:
        """A file of the bundle, verified now and whenever it is read."""
        path = self.verified(name)
        return Network(path, self._threads, check=partial(self.verified, name))

    def _arrays(self, name: str) -> dict[str, NDArray[Any]]:
        try:
            with np.load(self.verified(name), allow_pickle=False) as archive:
                found = {key: archive[key] for key in archive.files}
            if not all(isinstance(value, np.ndarray) for value in found.values()):
                raise ValueError("a member that is no array")
            return found
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as fault:
            raise ModelMismatch(
                f"expected arrays in {self.path(name)}, found {fault}; reinstall the model"
            ) from None

    @property
    def num_bytes(self) -> int:
        """Size of the bundle's folder on disk, without what another bundle holds for it."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())
