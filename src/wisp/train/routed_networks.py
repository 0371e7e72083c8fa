"""Control-GIC's transforms: heads at several strides, one codebook for all, and a conditional synthesis.

    x -> analysis features at 1/4, 1/8, 1/16 -> a head each -> latents of 4 channels -> one shared codebook
    grain map: each region keeps the codewords of one level; spread over the finest grid they are the *guide*
    synthesis from 1/16 up: codewords of a grain enter at its own stride, on top of the coarser state, and every
    residual block is modulated by the guide

After Li et al., ICLR 2025, sections 3.2 and 3.3, and its code, with these changes: half the width and no attention; a
position is normalised by the length of its own features instead of by statistics of groups of channels over the whole
picture, so that tiles agree; a finer grain adds to the coarser state instead of replacing it; the codebook follows as
many tokens of each level, and is kept by moving averages.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wisp.train.layers import CEILING, Upsample, initialise
from wisp.train.networks import AnalysisTransform, LatentHead, SmoothHead, round_to_half
from wisp.train.quantizer import OrderedQuantizer, QuantizedLevel
from wisp.train.recipe import ModelConfig

EPSILON = 1e-3  # of a mean square: features of no length stay so


class ModulatedBlock(nn.Module):
    """x + conv3x3(min(SiLU(conv3x3(unit(x) * (1 + scale) + shift)), 8)); scale and shift are read off the guide.

    Spatially adaptive normalisation by the quantised map (Zheng et al. 2022, MoVQ, section 3.2); unit(x) divides by the
    root of the mean square over a position's channels.
    """

    def __init__(self, channels: int, guide: int) -> None:
        super().__init__()
        self.modulate = nn.Conv2d(guide, 2 * channels, 1)
        self.expand = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        scale, shift = self.modulate(guide).chunk(2, 1)
        unit = x * (x.float().square().mean(1, keepdim=True) + EPSILON).rsqrt().to(x.dtype)
        h = F.silu(self.expand(unit * (1 + scale) + shift)).clamp(max=CEILING)
        y: Tensor = x + self.project(h)
        return y


class ConditionalSynthesis(nn.Module):
    """Codewords (B, 4, h, w) and masks (B, 1, h, w) of the levels, coarsest first -> x_hat (B, 3, H, W).

    A level's codewords are zero and its mask 0 where another level was sent. Without `injection` finer grains reach the
    trunk through the modulation alone: the paper's ablation.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.guide_channels = config.latent_channels[0] + len(config.strides)
        before = 0
        trunk = zip(config.sizes, config.widths, config.synthesis_blocks, strict=True)
        for size, width, count in reversed(list(trunk)):
            if before:
                self.add_module(f"up{size}", Upsample(before, width))
                if config.injection and size in config.strides:
                    self.add_module(
                        f"in{size}", nn.Conv2d(config.latent_channels[0] + 1, width, 3, padding=1)
                    )
            else:
                self.add_module(f"in{size}", nn.Conv2d(self.guide_channels, width, 3, padding=1))
            stack = nn.ModuleList(ModulatedBlock(width, self.guide_channels) for _ in range(count))
            self.add_module(f"blocks{size}", stack)
            before = width
        self.head = SmoothHead(before)

    def guides(self, latents: list[Tensor], masks: list[Tensor]) -> dict[int, Tensor]:
        """(B, 4 + L, h, w) by size: the sent codewords and which level each is of, averaged over coarser positions."""
        strides = self.config.strides
        finest = strides[-1]
        spread = [_repeat(y, stride // finest) for y, stride in zip(latents, strides, strict=True)]
        levels = [_repeat(m, stride // finest) for m, stride in zip(masks, strides, strict=True)]
        guide = torch.cat([torch.stack(spread).sum(0), *levels], 1)
        return {size: F.avg_pool2d(guide, size // finest) if size > finest else guide for size in strides}

    def forward(self, latents: list[Tensor], masks: list[Tensor]) -> Tensor:
        guides = self.guides(latents, [m.to(y.dtype) for y, m in zip(latents, masks, strict=True)])
        coarsest = self.config.strides[0]
        h = self.get_submodule(f"in{coarsest}")(guides[coarsest])
        for size, y, m in zip(self.config.strides, latents, masks, strict=True):
            if size != coarsest:
                h = self.get_submodule(f"up{size}")(h)
                if self.config.injection:
                    h = h + self.get_submodule(f"in{size}")(torch.cat([y, m.to(y.dtype)], 1))
            for block in self.get_submodule(f"blocks{size}").children():
                h = block(h, guides[size])
        x_hat: Tensor = self.head(h)
        return x_hat


class RoutedPyramid(nn.Module):
    """Analysis, shared codebook and conditional synthesis; used like wisp.train.networks.TokenPyramid."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = AnalysisTransform(config)
        widths = dict(zip(config.sizes, config.widths, strict=True))
        channels = config.latent_channels[0]
        self.heads = nn.ModuleList(LatentHead(widths[stride], 0, channels) for stride in config.strides)
        self.contexts = nn.ModuleList()
        self.codebook = OrderedQuantizer(channels, 1, config.codebook_size)
        self.quantizers = nn.ModuleList([self.codebook])
        self.synthesis = ConditionalSynthesis(config)
        initialise(self)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, ModulatedBlock):
                    module.modulate.weight.zero_()
                    module.project.weight.mul_(0.1)

    def encode(self, x: Tensor, quantized: bool = True) -> list[QuantizedLevel]:
        """x (B, 3, H, W) in -1..1 -> the levels, coarsest first; without `quantized`, latents as they are."""
        latents = [head(features, None) for head, features in zip(self.heads, self.analysis(x), strict=True)]
        with torch.autocast(device_type=x.device.type, enabled=False):
            if not quantized:
                return [self.codebook.bypass(latent) for latent in latents]
            if self.codebook.training:
                self.codebook(self._even_sample(latents))
            return [self.codebook(latent, learn=False) for latent in latents]

    def _even_sample(self, latents: list[Tensor]) -> Tensor:
        """(1, 4, 1, n): positions of all levels, 1, 2 and 4 for one of the coarsest, for the codebook to follow."""
        parts, coarsest = [], latents[0].shape[0] * latents[0].shape[2] * latents[0].shape[3]
        for level, latent in enumerate(latents):
            flat = latent.detach().float().permute(0, 2, 3, 1).flatten(0, 2)
            chosen = torch.randperm(len(flat), device=flat.device)[: coarsest << level]
            parts.append(flat[chosen])
        return torch.cat(parts).T[None, :, None]

    def received(self, levels: list[QuantizedLevel], depth: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Codewords (B, 4, h, w) and masks (B, 1, h, w) of what is sent at each level; depth as in `decode`."""
        latents, masks = [], []
        for number, (level, stride) in enumerate(zip(levels, self.config.strides, strict=True)):
            fold = self.config.strides[0] // stride
            here = (depth == number + 1)[:, None]
            here = here.repeat_interleave(fold, 2).repeat_interleave(fold, 3)
            latents.append(level.straight_through(here.long()))
            masks.append(here.float())
        return latents, masks

    def decode(self, levels: list[QuantizedLevel], depth: Tensor) -> Tensor:
        """Synthesis from one level of each region; depth (B, rows, columns) int64 in 1..L."""
        y: Tensor = self.synthesis(*self.received(levels, depth))
        return y

    @torch.no_grad()
    def settle(self) -> None:
        """Round everything that makes tokens to half precision, and put the codewords into an order.

        Sorted by what varies most, codewords with the same first byte are alike, so that it can be predicted.
        """
        round_to_half(self.heads, self.analysis)
        book = self.codebook
        words, usage = book.codebooks[0], book.ema_counts[0]
        centred = words - (words * usage[:, None]).sum(0) / usage.sum()
        _, vectors = torch.linalg.eigh(centred.T @ (centred * usage[:, None]))
        order = (centred @ vectors[:, -1]).argsort(stable=True)
        for buffer in (book.codebooks, book.handicaps, book.ema_counts, book.ema_sums):
            buffer[0] = buffer[0, order]
        book.codebooks.copy_(book.codebooks.half().float())


def _repeat(x: Tensor, times: int) -> Tensor:
    return x if times == 1 else x.repeat_interleave(times, 2).repeat_interleave(times, 3)
