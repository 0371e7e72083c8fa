"""The transforms of the token pyramid, and the pyramid itself.

    x (B,3,H,W) -> analysis features at the strides, for wisp_small 1/8, 1/16, 1/32
    1/32: latent -> quantizer -> tokens;  its sum, upsampled, is context for
    1/16: latent -> quantizer -> tokens;  and so on to 1/8
    tokens -> sums of codewords -> synthesis from 1/32 up, each level entering at its own stride -> x_hat

Layers are named after the size at which they work: blocks16 has features at 1/16 of the picture's size. What is
coarser than the coarsest stride does not exist.

The coarse levels condition the finer ones as in VQ-VAE-2 (Razavi et al. 2019, section 3.1). The analysis
side conditions on the *full* coarse latent, so that the tokens of an image do not depend on how many of
them are sent. No normalisation layers: nothing depends on the size of the picture, and tiles agree with
the whole. The stream is linear from pixels to latent and back; what is not linear sits beside it, in residual
blocks (wisp.train.layers says why).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wisp.train.latent_norm import LatentNorm
from wisp.train.layers import Upsample, bend, blocks, initialise
from wisp.train.noise import NoiseGate
from wisp.train.quantizer import OrderedQuantizer, QuantizedLevel
from wisp.train.recipe import ModelConfig


class AnalysisTransform(nn.Module):
    """x (B, 3, H, W) in -1..1, H and W multiples of the coarsest stride -> features at each stride, coarsest first."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        before = config.widths[0]
        for size, width, count in zip(config.sizes, config.widths, config.analysis_blocks, strict=True):
            if size == 4:
                self.stem = nn.Conv2d(48, width, 3, padding=1)
            else:
                self.add_module(f"down{size}", nn.Conv2d(before, width, 4, stride=2, padding=1))
            self.add_module(f"blocks{size}", blocks(width, count))
            before = width

    def forward(self, x: Tensor) -> list[Tensor]:
        h = F.pixel_unshuffle(x, 4)
        features = []
        for size in self.config.sizes:
            h = self.stem(h) if size == 4 else self.get_submodule(f"down{size}")(h)
            h = self.get_submodule(f"blocks{size}")(h)
            if size in self.config.strides:
                features.append(h)
        return features[::-1]


class LatentHead(nn.Module):
    """Features of one level and context from the coarser one -> latent (B, D, h, w)."""

    def __init__(self, features: int, context: int, channels: int, slices: int = 1) -> None:
        super().__init__()
        self.mix = nn.Conv2d(features + context, features, 1)
        self.out = nn.Conv2d(features, channels, 3, padding=1)
        self.norm = LatentNorm(channels, slices)

    def forward(self, features: Tensor, context: Tensor | None) -> Tensor:
        x = features if context is None else torch.cat([features, context.to(features.dtype)], 1)
        y: Tensor = self.norm(self.out(bend(self.mix(x))))
        return y


class ContextUp(nn.Module):
    """Quantized latent (and older context) of one level -> context for the next finer one, twice the size."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, 2 * channels_out, 3, padding=1)
        self.up = Upsample(2 * channels_out, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(bend(self.conv(x)))
        return y


class SmoothHead(nn.Module):
    """1/4 -> full size in two steps; a last 5x5 convolution overlaps the pixel blocks, as a lapped transform does."""

    def __init__(self, channels: int, noise: bool = False) -> None:
        super().__init__()
        self.up2 = Upsample(channels, 24)
        self.noise2 = NoiseGate(24, 2) if noise else None
        self.conv2 = nn.Conv2d(24, 24, 3, padding=1)
        self.up1 = Upsample(24, 8)
        self.out = nn.Conv2d(8, 3, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up2(x)
        x = x if self.noise2 is None else self.noise2(x)
        y: Tensor = self.out(self.up1(x + self.conv2(F.silu(x))))
        return y


class ShuffleHead(nn.Module):
    """1/4 -> full size by one 1x1 convolution and a pixel shuffle: cheap, and leaves a lattice of period 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out = nn.Conv2d(channels, 48, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.out(x), 4)


