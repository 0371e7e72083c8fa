"""Model bundles: a folder with two networks, integer tables, a configuration, a card, and hashes of all.

config.json      what the model is; SHA-256 of every other file
analysis.onnx    pixels -> tokens
synthesis.onnx   tokens -> pixels
tables.npz       the entropy model's integer tables
grain.npz        its table of the grain map, if that was counted anew; it comes before the one in tables.npz
prior.npz        the masked prior, if the model has one (wisp.codecs.masked_prior)
forecast.npz     what each depth will look like, if the model has it; for writers alone (wisp.allocation.forecast)
distance.onnx    how far a decoded picture looks from the original, if the model has it; for writers alone
                 (wisp.codecs.seeing)
search.onnx      pixels -> tokens for every depth, found together, with the weights of analysis.onnx, if the model has
                 it; for writers alone
card.md          how it was trained, on what, and its limits

Files that are equal in two bundles are stored once, and one that is nearly equal as its difference: `shared_with` names
the folder beside that has each.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ModelMismatch, ModelNotFound
from wisp.runtime.borrowing import with_weights_of
from wisp.runtime.bundle_config import parse_config
from wisp.runtime.differences import DIFFERENCE_SUFFIX, apply_difference
from wisp.runtime.sessions import Network, settle_threads

CONFIG_NAME = "config.json"
GRAIN_NAME = "grain.npz"
PRIOR_NAME = "prior.npz"
ANALYSIS_NAME = "analysis.onnx"
FORECAST_NAME = "forecast.npz"
DISTANCE_NAME = "distance.onnx"
SEARCH_NAME = "search.onnx"


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
        self.config = parse_config(text, path)
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
        is_here = name not in self.config.shared_with or os.path.exists(own) or self._difference(name)
        return own if is_here else self._beside(name)

    def verified(self, name: str) -> Path:
        """Path of one of the bundle's files that is stored whole, once its SHA-256 agrees."""
        path = self.path(name)
        self._require(path, name)
        import hashlib  # loads OpenSSL, which `import wisp` can do without

        with path.open("rb") as stream:
            self._compare(hashlib.file_digest(stream, "sha256").hexdigest(), path, name)
        return path

    def content(self, name: str) -> bytes:
        """What one of the bundle's files holds, however it is stored, once its SHA-256 agrees."""
        difference = self._difference(name)
        if difference is None:
            return self.verified(name).read_bytes()
        base = self._beside(name)
        self._require(base, name)
        import hashlib

        try:
            data = apply_difference(difference.read_bytes(), base.read_bytes())
        except ValueError as fault:
            raise ModelMismatch(
                f"expected what makes {name} of {base} in {difference}, found {fault}; reinstall the model"
            ) from None
        self._compare(hashlib.sha256(data).hexdigest(), difference, name)
        return data

    def _difference(self, name: str) -> Path | None:
        """The file that makes one of the bundle's files of another bundle's, if it is stored so."""
        path = self.folder / (name + DIFFERENCE_SUFFIX)
        is_whole = name not in self.config.shared_with or os.path.exists(self.folder / name)
        return None if is_whole or not os.path.isfile(path) else path

    def _beside(self, name: str) -> Path:
        """Where the bundle that has a shared file, or the one that it differs from, keeps it."""
        return self.folder.resolve().parent / self.config.shared_with[name] / name

    def _require(self, path: Path, name: str) -> None:
        if name not in self.config.files or not os.path.isfile(path):
            raise ModelMismatch(f"expected {name} in bundle {path.parent}, found none{self._missing(path)}")

    def _compare(self, found: str, path: Path, name: str) -> None:
        wanted = self.config.files[name]
        if found != wanted:
            raise ModelMismatch(
                f"expected SHA-256 {wanted[:12]}... for {path}, found {found[:12]}...; reinstall the model"
            )

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

    @property
    def can_search(self) -> bool:
        """Whether the configuration lists a network that finds tokens together."""
        return SEARCH_NAME in self.config.files

    @cached_property
    def search(self) -> Network:
        """Pixels to tokens for every depth.

        Raises:
            ModelMismatch: the bundle has none.
        """
        graph = with_weights_of(self.content(SEARCH_NAME), self.content(ANALYSIS_NAME))
        return Network(self.path(SEARCH_NAME), self._threads, graph)

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
        counted = self._arrays(GRAIN_NAME) if GRAIN_NAME in self.config.files else None
        if counted is not None and set(counted) != {"grain"}:
            raise ModelMismatch(
                f"expected one array, grain, in {self.path(GRAIN_NAME)}, found {sorted(counted)}; reinstall the model"
            )
        return self._arrays("tables.npz") | (counted or {})

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

    def prior_network(self, name: str, graph: bytes, own_memory: bool = False) -> Network:
        """One of the prior's graphs, ready to run; too small for more than one thread."""
        return Network(self.path(PRIOR_NAME) / name, 1, graph, own_memory)

    def _network(self, name: str) -> Network:
        """A file of the bundle, verified now and, if it is stored whole, whenever it is read."""
        if self._difference(name):
            return Network(self.path(name), self._threads, self.content(name))
        path = self.verified(name)
        return Network(path, self._threads, check=partial(self.verified, name))

    def _arrays(self, name: str) -> dict[str, NDArray[Any]]:
        try:
            with np.load(io.BytesIO(self.content(name)), allow_pickle=False) as archive:
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
