"""The masked prior of a bundle: integer logits of tokens from all that has been decoded.

prior.npz holds, for each level L, ONNX graphs as bytes (context_L but for the coarsest level, step_L), the number of
blocks in a step and the golden hash; for each place P of the order head_P (C, 256) int8, bias_P (256,) int32 and its
number of stages. The graphs use float32 operators on integers whose sums stay below 2^24, so every result is exact.
What they must give for a fixed map of tokens is compared when a level is first used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ModelMismatch
from wisp.tokens.pyramid import NOT_SENT
from wisp.tokens.stages import STAGE_COUNTS

TOKENS = 256
LOGIT_LIMIT = 1000  # 1/16 nat
EXACT = 1 << 24
PEAK = 127
RADIUS = 2  # of a block's depthwise convolution
BAND = 1 << 16  # positions of a level whose context is computed at once: bounds memory
GOLDEN_REGIONS = (3, 4)


class Runner(Protocol):
    """What runs a graph: onnxruntime, or a plain reference of it."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out."""


class MaskedPrior:
    """Networks of all levels, loaded and checked when first used. Safe to share between threads."""

    def __init__(
        self,
        parts: Mapping[str, NDArray[Any]],
        make_runner: Callable[[str, bytes], Runner],
        strides: Sequence[int],
        groups: Sequence[int],
        make_with_memory: Callable[[str, bytes], Runner] | None = None,
    ) -> None:
        """Check and arrange.

        Args:
            make_runner: a name and a graph -> what runs it.
            make_with_memory: the same, with memory of its own; for large pictures.

        Raises:
            ModelMismatch: a part is missing, or of another kind or size than it must be.
        """
        self._parts = parts
        self._make = {False: make_runner, True: make_with_memory or make_runner}
        self.strides, self.groups = tuple(strides), tuple(groups)
        self._runners: dict[tuple[str, bool], Runner] = {}
        self._lock = threading.Lock()
        self._checked: set[int] = set()
        count = sum(groups)
        try:
            self.stages = tuple(int(s) for s in parts["stages"])
            self.shifts = tuple(int(s) for s in parts["shifts"])
            self.blocks = tuple(int(b) for b in parts["blocks"])
            self.savings = np.asarray(parts["savings"], np.float64)
            self.golden = tuple(str(g) for g in parts["golden"])
            self.heads = [parts[f"head_{p}"].astype(np.int8, casting="safe") for p in range(count)]
            self.biases = [parts[f"bias_{p}"].astype(np.int32, casting="safe") for p in range(count)]
        except (KeyError, TypeError, ValueError) as fault:
            raise ModelMismatch(f"expected a prior of {count} groups, found {fault!r}") from None
        if not (len(self.stages) == len(self.shifts) == len(self.savings) == count) or not (
            len(self.blocks) == len(self.golden) == len(self.groups)
        ):
            raise ModelMismatch(f"expected a prior of {count} groups, found {len(self.stages)} stages")
        if any(s not in STAGE_COUNTS for s in self.stages) or any(not 0 <= s <= 16 for s in self.shifts):
            raise ModelMismatch(f"expected stages among {STAGE_COUNTS}, found {self.stages}")
        for head, bias in zip(self.heads, self.biases, strict=True):
            if head.ndim != 2 or head.shape[1] != TOKENS or bias.shape != (TOKENS,):
                raise ModelMismatch(f"expected heads of {TOKENS} logits, found shape {head.shape}")
            bound = np.abs(head.astype(np.int64)).sum(0) * PEAK + np.abs(bias.astype(np.int64))
            if bound.max() >= EXACT:
                raise ModelMismatch(f"expected a prior's sums below {EXACT}, found {bound.max()}")

        # Powers of two scale exactly, so the division may come before the sum.
        scales = [np.float32(2.0**-shift) for shift in self.shifts]
        self._weights = [head.astype(np.float32) * s for head, s in zip(self.heads, scales, strict=True)]
        self._offsets = [bias.astype(np.float32) * s for bias, s in zip(self.biases, scales, strict=True)]

    def _runner(self, name: str, own_memory: bool = False) -> Runner:
        with self._lock:
            if (name, own_memory) not in self._runners:
                try:
                    graph = self._parts[name].astype(np.uint8, casting="safe").tobytes()
                except (KeyError, TypeError) as fault:
                    raise ModelMismatch(f"expected {name} in a prior, found {fault!r}") from None
                self._runners[name, own_memory] = self._make[own_memory](name, graph)
            return self._runners[name, own_memory]

    def let_go(self, level: int) -> None:
        """Forget a level's networks that have memory of their own, and so that memory."""
        with self._lock:
            for name in (f"context_{level}", f"step_{level}"):
                self._runners.pop((name, True), None)

    def halo(self, level: int) -> int:
        """Positions around a token that its logits may depend on, within its level."""
        return RADIUS * self.blocks[level]

    def context(
        self, planes: Sequence[NDArray[np.int32]], own_memory: bool = False
    ) -> NDArray[np.int8] | None:
        """Features (1, C, h, w) of the next level's grid from all coarser planes (G, h, w); None if there are none.

        In bands of whole regions with exact halos, as a large picture's would take gigabytes at once.

        Args:
            own_memory: of the network, until the level is let go.

        Raises:
            ModelMismatch: the network gives something else than integers of 8 bits.
        """
        if not planes:
            return None
        level, name = len(planes), f"context_{len(planes)}"
        runner = self._runner(name, own_memory)
        folds = [self.strides[0] // stride for stride in self.strides[: level + 1]]
        halo = sum(-(-RADIUS // fold) for fold in folds[:level])  # regions; each coarser level has a block
        rows, columns = planes[0].shape[1:]
        fold = folds[level]
        step = max(1, BAND // (columns * fold**2))
        found: NDArray[np.int8] | None = None
        for top in range(0, rows, step):
            end = min(top + step, rows)
            first, last = max(0, top - halo), min(rows, end + halo)
            inputs = {
                f"tokens_{i}": plane[:, first * folds[i] : last * folds[i]] for i, plane in enumerate(planes)
            }
            band = runner.run(inputs)["context"][:, :, (top - first) * fold : (end - first) * fold]
            peak = np.abs(band).max()
            if not peak <= PEAK:
                raise ModelMismatch(
                    f"expected {name} in -{PEAK}..{PEAK}, found {peak:g}; reinstall the model"
                )
            if found is None:
                found = np.empty((*band.shape[:2], rows * fold, columns * fold), np.int8)
            found[:, :, top * fold : end * fold] = band
        return found

    def features(
        self,
        level: int,
        plane: NDArray[np.int32],
        depths: NDArray[np.int32],
        context: NDArray[np.int8] | None,
        own_memory: bool = False,
    ) -> NDArray[np.float32]:
        """(h, w, C) integers: tokens (G, h, w) with 256 where not known, depths (h, w), context (1, C, h, w).

        `own_memory` as `context`.
        """
        inputs: dict[str, NDArray[Any]] = {"tokens": plane, "depths": depths}
        if context is not None:
            inputs["context"] = context.astype(np.float32)
        found: NDArray[np.float32] = self._runner(f"step_{level}", own_memory).run(inputs)["features"]
        return found

    def logits(self, place: int, features: NDArray[np.float32]) -> NDArray[np.int16]:
        """(n, C) features of chosen positions -> (n, 256) in 1/16 nat, to be added to the tables' own."""
        total = features @ self._weights[place]
        total += self._offsets[place]
        np.floor(total, out=total)
        np.clip(total, -LOGIT_LIMIT, LOGIT_LIMIT, out=total)
        return total.astype(np.int16)

    def golden_hash(self, level: int) -> str:
        """SHA-256 of a level's logits for the fixed map of tokens, as hexadecimal digits."""
        rows, columns = GOLDEN_REGIONS
        planes = []
        for i, count in enumerate(self.groups[: level + 1]):
            fold = self.strides[0] // self.strides[i]
            g, y, x = np.ogrid[:count, : rows * fold, : columns * fold]
            planes.append(((37 * y + 101 * x + 59 * g + 7 * x * y) % (NOT_SENT + 1)).astype(np.int32))
        depths = (planes[level][0] % (sum(self.groups) + 1)).astype(np.int32)
        features = self.features(level, planes[level], depths, self.context(planes[:level]))
        import hashlib  # loads OpenSSL, which `import wisp` can do without

        digest = hashlib.sha256()
        first = sum(self.groups[:level])
        for place in range(first, first + self.groups[level]):
            flat = features.reshape(-1, features.shape[-1])
            digest.update(self.logits(place, flat).astype("<i2").tobytes())
        return digest.hexdigest()

    def check(self, level: int) -> None:
        """Compare a level's golden hash, once.

        Raises:
            ModelMismatch: this machine computes other logits than the one that made the bundle.
        """
        if level in self._checked:
            return
        found = self.golden_hash(level)
        if found != self.golden[level]:
            raise ModelMismatch(
                f"expected golden hash {self.golden[level][:12]}... of the prior's level {level}, found "
                f"{found[:12]}...; reinstall the model, or use another version of onnxruntime"
            )
        self._checked.add(level)
