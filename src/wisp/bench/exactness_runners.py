"""What may run the prior's graphs: onnxruntime with any number of threads, integers in numpy, Node's WebAssembly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.bench.wasm_runner import WasmProcess
from wisp.codecs import TokenPyramidCodec
from wisp.codecs.masked_prior import LOGIT_LIMIT, MaskedPrior, Runner
from wisp.codecs.prior_entropy import WINDOW, PriorEntropyModel
from wisp.errors import UsageError
from wisp.runtime.sessions import Network

MakeRunner = Callable[[str, bytes], Runner]


class WatchedPrior(MaskedPrior):
    """A masked prior that keeps the hash of all logits it gave, and how often its networks ran."""

    def __init__(
        self,
        parts: Mapping[str, NDArray[Any]],
        make_runner: MakeRunner,
        strides: Sequence[int],
        groups: Sequence[int],
    ) -> None:
        super().__init__(parts, make_runner, strides, groups)
        self._counting = Lock()  # windows may be looked at at once
        self.restart()

    def restart(self) -> None:
        """Forget what was kept."""
        self.num_runs = 0
        self._hash = hashlib.sha256()

    @property
    def logits_hash(self) -> str:
        """SHA-256 of all logits since the last restart, in the order of coding, as hexadecimal digits."""
        return self._hash.hexdigest()

    def features(self, *arguments: Any) -> NDArray[np.float32]:
        """As MaskedPrior.features."""
        with self._counting:
            self.num_runs += 1
        return super().features(*arguments)

    def logits(self, place: int, features: NDArray[np.float32]) -> NDArray[np.int16]:
        """As MaskedPrior.logits."""
        found = self.last_layer(place, features)
        self._hash.update(found.astype("<i2").tobytes())
        return found

    def last_layer(self, place: int, features: NDArray[np.float32]) -> NDArray[np.int16]:
        """(n, C) -> (n, 256), as wisp computes it: in float32."""
        return super().logits(place, features)


class IntegerPrior(WatchedPrior):
    """The same, with 64-bit integers in the last layer too."""

    def last_layer(self, place: int, features: NDArray[np.float32]) -> NDArray[np.int16]:
        """(n, C) -> (n, 256)."""
        weights = self.heads[place].astype(np.int64)
        total = np.einsum("nc,ct->nt", features.astype(np.int64), weights) + self.biases[place]
        return np.clip(total >> self.shifts[place], -LOGIT_LIMIT, LOGIT_LIMIT).astype(np.int16)


@dataclass(frozen=True)
class Way:
    """One way to code tokens.

    Attributes:
        name: as in the results.
        model: writes and reads payloads.
        prior: the same model's prior.
    """

    name: str
    model: PriorEntropyModel
    prior: WatchedPrior


def make_way(
    name: str,
    codec: TokenPyramidCodec,
    make_runner: MakeRunner,
    kind: type[WatchedPrior] = WatchedPrior,
    window: int = WINDOW,
    threads: int = 1,
) -> Way:
    """A way whose golden hashes agree.

    Raises:
        UsageError: the model has no prior.
        ModelMismatch: the runner gives other logits than the bundle says.
    """
    if codec.prior_model is None:
        raise UsageError(f"expected a model with a masked prior, found none in {codec.bundle.folder}")
    config = codec.bundle.config
    prior = kind(codec.bundle.prior_parts, make_runner, config.strides, config.groups)
    for level in range(len(config.groups)):
        prior.check(level)
    return Way(name, PriorEntropyModel(codec.entropy_model, prior, window, threads), prior)


def onnxruntime_way(name: str, codec: TokenPyramidCodec, threads: int) -> Way:
    """onnxruntime with so many threads in every graph, and as many graphs at once."""

    def make(name: str, graph: bytes) -> Runner:
        return Network(codec.bundle.folder / name, threads, graph)

    return make_way(name, codec, make, threads=threads)


def windows_way(codec: TokenPyramidCodec, window: int) -> Way:
    """onnxruntime with small windows, two at once."""

    def make(name: str, graph: bytes) -> Runner:
        return codec.bundle.prior_network(name, graph)

    return make_way("windows", codec, make, window=window, threads=2)


def numpy_way(codec: TokenPyramidCodec) -> Way:
    """64-bit integers and nothing else.

    Raises:
        UsageError: the package onnx, which reads the graphs, is not there.
    """
    try:
        from wisp.bench.prior_reference import ReferenceRunner
    except ImportError as fault:
        raise UsageError(f"numpy: expected the package onnx, found {fault}; pip install onnx") from fault
    return make_way("numpy", codec, ReferenceRunner, IntegerPrior)


def wasm_way(codec: TokenPyramidCodec, process: WasmProcess) -> Way:
    """onnxruntime-web, and numpy's last layer."""
    return make_way("wasm", codec, process.make)


def all_ways(codec: TokenPyramidCodec, window: int) -> list[Way]:
    """Those of one machine; the first is what wisp does, the others are held against it."""
    return [
        onnxruntime_way("onnxruntime_1", codec, 1),
        onnxruntime_way("onnxruntime_2", codec, 2),
        windows_way(codec, window),
        numpy_way(codec),
    ]


def model_files(files: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of the bundle's files that decide a payload's bytes."""
    return {name: files[name] for name in ("grain.npz", "prior.npz", "tables.npz") if name in files}
