"""The transforms of the token pyramid, and the pyramid itself.

    x (B,3,H,W) -> analysis features at 1/8, 1/16, 1/32
    1/32: latent -> quantizer -> tokens;  its sum, upsampled, is context for
    1/16: latent -> quantizer -> tokens;  and so on to 1/8
    tokens -> sums of codewords -> synthesis from 1/32 up, each level entering at its own stride -> x_hat

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
from wisp.train.quantizer import OrderedQuantizer, QuantizedLevel
from wisp.train.recipe import ModelConfig


class AnalysisTransform(nn.Module):
    """x (B, 3, H, W) in -1..1, H and W multiples of 32 -> features at 1/8, 1/16 and 1/32."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        w4, w8, w16, w32 = config.widths
        n4, n8, n16, n32 = config.analysis_blocks
        self.stem = nn.Conv2d(48, w4, 3, padding=1)
        self.blocks4 = blocks(w4, n4)
        self.down8 = nn.Conv2d(w4, w8, 4, stride=2, padding=1)
        self.blocks8 = blocks(w8, n8)
        self.down16 = nn.Conv2d(w8, w16, 4, stride=2, padding=1)
        self.blocks16 = blocks(w16, n16)
        self.down32 = nn.Conv2d(w16, w32, 4, stride=2, padding=1)
        self.blocks32 = blocks(w32, n32)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f4 = self.blocks4(self.stem(F.pixel_unshuffle(x, 4)))
        f8 = self.blocks8(self.down8(f4))
        f16 = self.blocks16(self.down16(f8))
        f32 = self.blocks32(self.down32(f16))
        return f8, f16, f32


class LatentHead(nn.Module):
    """Features of one level and context from the coarser one -> latent (B, D, h, w)."""

    def __init__(self, features: int, context: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(features + context, features, 1)
        self.out = nn.Conv2d(features, channels, 3, padding=1)
        self.norm = LatentNorm(channels)

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

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up2 = Upsample(channels, 24)
        self.conv2 = nn.Conv2d(24, 24, 3, padding=1)
        self.up1 = Upsample(24, 8)
        self.out = nn.Conv2d(8, 3, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up2(x)
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
    """Quantized latents and presence masks of the three levels -> x_hat (B, 3, H, W), nominally -1..1.

    Masks are (B, G, h, w): 1 where that group of that position was sent, 0 elsewhere.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        w4, w8, w16, w32 = config.widths
        n4, n8, n16, n32 = config.synthesis_blocks
        inputs = [d + g for d, g in zip(config.latent_channels, config.groups, strict=True)]
        self.in32 = nn.Conv2d(inputs[0], w32, 3, padding=1)
        self.blocks32 = blocks(w32, n32)
        self.up16 = Upsample(w32, w16)
        self.in16 = nn.Conv2d(inputs[1], w16, 3, padding=1)
        self.blocks16 = blocks(w16, n16)
        self.up8 = Upsample(w16, w8)
        self.in8 = nn.Conv2d(inputs[2], w8, 3, padding=1)
        self.blocks8 = blocks(w8, n8)
        self.up4 = Upsample(w8, w4)
        self.blocks4 = blocks(w4, n4)
        self.head: nn.Module = SmoothHead(w4) if config.head == "smooth" else ShuffleHead(w4)

    def forward(self, latents: list[Tensor], masks: list[Tensor]) -> Tensor:
        y32, y16, y8 = (torch.cat([y, m.to(y.dtype)], 1) for y, m in zip(latents, masks, strict=True))
        h = self.blocks32(self.in32(y32))
        h = self.blocks16(self.up16(h) + self.in16(y16))
        h = self.blocks8(self.up8(h) + self.in8(y8))
        h = self.blocks4(self.up4(h))
        y: Tensor = self.head(h)
        return y


class TokenPyramid(nn.Module):
    """Analysis, quantizers and synthesis of one model."""

    CONTEXT = 64

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        _, w8, w16, w32 = config.widths
        d32, d16, d8 = config.latent_channels
        self.analysis = AnalysisTransform(config)
        self.heads = nn.ModuleList(
            [LatentHead(w32, 0, d32), LatentHead(w16, self.CONTEXT, d16), LatentHead(w8, self.CONTEXT, d8)]
        )
        self.contexts = nn.ModuleList(
            [ContextUp(d32, self.CONTEXT), ContextUp(self.CONTEXT + d16, self.CONTEXT)]
        )
        self.quantizers = nn.ModuleList(
            OrderedQuantizer(d, g, config.codebook_size, kind)
            for d, g, kind in zip(config.latent_channels, config.groups, config.kinds, strict=True)
        )
        self.synthesis = SynthesisTransform(config)
        initialise(self)

    def encode(self, x: Tensor, quantized: bool = True) -> list[QuantizedLevel]:
        """x (B, 3, H, W) in -1..1 -> the three levels, coarsest first; without `quantized`, latents as they are."""
        f8, f16, f32 = self.analysis(x)
        levels: list[QuantizedLevel] = []
        context: Tensor | None = None
        for i, features in enumerate((f32, f16, f8)):
            latent = self.heads[i](features, context)
            with torch.autocast(device_type=x.device.type, enabled=False):
                quantizer = self.quantizers[i]
                assert isinstance(quantizer, OrderedQuantizer)
                level = quantizer(latent) if quantized else quantizer.bypass(latent)
            levels.append(level)
            if i < 2:
                full = torch.full_like(level.latent[:, :1], self.config.groups[i], dtype=torch.int64)
                known = level.straight_through(full)
                context = self.contexts[i](
                    known if context is None else torch.cat([context.to(known.dtype), known], 1)
                )
        return levels

    def decode(self, levels: list[QuantizedLevel], depth: Tensor) -> Tensor:
        """Synthesis from the first `depth` groups of the order; depth (B, H/32, W/32) int64 in 0..num_groups."""
        y: Tensor = self.synthesis(*self.received(levels, depth))
        return y

    def received(self, levels: list[QuantizedLevel], depth: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Sums of codewords (B, D, h, w) and masks (B, G, h, w) of what is sent at each level; depth as in `decode`."""
        latents, masks = [], []
        before = 0
        for level, stride, groups in zip(levels, self.config.strides, self.config.groups, strict=True):
            here = (depth - before).clamp(0, groups)[:, None]
            here = here.repeat_interleave(32 // stride, 2).repeat_interleave(32 // stride, 3)
            latents.append(level.straight_through(here))
            masks.append((here > torch.arange(groups, device=depth.device)[None, :, None, None]).float())
            before += groups
        return latents, masks

    @torch.no_grad()
    def settle(self) -> None:
        """Round everything that makes tokens to the half precision of a bundle, before tokens are frozen.

        From here on PyTorch and the bundle look for the nearest of the same codewords with the same weights.
        """
        for head in self.heads:
            assert isinstance(head, LatentHead)
            head.norm.fold_into(head.out)
        for part in (self.analysis, self.heads, self.contexts):
            for parameter in part.parameters():
                parameter.copy_(parameter.half().float())
        for quantizer in self.quantizers:
            assert isinstance(quantizer, OrderedQuantizer)
            quantizer.codebooks.copy_(quantizer.codebooks.half().float())