class SynthesisTransform(nn.Module):
    """Quantized latents and presence masks of the levels -> x_hat (B, 3, H, W), nominally -1..1.

    Masks are (B, G, h, w): 1 where that group of that position was sent, 0 elsewhere.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        entering = zip(config.strides, config.latent_channels, config.groups, strict=True)
        inputs = {stride: channels + groups for stride, channels, groups in entering}
        before = 0
        trunk = zip(config.sizes, config.widths, config.synthesis_blocks, strict=True)
        for size, width, count in reversed(list(trunk)):
            if before:
                self.add_module(f"up{size}", Upsample(before, width))
            if size in inputs:
                self.add_module(f"in{size}", nn.Conv2d(inputs[size], width, 3, padding=1))
            self.add_module(f"blocks{size}", blocks(width, count))
            before = width
        for size, width in zip(config.sizes, config.widths, strict=True):
            if size in config.noise:
                self.add_module(f"noise{size}", NoiseGate(width, size))
        self.head: nn.Module = (
            SmoothHead(before, 2 in config.noise) if config.head == "smooth" else ShuffleHead(before)
        )

    def forward(self, latents: list[Tensor], masks: list[Tensor]) -> Tensor:
        entering = {
            stride: torch.cat([y, m.to(y.dtype)], 1)
            for stride, y, m in zip(self.config.strides, latents, masks, strict=True)
        }
        coarsest = self.config.strides[0]
        h = self.get_submodule(f"in{coarsest}")(entering[coarsest])
        for size in reversed(self.config.sizes):
            if size != coarsest:
                h = self.get_submodule(f"up{size}")(h)
                if size in entering:
                    h = h + self.get_submodule(f"in{size}")(entering[size])
            if size in self.config.noise:
                h = self.get_submodule(f"noise{size}")(h)
            h = self.get_submodule(f"blocks{size}")(h)
        y: Tensor = self.head(h)
        return y


@torch.no_grad()
def round_to_half(heads: nn.ModuleList, *others: nn.Module) -> None:
    """Give heads, their norms folded in, and other parts of an analysis the half precision of a bundle."""
    for head in heads:
        assert isinstance(head, LatentHead)
        head.norm.fold_into(head.out)
    for part in (heads, *others):
        for parameter in part.parameters():
            parameter.copy_(parameter.half().float())


class TokenPyramid(nn.Module):
    """Analysis, quantizers and synthesis of one model."""

    CONTEXT = 64

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = AnalysisTransform(config)
        widths = dict(zip(config.sizes, config.widths, strict=True))
        self.heads = nn.ModuleList(
            LatentHead(widths[stride], self.CONTEXT if level else 0, channels, slices)
            for level, (stride, channels, slices) in enumerate(
                zip(config.strides, config.latent_channels, config.slices, strict=True)
            )
        )
        self.contexts = nn.ModuleList(
            ContextUp(channels + (self.CONTEXT if level else 0), self.CONTEXT)
            for level, channels in enumerate(config.latent_channels[:-1])
        )
        self.quantizers = nn.ModuleList(
            OrderedQuantizer(d, g, config.codebook_size, kind, config.codeword_bound)
            for d, g, kind in zip(config.latent_channels, config.groups, config.kinds, strict=True)
        )
        self.synthesis = SynthesisTransform(config)
        initialise(self)
        for module in self.modules():
            if isinstance(module, NoiseGate):
                module.start()

    def encode(self, x: Tensor, quantized: bool = True) -> list[QuantizedLevel]:
        """x (B, 3, H, W) in -1..1 -> the levels, coarsest first; without `quantized`, latents as they are."""
        levels: list[QuantizedLevel] = []
        context: Tensor | None = None
        for i, features in enumerate(self.analysis(x)):
            latent = self.heads[i](features, context)
            with torch.autocast(device_type=x.device.type, enabled=False):
                quantizer = self.quantizers[i]
                assert isinstance(quantizer, OrderedQuantizer)
                level = quantizer(latent) if quantized else quantizer.bypass(latent)
            levels.append(level)
            if i < len(self.contexts):
                full = torch.full_like(level.latent[:, :1], self.config.groups[i], dtype=torch.int64)
                known = level.straight_through(full)
                context = self.contexts[i](
                    known if context is None else torch.cat([context.to(known.dtype), known], 1)
                )
        return levels

    def decode(self, levels: list[QuantizedLevel], depth: Tensor) -> Tensor:
        """Synthesis from the first `depth` groups of the order; depth (B, rows, columns) int64 in 0..num_groups."""
        y: Tensor = self.synthesis(*self.received(levels, depth))
        return y

    def received(self, levels: list[QuantizedLevel], depth: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Sums of codewords (B, D, h, w) and masks (B, G, h, w) of what is sent at each level; depth as in `decode`."""
        latents, masks = [], []
        before = 0
        for level, stride, groups in zip(levels, self.config.strides, self.config.groups, strict=True):
            here = (depth - before).clamp(0, groups)[:, None]
            fold = self.config.strides[0] // stride
            here = here.repeat_interleave(fold, 2).repeat_interleave(fold, 3)
            latents.append(level.straight_through(here))
            masks.append((here > torch.arange(groups, device=depth.device)[None, :, None, None]).float())
            before += groups
        return latents, masks

    @torch.no_grad()
    def settle(self) -> None:
        """Round everything that makes tokens to the half precision of a bundle, before tokens are frozen.

        From here on PyTorch and the bundle look for the nearest of the same codewords with the same weights.
        """
        round_to_half(self.heads, self.analysis, self.contexts)
        for quantizer in self.quantizers:
            assert isinstance(quantizer, OrderedQuantizer)
            quantizer.codebooks.copy_(quantizer.codebooks.half().float())
