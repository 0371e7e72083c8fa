"""Does a bundle do what the trained network does? Torch, ONNX and a whole file, compared on one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from wisp.codecs import TokenPyramidCodec
from wisp.codecs.huffman_entropy import indices_of
from wisp.codecs.pyramid_networks import analyse, synthesise
from wisp.container import unpack_file
from wisp.imaging import to_picture
from wisp.rate import Target
from wisp.runtime import Bundle
from wisp.tokens.pyramid import TokenPyramid
from wisp.train.checkpoint import load_checkpoint
from wisp.train.eighths import has_eight_bits, round_analysis
from wisp.train.export import network_of
from wisp.train.pyramids import PyramidNetwork
from wisp.train.quantizer import OrderedQuantizer

MIN_TOKEN_AGREEMENT = 0.97  # half-precision weights may tip a near tie between two codewords
MAX_MEAN_DIFFERENCE = 0.5  # grey levels


@dataclass(frozen=True)
class VerifyReport:
    """How a bundle compares.

    Attributes:
        token_agreement: share of tokens that torch (float32) and the bundle (half-precision weights) agree on,
            for each level; None without a run to compare with.
        mean_difference_u8: mean absolute difference of the two syntheses of the same tokens, in grey levels.
        file_num_bytes: size of the test file of at most 2000 bytes.
        tokens_survive: the file decodes to exactly the tokens that were written.
        writes_alike: writing twice gives the same bytes.
        max_difference_u8: what the difference may be at most.
    """

    token_agreement: tuple[float, ...] | None
    mean_difference_u8: float | None
    file_num_bytes: int
    tokens_survive: bool
    writes_alike: bool
    max_difference_u8: float = MAX_MEAN_DIFFERENCE

    @property
    def passed(self) -> bool:
        """Whether the bundle may be released."""
        agree = self.token_agreement is None or min(self.token_agreement) >= MIN_TOKEN_AGREEMENT
        close = self.mean_difference_u8 is None or self.mean_difference_u8 <= self.max_difference_u8
        return agree and close and self.tokens_survive and self.writes_alike


def example_picture(height: int = 256, width: int = 384, seed: int = 7) -> NDArray[np.uint8]:
    """A picture (H, W, 3) uint8 with smooth shading, edges and texture, the same everywhere."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    random = np.random.default_rng(seed)
    base = np.stack([128 + 90 * np.sin(x / 60 + c) * np.cos(y / 45 - c) for c in range(3)], -1)
    base[((x // 48 + y // 64) % 3 == 0)] *= 0.6
    base += random.normal(0, 6, base.shape) * (x > width / 2)[..., None]
    return np.clip(base, 0, 255).astype(np.uint8)


@torch.no_grad()
def verify_bundle(folder: Path, run: Path | None = None) -> VerifyReport:
    """Compare the bundle in `folder` with the checkpoint it came from (if given) and with itself."""
    bundle = Bundle(folder)
    if bundle.config.latent:
        from wisp.train.latent_verify import verify_latent_bundle  # which needs the report above

        return verify_latent_bundle(bundle, run)
    pixels = example_picture()
    analysed = analyse(bundle, pixels)
    tokens = analysed.tokens
    if tokens.shape.routed:  # all levels beside one another
        stripes = np.arange(tokens.grain_map.size).reshape(tokens.grain_map.shape) % tokens.shape.num_depths
        tokens = replace(tokens, grain_map=(stripes + 1).astype(np.uint8))
    agreement: tuple[float, ...] | None = None
    difference: float | None = None
    if run is not None:
        network = network_of(load_checkpoint(run))
        if has_eight_bits(onnx.load_model_from_string(bundle.content("analysis.onnx"))):
            round_analysis(network)
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        levels = network.encode(x)
        agreement = tuple(
            float((level.tokens.permute(0, 3, 1, 2)[0].numpy() == codewords).mean())
            for level, codewords in zip(levels, _indices(tokens), strict=True)
        )
        difference = _synthesis_difference(bundle, network, tokens)
    codec = TokenPyramidCodec(bundle)
    data = codec.compress(to_picture(pixels), Target(size=2000))
    again = codec.compress(to_picture(pixels), Target(size=2000))
    file = unpack_file(data)
    decoded = codec.decode_tokens(file)
    sent = all(
        np.array_equal(plane[mask], full[mask])
        for (place, level, group) in decoded.shape.order()
        for plane, full, mask in [
            (decoded.planes[level][group], analysed.tokens.planes[level][group], decoded.sent(place, level))
        ]
    )
    return VerifyReport(agreement, difference, len(data), sent, data == again)


def _indices(tokens: TokenPyramid) -> list[NDArray[np.integer]]:
    """(G, h, w) codewords of each level's groups as the network counts them."""
    if not tokens.shape.routed:
        return list(tokens.planes)
    return [indices_of(tokens, level)[None] for level in range(len(tokens.planes))]


def _synthesis_difference(bundle: Bundle, network: PyramidNetwork, tokens: TokenPyramid) -> float:
    latents, masks = [], []
    place = 0
    for number, indices in enumerate(_indices(tokens)):
        module = network.quantizers[0 if tokens.shape.routed else number]
        assert isinstance(module, OrderedQuantizer)
        sent = torch.from_numpy(np.broadcast_to(tokens.sent(place, number), indices.shape).copy())
        index = torch.from_numpy(indices.astype(np.int64))
        words = torch.stack(
            [module.codebooks[g][index[g]] * sent[g, ..., None] for g in range(module.groups)]
        )
        latents.append(words.sum(0).permute(2, 0, 1)[None])
        masks.append(sent[None].float())
        place += tokens.shape.groups[number]
    wanted = (
        ((network.synthesis(latents, masks) + 1) * 127.5).round().clamp(0, 255)[0].permute(1, 2, 0).numpy()
    )
    return float(np.abs(wanted - synthesise(bundle, tokens).astype(np.float32)).mean())
