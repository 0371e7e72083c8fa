"""Checkpoints of pytorch_GAN_zoo's progressive GANs: where they are, and what is in them.

A file is a pickled dictionary: `avgG` and `netG` (the averaged generator and the one in training, by parameter name),
`netD`, and `config`, an instance of a class of theirs. It is read with PyTorch's restricted unpickler, which is given a
class of ours in the place of theirs and refuses everything else: nothing in the file is executed.

Parameters are called X.weight and X.bias, or X.module.weight and X.module.bias, with X one of formatLayer,
groupScale0.0, scaleLayers.I.0, scaleLayers.I.1 and toRGBLayers.K. Widths follow from their shapes; the configuration is
only asked whether the layers are of the kind that `wisp.train.generators.pgan` knows.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import sys
import warnings
from dataclasses import dataclass
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wisp.errors import ModelMismatch, ModelNotFound

ADDRESS = "https://dl.fbaipublicfiles.com/gan_zoo/PGAN/"
FILES = {
    "celebAHQ-256": "celebaHQ_s6_i80000-6196db68.pth",
    "celebAHQ-512": "celebaHQ16_december_s7_i96000-9c72988c.pth",
}
THEIR_CONFIG = "models.utils.config.BaseConfig"
GENERATORS = ("avgG", "netG")  # in order of preference
EXPECTED = {"leakyReluLeak": 0.2, "perChannelNormalization": True, "equalizedlR": True}
_DIGITS = re.compile(r"-([0-9a-f]{8})\.pth$")  # of a file's SHA-256, in its name by torch.hub's convention
_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    OSError,
)  # what PyTorch raises on bytes that are no checkpoint, or that it refuses


class _Config:
    """Stands for their configuration: an object with attributes and no behaviour."""


@dataclass(frozen=True)
class PganWeights:
    """One generator's tensors as they are stored, float32, by name without `.module`.

    Attributes:
        latent_dim: numbers in a latent.
        widths: channels at sides 4, 8, 16 and so on.
        averaged: whether it is the averaged generator.
        digest: hexadecimal SHA-256 of the file.
    """

    tensors: dict[str, Tensor]
    latent_dim: int
    widths: tuple[int, ...]
    averaged: bool
    digest: str


def find_checkpoint(source: str | Path, *, download: bool = True) -> Path:
    """The file of a known name, in torch.hub's folder of checkpoints, or that of a path.

    Raises:
        ModelNotFound: it is not there, and was not or could not be fetched.
        ModelMismatch: what was fetched is another file.
    """
    file_name = FILES.get(str(source))
    if file_name is None:
        path = Path(source)
        if not path.is_file():
            raise ModelNotFound(
                f"expected one of {', '.join(FILES)} or a checkpoint's path, found no file {source}"
            )
        return path
    path = Path(torch.hub.get_dir()) / "checkpoints" / file_name
    if path.is_file():
        return path
    reason = "not downloaded"
    if download:
        try:
            _download(path)
        except (OSError, HTTPException) as fault:
            reason = f"the download failed: {' '.join(str(fault).split()) or type(fault).__name__}"
        except RuntimeError:  # torch.hub's name for wrong digits
            raise ModelMismatch(f"expected {file_name} from {ADDRESS}, found another file there") from None
        else:
            return path
    raise ModelNotFound(
        f"expected the weights of {source}, found none ({reason}); "
        f"get {ADDRESS}{file_name} and put it into {path.parent}"
    )


def _download(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = _DIGITS.search(path.name)
    torch.hub.download_url_to_file(
        ADDRESS + path.name, str(path), hash_prefix=found and found[1], progress=sys.stderr.isatty()
    )


def read_weights(path: Path) -> PganWeights:
    """The averaged generator of a checkpoint, or the other if that is all there is.

    Raises:
        ModelMismatch: the file's digits are not those in its name, or it is no such checkpoint.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    named = _DIGITS.search(path.name)
    if named and not digest.startswith(named[1]):
        raise ModelMismatch(f"expected {path.name} to be as its name says, found other bytes; get it again")
    content = _unpickle(path)
    key = next((key for key in GENERATORS if isinstance(content.get(key), dict)), None)
    if key is None:
        raise _mismatch(path, f"{' or '.join(GENERATORS)} in it", "neither")
    for name, wanted in EXPECTED.items():
        found = getattr(content.get("config"), name, wanted)
        if found != wanted:
            raise _mismatch(path, f"{name} to be {wanted}", repr(found))
    tensors = {_plain(str(name)): value for name, value in content[key].items()}
    if not all(isinstance(value, Tensor) and value.is_floating_point() for value in tensors.values()):
        raise _mismatch(path, "tensors of numbers only", "something else")
    latent_dim, widths = _shape(path, tensors)
    ready = {name: value.float() for name, value in tensors.items()}
    return PganWeights(ready, latent_dim, widths, key == GENERATORS[0], digest)


def _unpickle(path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals([(_Config, THEIR_CONFIG)]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of pickles that it then refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as fault:
        raise _mismatch(
            path, "a checkpoint of pytorch_GAN_zoo", f"another file ({type(fault).__name__})"
        ) from None
    if not isinstance(content, dict):
        raise _mismatch(path, "a dictionary", type(content).__name__)
    return content


def _plain(name: str) -> str:
    return name.removeprefix("module.").replace(".module.", ".")


def _shape(path: Path, tensors: dict[str, Tensor]) -> tuple[int, tuple[int, ...]]:
    """Length of a latent and widths of the scales, by the shapes of all that a generator needs."""
    scales = len({name for name in tensors if re.fullmatch(r"scaleLayers\.\d+\.0\.weight", name)})
    firsts = ["formatLayer", *(f"scaleLayers.{i}.0" for i in range(scales))]
    rows = []
    for name in firsts:
        if f"{name}.weight" not in tensors or tensors[f"{name}.weight"].ndim < 2:
            raise _mismatch(path, f"a weight {name}.weight", "none")
        rows.append(tuple(tensors[f"{name}.weight"].shape))
    latent_dim, widths = rows[0][1], (rows[0][0] // 16, *(row[0] for row in rows[1:]))
    wanted = {"formatLayer": (16 * widths[0], latent_dim), "groupScale0.0": (widths[0], widths[0], 3, 3)}
    for i, (below, width) in enumerate(pairwise(widths)):
        wanted[f"scaleLayers.{i}.0"] = (width, below, 3, 3)
        wanted[f"scaleLayers.{i}.1"] = (width, width, 3, 3)
    wanted[f"toRGBLayers.{scales}"] = (3, widths[-1], 1, 1)
    for name, shape in wanted.items():
        for part, size in (("weight", shape), ("bias", shape[:1])):
            found = tensors.get(f"{name}.{part}")
            if found is None or tuple(found.shape) != size:
                raise _mismatch(
                    path, f"{name}.{part} of {size}", "none" if found is None else str(tuple(found.shape))
                )
    earlier = {f"toRGBLayers.{i}" for i in range(scales)}
    others = {name.rpartition(".")[0] for name in tensors} - set(wanted) - earlier
    if others:
        raise _mismatch(path, "a generator of colours from one latent", f"also {min(others)}")
    return latent_dim, widths


def _mismatch(path: Path, expected: str, found: str) -> ModelMismatch:
    return ModelMismatch(
        f"{path.name}: expected {expected}, found {found}; get a progressive GAN's checkpoint of pytorch_GAN_zoo"
    )
