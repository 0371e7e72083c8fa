"""The ordered quantizer: a latent becomes a few tokens, each of which refines those before it.

The latent's reconstruction is the *sum* of one codeword from each group that was sent. With free
codewords this is residual quantization (Zeghidour et al. 2021, SoundStream, section III-C); with
codewords that are non-zero on disjoint slices of the channels it is product quantization (Jegou et al.
2011; El-Nouby et al. 2023, PQ-MIM). Nearest codewords are found group by group on what remains, which is
exact for the product and greedy for the residual kind. Everything that follows (order, prefixes, entropy
model, synthesis) needs only the order and the sum.

Codebooks learn by moving averages with restarts of unused codewords (van den Oord et al. 2017, appendix
A.1; Dhariwal et al. 2020, Jukebox, section 3.2), decay 0.99.

With a price on bits the quantizer is entropy-constrained (Chou, Lookabaugh and Gray 1989): a codeword that is seldom
chosen must be nearer than one that is common, by a *handicap* of price x usual distance x code length, and the
codebook follows those choices. Handicaps are constants of the trained model, like the codewords. A *bound* keeps that
from costing what a latent says exactly, as flat colours do: a cheap codeword that is more than so many times as far
as the nearest is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

DECAY = 0.99
DEAD_SHARE = 0.03  # of the mean usage: below this a codeword is restarted on a random residual
RARE_SHARE = 0.003  # the same where bits have a price: there, codewords may well be rare


@dataclass(frozen=True)
class QuantizedLevel:
    """One level of a batch after quantization.

    Attributes:
        latent: (B, D, h, w) float32, before quantization.
        prefixes: (G, B, D, h, w) float32; entry g is the sum of the codewords of groups 0..g, no gradient.
        tokens: (B, h, w, G) int64 in 0..K-1.
        commitment: scalar; mean squared distance of the latent to its longest prefix.
        reached: (G + 1, D) float32; row d is 1 at the channels that the first d groups can set, else 0.
    """

    latent: Tensor
    prefixes: Tensor
    tokens: Tensor
    commitment: Tensor
    reached: Tensor

    def straight_through(self, depth: Tensor) -> Tensor:
        """(B, D, h, w): the prefix of `depth` groups (B, 1, h, w, int64, 0..G), gradients to the latent."""
        zero = torch.zeros_like(self.prefixes[:1])
        index = depth.unsqueeze(0).expand(1, *self.latent.shape)
        prefix = torch.cat([zero, self.prefixes]).gather(0, index)[0]
        passed = self.reached[depth[:, 0]].permute(0, 3, 1, 2)
        return self.latent * passed + (prefix - self.latent * passed).detach()


class OrderedQuantizer(nn.Module):
    """`groups` codebooks of (codebook_size, channels), searched in order on what the earlier ones left.

    Args:
        kind: "residual" (codewords are free) or "product" (group g owns its own slice of the channels).
        bound: how many times as far as the nearest, in squared distance, a codeword may be for its price; 0: any.

    Attributes:
        price: what a bit costs while training, in shares of the usual squared distance; 0 looks at distances alone.
        handicaps: (G, K) float32, added to squared distances when codewords are compared; change only while training
            with a price.
    """

    codebooks: Tensor
    handicaps: Tensor
    usual_distances: Tensor
    ema_counts: Tensor
    ema_sums: Tensor
    supports: Tensor
    initialised: Tensor

    def __init__(
        self,
        channels: int,
        groups: int,
        codebook_size: int = 256,
        kind: str = "residual",
        bound: float = 0.0,
    ) -> None:
        super().__init__()
        self.bound = bound
        self.channels, self.groups, self.codebook_size, self.kind = channels, groups, codebook_size, kind
        support = torch.ones(groups, channels)
        if kind == "product":
            owner = torch.arange(channels) * groups // channels
            support = (owner[None] == torch.arange(groups)[:, None]).float()
        self.register_buffer("supports", support)
        self.register_buffer("codebooks", torch.randn(groups, codebook_size, channels) * support[:, None])
        self.price = 0.0
        self.register_buffer("handicaps", torch.zeros(groups, codebook_size))
        self.register_buffer("usual_distances", torch.zeros(groups))
        self.register_buffer("ema_counts", torch.ones(groups, codebook_size))
        self.register_buffer("ema_sums", self.codebooks.clone())
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    def nearest(self, residual: Tensor, group: int) -> Tensor:
        """(N, D) float32 -> (N,) int64: nearest codeword by squared distance and handicap, lowest index on ties.

        One that is further than the bound allows gives way to the nearest by distance alone.
        """
        book = self.codebooks[group]
        distance = book.square().sum(1) - 2 * residual @ book.T
        chosen = (distance + self.handicaps[group]).argmin(1)
        if not self.bound:
            return chosen
        close = distance.argmin(1)
        errors = [(residual - book[index]).square().sum(1) for index in (chosen, close)]
        return torch.where(errors[0] > self.bound * errors[1], close, chosen)

    def bypass(self, latent: Tensor) -> QuantizedLevel:
        """(B, D, h, w) -> a level whose prefixes are the latent where they reach, as it is; for the first steps."""
        latent = latent.float()
        b, _, h, w = latent.shape
        reached = self._reached()
        prefixes = latent.detach() * reached[1:, None, :, None, None]
        tokens = torch.zeros(b, h, w, self.groups, dtype=torch.int64, device=latent.device)
        return QuantizedLevel(latent, prefixes, tokens, latent.new_zeros(()), reached)

    def _reached(self) -> Tensor:
        """(G + 1, D) float32: row d is 1 at the channels that the first d groups can set, else 0."""
        zero = torch.zeros_like(self.supports[:1])
        return torch.cat([zero, self.supports.cumsum(0).clamp(max=1)])

    def forward(self, latent: Tensor, learn: bool = True) -> QuantizedLevel:
        """(B, D, h, w), any float type -> QuantizedLevel; `learn`: in training mode the codebooks follow."""
        learn = learn and self.training
        latent = latent.float()
        b, d, h, w = latent.shape
        flat = latent.detach().permute(0, 2, 3, 1).reshape(-1, d)
        residual, total = flat, torch.zeros_like(flat)
        prefixes, tokens = [], []
        start = learn and not bool(self.initialised)
        for group in range(self.groups):
            if start:
                self._initialise(group, residual)
            index = self.nearest(residual, group)
            codeword = self.codebooks[group][index]
            if learn:
                self._update(group, residual * self.supports[group], index)
            total = total + codeword
            residual = flat - total
            tokens.append(index.view(b, h, w))
            prefixes.append(total.view(b, h, w, d).permute(0, 3, 1, 2))
        if start:
            self.initialised.fill_(True)
        stacked = torch.stack(prefixes)
        # Not to the shorter prefixes: that would pull what the later groups should say towards nothing.
        commitment = (latent - stacked[-1]).square().mean()
        return QuantizedLevel(latent, stacked, torch.stack(tokens, -1), commitment, self._reached())

    @torch.no_grad()
    def _initialise(self, group: int, residual: Tensor) -> None:
        picked = residual[torch.randint(len(residual), (self.codebook_size,), device=residual.device)]
        picked = picked + 0.01 * residual.std() * torch.randn_like(picked)
        self.codebooks[group] = picked * self.supports[group]
        self.ema_sums[group] = self.codebooks[group]
        self.ema_counts[group] = 1.0

    @torch.no_grad()
    def _update(self, group: int, residual: Tensor, index: Tensor) -> None:
        counts = torch.bincount(index, minlength=self.codebook_size).to(residual.dtype)
        sums = torch.zeros_like(self.ema_sums[group]).index_add_(0, index, residual)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(counts)
            torch.distributed.all_reduce(sums)
        self.ema_counts[group].lerp_(counts, 1 - DECAY)
        self.ema_sums[group].lerp_(sums, 1 - DECAY)
        usage = self.ema_counts[group]
        dead = usage < (RARE_SHARE if self.price else DEAD_SHARE) * usage.mean()
        num_dead = int(dead.sum())
        if num_dead:
            picked = residual[torch.randint(len(residual), (num_dead,), device=residual.device)]
            self.ema_counts[group, dead] = usage.mean()
            self.ema_sums[group, dead] = picked * usage.mean()
        self.codebooks[group] = self.ema_sums[group] / self.ema_counts[group].clamp_min(1e-6)[:, None]
        if self.price:
            self._set_handicaps(group, (residual - self.codebooks[group][index]).square().sum(1).mean())

    def _set_handicaps(self, group: int, distance: Tensor) -> None:
        """Code lengths by the usage so far, in bits, as squared distance; `distance` is the mean of this batch."""
        usual, usage = self.usual_distances[group], self.ema_counts[group]
        usual = torch.where(usual > 0, DECAY * usual + (1 - DECAY) * distance, distance)
        self.usual_distances[group] = usual
        lengths = -((usage + 0.01) / (usage + 0.01).sum()).log2()
        self.handicaps[group] = self.price * usual * lengths
