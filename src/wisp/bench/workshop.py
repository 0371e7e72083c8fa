"""What a run measures with, its codecs and metrics: opened once in every process that measures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wisp.bench.catalogue import codec_named
from wisp.bench.codec import AbstractCodec, CodecUnavailable
from wisp.bench.provenance import without_folders
from wisp.errors import UsageError

if TYPE_CHECKING:
    from wisp.bench.metrics.panel import MetricPanel

# Libraries read the first three when they are loaded, wisp reads the last whenever it opens a network.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "WISP_THREADS"), "1"
)


@dataclass(frozen=True)
class Tools:
    """What to open; small, so that it can be sent to another process.

    Attributes:
        codecs: names as on the command line.
        model: wisp's model, a name or a bundle's path; None is the default model.
        weights: folder of the metrics' weights; None is the environment variable's.
        metrics: names of metrics; None is the default set.
    """

    codecs: tuple[str, ...]
    model: str | None = None
    weights: Path | None = None
    metrics: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Workshop:
    """Open codecs and metrics.

    Attributes:
        tools: what was opened, codecs that are not available left out.
        codecs: in the order of the command line.
        codec_versions: by codec.
        unavailable_codecs: name -> reason.
        panel: the metrics.
    """

    tools: Tools
    codecs: tuple[AbstractCodec, ...]
    codec_versions: dict[str, str]
    unavailable_codecs: dict[str, str]
    panel: MetricPanel

    def metrics_record(self) -> dict[str, dict[str, str]]:
        """For meta.json: by metric its direction, unit and version, or why it is not available."""
        record = {
            metric.name: {
                "direction": metric.direction.name.lower(),
                "unit": metric.unit,
                "version": metric.version,
            }
            for metric in self.panel.metrics
        }
        reasons = self.panel.unavailable.items()
        return record | {name: {"unavailable": without_folders(reason)} for name, reason in reasons}


def open_workshop(tools: Tools) -> Workshop:
    """Open what is available.

    Raises:
        UsageError: a codec or metric of that name does not exist, or nothing is left to measure (with).
        WispError: wisp's model cannot be opened.
    """
    codecs: list[AbstractCodec] = []
    versions: dict[str, str] = {}
    unavailable: dict[str, str] = {}
    for name in tools.codecs:
        try:
            codec = codec_named(name, tools.model)
            versions[codec.name] = codec.version
            codecs.append(codec)
        except CodecUnavailable as reason:
            unavailable[name] = without_folders(str(reason))
    if not codecs:
        raise UsageError(f"--codecs: expected one that is available, found none: {_listed(unavailable)}")
    panel = _open_panel(tools)
    if not panel.metrics:
        raise UsageError(
            f"--metrics: expected one that is available, found none: {_listed(panel.unavailable)}"
        )
    left = replace(tools, codecs=tuple(name for name in tools.codecs if name not in unavailable))
    return Workshop(left, tuple(codecs), versions, unavailable, panel)


def _open_panel(tools: Tools) -> MetricPanel:
    try:
        from wisp.bench.metrics.panel import MetricPanel
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"the metrics need {missing.name}, which is not installed; pip install 'wisp-codec[bench]'"
        ) from missing
    return MetricPanel(tools.weights, tools.metrics)


def _listed(reasons: dict[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


@contextmanager
def environment(settings: dict[str, str]) -> Iterator[None]:
    """Environment variables set for a while; processes started meanwhile inherit them."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def one_thread() -> Iterator[None]:
    """Everything that measures in this process works on one thread, and as before afterwards.

    Several processes then share the cores evenly, and what is measured does not depend on how many they are:
    sums of floating point numbers come out differently on more threads.
    """
    torch: Any = None
    try:
        import torch
    except ModuleNotFoundError:
        torch = None  # what needs it says so
    before = torch.get_num_threads() if torch is not None else 1
    with environment(ONE_THREAD):
        try:
            if torch is not None:
                torch.set_num_threads(1)
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)
