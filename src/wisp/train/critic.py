"""A critic that knows what was sent: does this look like a photograph with these tokens?

It looks at feature maps of a frozen classifier, as Projected GAN does (Sauer et al. 2021, section 3), which needs few
examples and little arithmetic; and it compares them with the codewords that were sent by an inner product, as the
projection discriminator does (Miyato and Koyama 2018, section 3). Being conditioned on the tokens (Muckley et al.
2023, MS-ILLM) leaves the synthesis no gain from a likely picture that is not this one.

A classifier forgets the finest texture, so a stage may ask for a head on the pixels themselves as well (PatchGAN:
Isola et al. 2017, section 3.2.2), which then has half of the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 64
FIRST_TAP = 2  # finer feature maps than this are of a few pixels, and cheap to fool
FIRST_TAP_WITH_PIXELS = 1
PIXEL_WIDTHS = (48, 96)


class _Head(nn.Module):
    """Feature map and condition, both (B, C, h, w) -> logits (B, h, w)."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.look = spectral_norm(nn.Conv2d(channels, WIDTH, 1))
        self.mix = spectral_norm(nn.Conv2d(WIDTH, WIDTH, 3, padding=1))
        self.judge = spectral_norm(nn.Conv2d(WIDTH, 1, 1))
        self.expect = spectral_norm(nn.Conv2d(condition, WIDTH, 1))

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        scale = features.shape[1] ** 0.5  # features have unit length
        look = self.look
        assert isinstance(look, nn.Conv2d)
        h = F.leaky_relu(F.conv2d(features, look.weight * scale, look.bias), 0.2)
        h = F.leaky_relu(self.mix(h), 0.2)
        return _verdict(h, self.judge, self.expect(condition))


class _PixelHead(nn.Module):
    """Pixels (B, 3, H, W) in -1..1 and condition (B, C, h, w) -> logits (B, H/4, W/4), each of 18 pixels squared."""

    def __init__(self, condition: int) -> None:
        super().__init__()
        narrow, wide = PIXEL_WIDTHS
        self.a = spectral_norm(nn.Conv2d(3, narrow, 4, stride=2, padding=1))
        self.b = spectral_norm(nn.Conv2d(narrow, wide, 4, stride=2, padding=1))
        self.c = spectral_norm(nn.Conv2d(wide, wide, 3, padding=1))
        self.judge = spectral_norm(nn.Conv2d(wide, 1, 1))
        self.expect = spectral_norm(nn.Conv2d(condition, wide, 1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        # gains against the spectral norm, which leaves the contrast of pixels a small part of a logit
        h = F.leaky_relu(self.a(4 * x), 0.2)
        h = F.leaky_relu(self.b(2 * h), 0.2)
        h = F.leaky_relu(self.c(2 * h), 0.2)
        return _verdict(h, self.judge, self.expect(condition), gain=2.0)


def _verdict(h: Tensor, judge: nn.Module, expected: Tensor, gain: float = 1.0) -> Tensor:
    """gain * judge(h) + the inner product with what the condition leads to expect: (B, C, h, w) to (B, h, w) float32.

    One product for both, as a convolution to one channel has gradients in another layout, and all that follows is slow.
    """
    assert isinstance(judge, nn.Conv2d)
    assert judge.bias is not None
    towards = (expected / h.shape[1] ** 0.5 + gain * judge.weight).to(h.dtype)
    size = (h.shape[2], h.shape[3])
    if size[0] > towards.shape[2] or size[1] > towards.shape[3]:
        towards = F.interpolate(towards, size=size)
    else:
        towards = F.adaptive_avg_pool2d(towards, size)
    logits: Tensor = _InnerProduct.apply(h, towards) + gain * judge.bias
    return logits


class _InnerProduct(torch.autograd.Function):
    """(B, C, h, w) twice -> (B, h, w) float32; gradients keep the layout of what they are of, channels last or not."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return (a * b).sum(1, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        each = gradient.to(a.dtype)[:, None]
        return each * b, each * a


class Critic(nn.Module):
    """Logits at every position of the coarser feature maps; above zero means a photograph.

    Args:
        taps: channels of each feature map, fine to coarse.
        condition: channels of what was sent.
        pixels: look at pixels too, and at a finer feature map.
    """

    def __init__(self, taps: Sequence[int], condition: int, pixels: bool = False) -> None:
        super().__init__()
        self.first = FIRST_TAP_WITH_PIXELS if pixels else FIRST_TAP
        self.heads = nn.ModuleList(_Head(channels, condition) for channels in taps[self.first :])
        self.pixels = _PixelHead(condition) if pixels else None

    def forward(self, features: Sequence[Tensor], condition: Tensor, x: Tensor | None = None) -> list[Tensor]:
        """Logits (B, h, w) of each head; those of pixels as often as all others, so that they are half of a mean.

        Args:
            features: maps (B, C, h, w), fine to coarse.
            condition: (B, C, h, w) of the same area.
            x: (B, 3, H, W) of the same area, for a critic of pixels.
        """
        logits = [head(f, condition) for head, f in zip(self.heads, features[self.first :], strict=True)]
        if self.pixels is None:
            return logits
        assert x is not None
        return [*logits, *[self.pixels(x.float(), condition)] * len(logits)]


def condition_of(sent: Sequence[Tensor], stride: int, shift: tuple[int, int]) -> Tensor:
    """Sums of codewords of all levels on the finest grid, cut like the features: (B, sum of channels, h, w).

    Args:
        sent: (B, D, h, w) of each level, coarsest first; zero where nothing was sent.
        stride: pixels per position of the finest level.
        shift: rows and columns of pixels that the features do not see at the top and at the left.
    """
    size = sent[-1].shape[-2:]
    whole = torch.cat([F.interpolate(y.detach().float(), size=size) for y in sent], 1)
    top, left = (round(pixels / stride) for pixels in shift)
    return whole[..., top:, left:]
