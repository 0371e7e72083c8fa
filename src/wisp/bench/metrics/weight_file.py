"""The metric networks' weights: where their folder is, and one file of it.

They are no part of wisp. Both networks measure and never train: a codec tuned on its own yardstick would only
look good.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch.nn import functional

from wisp.bench.metrics.metric import MetricUnavailable
from wisp.errors import UsageError

WEIGHTS_VARIABLE = "WISP_METRIC_WEIGHTS"


def weights_folder(named: Path | None) -> Path | None:
    """The folder of weights: the argument, else the environment variable WISP_METRIC_WEIGHTS, else None.

    Raises:
        UsageError: the folder that one of them names does not exist.
    """
    variable = os.environ.get(WEIGHTS_VARIABLE)
    if named is None and not variable:
        return None
    folder = named or Path(variable or "")
    if not folder.is_dir():
        raise UsageError(
            f"metric weights: expected a folder, found no folder {folder}; mend --weights or {WEIGHTS_VARIABLE}"
        )
    return folder


class WeightFile:
    """Convolutions by name, in float32 on the CPU.

    Attributes:
        digest: twelve hexadecimal digits of the file's SHA-256.
    """

    def __init__(self, folder: Path | None, file_name: str, convolutions: Iterable[str]) -> None:
        """Read a file, all of which is half-precision or float32 tensors.

        Args:
            folder: where it is; None if nobody said so.
            file_name: with suffix .safetensors.
            convolutions: names of those that must be in it, each with its `.weight`.

        Raises:
            MetricUnavailable: no folder, no such file, or not the tensors that are expected.
        """
        how = f"give --weights DIR or set {WEIGHTS_VARIABLE}"
        if folder is None:
            raise MetricUnavailable(f"expected a folder with {file_name}, found none; {how}")
        try:
            data = (folder / file_name).read_bytes()
            tensors = load(data)
        except OSError:
            raise MetricUnavailable(
                f"expected {file_name} in the folder {folder.name}, found no such file that can be read; {how}"
            ) from None
        except SafetensorError:
            raise MetricUnavailable(
                f"{file_name}: expected safetensors, found {len(data)} other bytes; get the file again"
            ) from None
        for name in convolutions:
            if f"{name}.weight" not in tensors:
                raise MetricUnavailable(
                    f"{file_name}: expected a tensor {name}.weight, found none; get the metric's own weights"
                )
        self.digest = hashlib.sha256(data).hexdigest()[:12]
        self._tensors = {name: _ready(tensor) for name, tensor in tensors.items()}

    def convolve(self, x: Tensor, name: str, *, stride: int = 1, same: bool = True) -> Tensor:
        """(1, C, h, w) -> the convolution of that name with its bias, if it has one; `same` pads with zeros."""
        kernel = self._tensors[f"{name}.weight"]
        padding = kernel.shape[-1] // 2 if same else 0
        return functional.conv2d(x, kernel, self._tensors.get(f"{name}.bias"), stride=stride, padding=padding)


def _ready(tensor: Tensor) -> Tensor:
    order = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    return tensor.float().contiguous(memory_format=order)


def unit_length(features: Tensor, floor: float) -> Tensor:
    """(1, C, h, w) -> the same with the C numbers of every position divided by their length plus `floor`."""
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + floor)
