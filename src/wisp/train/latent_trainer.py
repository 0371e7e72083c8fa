"""Training of a latent autoencoder: the loop's stages, and a preview by rates."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from wisp.train.latent_networks import (
    Coded,
    GridAutoencoder,
    LatentNetwork,
    VectorAutoencoder,
    new_latent_network,
)
from wisp.train.latent_objective import LatentObjective
from wisp.train.loop import Trainer
from wisp.train.recipe import LatentRecipe, StageConfig
from wisp.train.run_options import RunOptions


class LatentTrainer(Trainer):
    """One run of a latent recipe."""

    recipe: LatentRecipe
    model: LatentNetwork
    average: LatentNetwork

    def __init__(self, recipe: LatentRecipe, options: RunOptions) -> None:
        super().__init__(recipe, options)

    def new_network(self) -> nn.Module:
        """A random network."""
        return new_latent_network(self.recipe.model)

    def new_objective(self) -> LatentObjective:
        """Errors, features and bits."""
        return LatentObjective(self.recipe, self.options.weights, self.device)

    def select(self, stage: StageConfig) -> None:
        """All of the model, or the synthesis alone when latents are frozen."""
        self.model.requires_grad_(not stage.frozen_tokens)
        self.model.synthesis.requires_grad_(True)

    @torch.no_grad()
    def preview_psnr(self, stage: StageConfig) -> dict[str, float] | None:
        """Of the averaged weights, with bits of the training's own rate model."""
        model = self.average
        rates: list[float] = (
            [float(c) for c in model.config.rates]
            if isinstance(model, GridAutoencoder)
            else [2.0**e for e in range(-2, 4)]
        )
        sums = {rate: [0.0, 0.0] for rate in rates}
        for picture in self.preview:
            x = picture.to(self.device)
            if isinstance(model, VectorAutoencoder):
                side = model.config.side
                x = F.interpolate(x, (side, side), mode="bicubic", antialias=True).clamp(-1, 1)
            else:
                height, width = (side // model.stride * model.stride for side in x.shape[-2:])
                x = x[..., :height, :width]
            for rate in rates:
                coded = _code(model, x, rate)
                error = (coded.x_hat.float().clamp(-1, 1) - x).square().mean() * 127.5**2
                sums[rate][0] += float(10 * torch.log10(255**2 / error))
                sums[rate][1] += float(coded.bits[0]) / x[0, 0].numel()
        count = len(self.preview)
        return {f"{bpp / count:.3f}": round(psnr / count, 3) for psnr, bpp in sums.values()}


def _code(model: LatentNetwork, x: torch.Tensor, rate: float) -> Coded:
    if isinstance(model, GridAutoencoder):
        return model.code(x, torch.tensor([int(rate)], device=x.device))
    return model.code(x, torch.tensor([rate], device=x.device))
