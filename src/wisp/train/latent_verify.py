"""Does a bundle of continuous latents do what the trained network does? Torch, ONNX and a file, on one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wisp.codecs.latent_grid import LatentGridCodec
from wisp.codecs.latent_vector import LatentVectorCodec, step_of
from wisp.container import unpack_file
from wisp.imaging import to_picture
from wisp.rate import Target
from wisp.runtime import Bundle
from wisp.train.checkpoint import load_checkpoint
from wisp.train.latent_export import latent_network_of
from wisp.train.latent_networks import GridAutoencoder, VectorAutoencoder
from wisp.train.verify import VerifyReport, example_picture

MAX_DIFFERENCE = 1.0  # grey levels, mean: kernels in the bundle have 8 bits


def verify_latent_bundle(bundle: Bundle, run: Path | None) -> VerifyReport:
    """Compare a bundle with the checkpoint it came from (if given) and with itself.

    Levels survive if the file decodes to those that were chosen; torch and the bundle draw the same levels.
    """
    pixels = example_picture()
    if bundle.config.codec == "latent_grid":
        return _verify_grid(LatentGridCodec(bundle), pixels, run)
    return _verify_vector(LatentVectorCodec(bundle), pixels, run)


def _verify_grid(codec: LatentGridCodec, pixels: NDArray[np.uint8], run: Path | None) -> VerifyReport:
    picture, target = to_picture(pixels), Target(quality=100)
    data = codec.compress(picture, target)
    levels = codec.choose_levels(codec.analyse(pixels))
    survive = np.array_equal(codec.decode(unpack_file(data)), levels)
    difference = None
    if run is not None:
        network = latent_network_of(load_checkpoint(run))
        assert isinstance(network, GridAutoencoder)
        with torch.no_grad():
            x_hat = network.decode(
                torch.from_numpy(levels.astype(np.float32))[None], torch.ones(1, len(levels), 1, 1)
            )
        difference = _difference(x_hat, codec.reconstruct(unpack_file(data)).pixels_u8)
    alike = codec.compress(picture, target) == data
    return VerifyReport(None, difference, len(data), survive, alike, MAX_DIFFERENCE)


def _verify_vector(codec: LatentVectorCodec, pixels: NDArray[np.uint8], run: Path | None) -> VerifyReport:
    square = codec.square(pixels)
    picture, target = to_picture(square), Target(quality=100)
    data = codec.compress(picture, target)
    latent, step = codec.decode(unpack_file(data)), step_of(codec.finest)
    survive = bool(np.abs(latent.values - codec.analyse(square)).max() <= step / 2 + 1e-5)
    difference = None
    if run is not None:
        network = latent_network_of(load_checkpoint(run))
        assert isinstance(network, VectorAutoencoder)
        with torch.no_grad():
            log_step = torch.tensor([[step]]).log2()
            x_hat = network.synthesis(torch.from_numpy(latent.values)[None], log_step)
        difference = _difference(x_hat, codec.synthesise(latent.values, step))
    alike = codec.compress(picture, target) == data
    return VerifyReport(None, difference, len(data), survive, alike, MAX_DIFFERENCE)


def _difference(x_hat: torch.Tensor, shown_u8: NDArray[np.uint8]) -> float:
    wanted = ((x_hat + 1) * 127.5).round().clamp(0, 255)[0].permute(1, 2, 0).numpy()
    return float(np.abs(wanted - shown_u8).mean())
