"""The rate as a part of the loss: the soft cross-entropy of a masked prior that learns beside the transforms.

A token is a choice and passes no gradient. As in RDVQ (CVPR 2026), the choice is softened for the rate alone: the
weights of all codewords, exp(-distance / temperature), meet the code lengths that the prior gives them, and the latent
is drawn to codewords that are both near and expected. Pixels keep seeing the nearest codeword.

The prior is that of wisp.train.prior_network; of every level one group and one stage are drawn a step, and the bits of
the group are estimated from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wisp.tokens.pyramid import NOT_SENT
from wisp.tokens.stages import stage_map
from wisp.train.prior_network import LevelPrior, default_config
from wisp.train.quantizer import OrderedQuantizer, QuantizedLevel
from wisp.train.recipe import ModelConfig

LEARNING_RATE = 3e-3
DECAY = 0.99  # of the running mean distance that sets the temperature


class RateTerm(nn.Module):
    """Estimates the bits of a batch, with gradients to its latents.

    Args:
        config: shape of the pyramid.
    """

    distances: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.groups, self.strides = config.groups, config.strides
        self.priors = nn.ModuleList(
            LevelPrior(sizes, level, config.groups, config.strides)
            for level, sizes in enumerate(default_config(config.groups))
        )
        self.register_buffer("distances", torch.zeros(config.num_groups))

    def forward(
        self, levels: Sequence[QuantizedLevel], quantizers: nn.ModuleList, depth: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Bits of each crop (B,), float32, and the prior's own loss, a scalar in nats a token.

        The first passes gradients to the latents alone, the second to the prior alone.

        Args:
            levels: as TokenPyramid.encode gives them, coarsest first.
            quantizers: the pyramid's, one a level.
            depth: (B, H / coarsest stride, W / coarsest stride) int64, groups of the order sent in each region.
        """
        bits = torch.zeros(len(depth), device=depth.device)
        nats: list[Tensor] = []
        coarser: list[Tensor] = []
        first = 0
        for number, (level, count) in enumerate(zip(levels, self.groups, strict=True)):
            fold = self.strides[0] // self.strides[number]
            here = depth.repeat_interleave(fold, 1).repeat_interleave(fold, 2)
            group = int(torch.randint(count, ()))
            planes = level.tokens.permute(0, 3, 1, 2)
            sent = here[:, None] > first + torch.arange(count, device=depth.device)[None, :, None, None]
            planes = planes.masked_fill(~sent, NOT_SENT)
            if bool(sent[:, group].any()):
                found = self._group(
                    number, group, first + group, level, quantizers, planes, sent, here, coarser
                )
                bits = bits + count * found[0]
                nats.append(found[1])
            coarser.append(planes)
            first += count
        return bits, torch.stack(nats).mean() if nats else bits.sum()

    def _group(
        self,
        number: int,
        group: int,
        place: int,
        level: QuantizedLevel,
        quantizers: nn.ModuleList,
        planes: Tensor,
        sent: Tensor,
        depths: Tensor,
        coarser: Sequence[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Bits a crop of one group, estimated from one of its stages, and the prior's loss on that stage's tokens."""
        prior, quantizer = self.priors[number], quantizers[number]
        assert isinstance(prior, LevelPrior)
        assert isinstance(quantizer, OrderedQuantizer)
        stages = prior.config.stages[group]
        now = int(torch.randint(stages, ()))
        order = torch.from_numpy(stage_map(planes.shape[2], planes.shape[3], stages)).to(planes.device)
        known = planes.clone()
        known[:, group + 1 :] = NOT_SENT
        known[:, group].masked_fill_(order >= now, NOT_SENT)
        chosen = sent[:, group] & (order == now)
        features = prior.step(known, depths, prior.context(coarser)).permute(0, 2, 3, 1)[chosen]
        lengths = F.log_softmax(prior.logits(features, group) / 16, -1)
        tokens = level.tokens[..., group][chosen]
        loss = F.nll_loss(lengths, tokens) if len(tokens) else lengths.sum()
        soft = self._soft_choice(level, quantizer, group, place, chosen)
        expected = -(soft * lengths.detach()).sum(-1) / math.log(2)
        per_crop = (
            torch.zeros(chosen.shape, device=expected.device).masked_scatter(chosen, expected).sum((1, 2))
        )
        return stages * per_crop, loss

    def _soft_choice(
        self, level: QuantizedLevel, quantizer: OrderedQuantizer, group: int, place: int, chosen: Tensor
    ) -> Tensor:
        """(n, 256): how much each codeword is chosen; the nearest alone as the temperature goes to zero."""
        residual = level.latent if group == 0 else level.latent - level.prefixes[group - 1]
        rows = residual.permute(0, 2, 3, 1)[chosen] * quantizer.supports[group]
        book = quantizer.codebooks[group]
        distance = (rows.square().sum(-1, keepdim=True) - 2 * rows @ book.t() + book.square().sum(-1)).clamp(
            min=0
        )
        nearest = distance.detach().amin(-1).mean() if len(rows) else self.distances[place]
        usual = self.distances[place]
        usual = torch.where(usual > 0, usual * DECAY + nearest * (1 - DECAY), nearest)
        self.distances[place] = usual
        # the variance of what the codeword leaves, over the channels it can set: a posterior under Gaussian noise
        temperature = 2 * usual / quantizer.supports[group].sum()
        return F.softmax(-distance / temperature.clamp(min=1e-6), -1)
