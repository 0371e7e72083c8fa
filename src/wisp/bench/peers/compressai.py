"""CompressAI's own pretrained models, optional: https://interdigitalinc.github.io/CompressAI/zoo.html"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from wisp.bench.codec import AbstractCodec, CodecUnavailable, Encoded, Unreachable
from wisp.bench.peers.compressai_file import CompressaiFile, pack, unpack
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.package import open_package
from wisp.bench.peers.quality_search import Candidate, fit_by_quality
from wisp.errors import UsageError

PREFIX = "compressai:"
METRIC = "mse"
HIGHEST_QUALITY = 8
# Both sides are made multiples of this; it is the largest downsampling of all these models.
PADDING_STEP = 64


class CompressaiCodec(AbstractCodec):
    """One architecture of CompressAI's zoo, its models for MSE, quality 1..8 (1..6 for some).

    All qualities' models are loaded at once (0.3 GB for bmshj2018-hyperprior), from the folder in which
    torch.hub keeps downloads or from CompressAI's server. The autoregressive ones (mbt2018, cheng2020-*) take
    minutes a picture.
    """

    def __init__(self, architecture: str) -> None:
        """Load the models.

        Args:
            architecture: a name of CompressAI's zoo, such as bmshj2018-hyperprior.

        Raises:
            CodecUnavailable: the package is not installed, or weights cannot be downloaded.
            UsageError: the zoo has no model of fixed rate by that name.
        """
        self._architecture = architecture
        package = open_package(self.name, "compressai.zoo", "compressai")
        self._label = package.label
        # Models of variable rate have another interface.
        names = [name for name in package.module.image_models if not name.endswith("-vbr")]
        if architecture not in names:
            raise UsageError(
                f"--codecs: expected {PREFIX} with {', '.join(names)} after it, found {self.name!r}"
            )
        self._models = _load(self.name, package.module.image_models[architecture])
        self._files: LastPicture[int, Candidate] = LastPicture()

    @property
    def name(self) -> str:
        return PREFIX + self._architecture

    @property
    def version(self) -> str:
        return (
            f"{self._label}, {METRIC}, quality 1..{len(self._models)}, edges repeated to {PADDING_STEP}, "
            "strings with a header of 18 bytes and 4 for every string but the last"
        )

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        encode = self._files.remembering(image, self._encode)
        return fit_by_quality(encode, 1, len(self._models), budget_num_bytes, self._decode)

    def _encode(self, image: Image.Image, quality: int) -> Candidate:
        import torch

        padded_u8 = _pad(np.asarray(image))
        x_unit = torch.from_numpy(padded_u8).permute(2, 0, 1)[None].float() / 255  # 1 C H W
        with torch.inference_mode():
            made = self._models[quality - 1].compress(x_unit)
        height, width = made["shape"]
        strings = tuple(batch[0] for batch in made["strings"])
        file = CompressaiFile(quality, (image.width, image.height), (int(height), int(width)), strings)
        return Candidate(pack(file), f"quality={quality}")

    def _decode(self, data: bytes) -> Image.Image:
        import torch

        file = unpack(data)
        strings = [[string] for string in file.strings]
        with torch.inference_mode():
            made = self._models[file.quality - 1].decompress(strings, file.latent_shape)
        x_hat_u8 = (made["x_hat"][0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        width, height = file.size
        return Image.fromarray(x_hat_u8[:height, :width].contiguous().numpy())


def _load(codec: str, build: Any) -> tuple[Any, ...]:
    """The models of quality 1 and up, ready to code."""
    models: list[Any] = []
    try:
        for quality in range(1, HIGHEST_QUALITY + 1):
            try:
                model = build(quality=quality, metric=METRIC, pretrained=True, progress=False)
            except ValueError:  # an architecture with fewer qualities
                break
            model.eval()
            model.update()
            models.append(model)
    # torch.hub reports a network at fault as OSError, a wrong hash and a missing model as RuntimeError.
    except (OSError, RuntimeError) as fault:
        raise CodecUnavailable(
            f"{codec}: expected CompressAI's weights for quality {len(models) + 1}, found "
            f"{' '.join(str(fault).split()) or type(fault).__name__}; "
            "run once where its server can be reached and keep the folder of torch.hub"
        ) from fault
    if not models:
        raise CodecUnavailable(f"{codec}: expected weights for {METRIC}, found none; try another of its zoo")
    return tuple(models)


def _pad(pixels_u8: np.ndarray) -> np.ndarray:
    """Right and lower edge repeated until both sides are multiples of PADDING_STEP; (H, W, 3) uint8."""
    height, width = pixels_u8.shape[:2]
    missing = (-height % PADDING_STEP, -width % PADDING_STEP)
    return np.pad(pixels_u8, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
