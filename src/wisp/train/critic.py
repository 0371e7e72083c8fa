"""A critic that knows what was sent: does this look like a photograph with these tokens?

It looks at feature maps of a frozen classifier, as Projected GAN does (Sauer et al. 2021, section 3), which needs few
examples and little arithmetic; and it compares them with the codewords that were sent by an inner product, as the
projection discriminator does (Miyato and Koyama 2018, section 3). Being conditioned on the tokens (Muckley et al.
2023, MS-ILLM) leaves the synthesis no gain from a likely picture that is not this one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 64
FIRST_TAP = 2  # finer feature maps than this are of a few pixels, and cheap to fool


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
        h = F.leaky_relu(self.look(features * scale), 0.2)
        h = F.leaky_relu(self.mix(h), 0.2)
        expected = self.expect(F.adaptive_avg_pool2d(condition, (h.shape[2], h.shape[3])))
        logits: Tensor = self.judge(h)[:, 0] + (h * expected).sum(1) / WIDTH**0.5
        return logits


class Critic(nn.Module):
    """Logits at every position of the coarser feature maps; above zero means a photograph.

    Args:
        taps: channels of each feature map, fine to coarse.
        condition: channels of what was sent.
    """

    def __init__(self, taps: Sequence[int], condition: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_Head(channels, condition) for channels in taps[FIRST_TAP:])

    def forward(self, features: Sequence[Tensor], condition: Tensor) -> list[Tensor]:
        """Feature maps fine to coarse, condition (B, C, h, w) of the same area -> logits (B, h, w) of each head."""
        return [head(f, condition) for head, f in zip(self.heads, features[FIRST_TAP:], strict=True)]


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
