"""What a stage of a latent autoencoder minimises: errors, features and bits, each relative to its usual size.

The formula is that of the token pyramid's stages (wisp.train.recipe.StageConfig), without what belongs to codewords.
Crops are told apart by their rate: the number of channels that are sent, or the octave of the step. A generator's
critic sees pictures of latents from the prior as well, as pairs (picture, latent) like all others (Dumoulin et al.
2017, section 2): that keeps what an inversion can reach on what the prior can draw.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from wisp.train.adversary import Adversary, Drawn
from wisp.train.feature_loss import Compared, FeatureLoss, random_window
from wisp.train.latent_configs import GridConfig, VectorConfig
from wisp.train.latent_networks import Coded, GridAutoencoder, LatentNetwork, VectorAutoencoder
from wisp.train.lattice_loss import lattice_power
from wisp.train.objective import OUTLIER, channels_last, usual_errors
from wisp.train.rate_training import RateTraining
from wisp.train.recipe import LatentRecipe, StageConfig

OTHER_RATES = 0.2  # share of crops at a number of channels between the released rates
FINE_SHARE = 8  # one crop of so many goes through the dear network
SAMPLED = 4  # one picture from the prior for so many crops


class LatentObjective:
    """The loss of a latent recipe's stages, with the networks that judge and the critic that learns beside."""

    def __init__(self, recipe: LatentRecipe, weights: Path | None, device: torch.device) -> None:
        self.device = device
        self.adversary: Adversary | None = None
        self.features = self.fine_features = None
        if weights is None:
            return
        self.features = channels_last(FeatureLoss(weights).to(device))
        if any(s.fine_feature_weight for s in recipe.stages):
            self.fine_features = channels_last(FeatureLoss(weights, "vgg19_relu3_4").to(device))
        if any(s.adversarial_weight for s in recipe.stages):
            shape = recipe.model
            self.adversary = Adversary(shape.position, shape.numbers, self.features, device)

    def companions(self) -> dict[str, RateTraining | Adversary]:
        """What learns beside the model, by its name in a checkpoint."""
        return {} if self.adversary is None else {"adversary": self.adversary}

    def __call__(
        self, model: LatentNetwork, x: Tensor, stage: StageConfig, usual: dict[str, float]
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch (B, 3, S, S) in -1..1, a scalar, and its parts by name; updates the usual errors."""
        with torch.autocast(device_type=self.device.type, dtype=torch.bfloat16):
            coded, base = self._code(model, x)
            errors = (coded.x_hat.float() - x).square().mean((1, 2, 3))
            scale = torch.maximum(usual_errors(usual, base, errors), errors.detach() / OUTLIER)
            bits = coded.bits
            total = stage.mse_weight * (errors / scale).mean()
            total = total + stage.rate_weight * (bits / usual_errors(usual, base, bits, "bits ")).mean()
            parts = {"mse": errors.mean(), "bits": bits.mean(), "bpp": bits.mean() / x[0, 0].numel()}
            if stage.lattice_weight:
                parts["lattice"] = (lattice_power(x, coded.x_hat) / scale).mean()
                total = total + stage.lattice_weight * parts["lattice"]
            if stage.feature_weight and self.features is not None:
                compared = self.features.compare(x, coded.x_hat)
                distances = compared.distances
                parts["feature"] = distances.mean()
                share = distances / usual_errors(usual, base, distances, "feature ")
                total = total + stage.feature_weight * share.mean()
                if stage.adversarial_weight and self.adversary is not None:
                    parts["doubt"] = self._doubt(self.adversary, model, coded, compared)
                    total = total + stage.adversarial_weight * parts["doubt"]
            if stage.fine_feature_weight and self.fine_features is not None:
                few = max(1, len(x) // FINE_SHARE)
                distances = self.fine_features(*random_window(x[:few], coded.x_hat[:few]))
                parts["fine"] = distances.mean()
                share = distances / usual_errors(usual, base[:few], distances, "fine ")
                total = total + stage.fine_feature_weight * share.mean()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def _code(self, model: LatentNetwork, x: Tensor) -> tuple[Coded, Tensor]:
        """A batch at random rates, and the rate of each crop as a whole number."""
        if isinstance(model, GridAutoencoder):
            count = random_counts(model.config, len(x)).to(x.device)
            return model.code(x, count), count
        step = random_steps(model.config, len(x)).to(x.device)
        return model.code(x, step), step.log2().floor().long()

    def _doubt(self, adversary: Adversary, model: LatentNetwork, coded: Coded, compared: Compared) -> Tensor:
        assert self.features is not None
        drawn = None
        if isinstance(model, VectorAutoencoder):
            count = max(1, len(coded.sent) // SAMPLED)
            sampled = model.sample(random_steps(model.config, count).to(self.device))
            top, left = compared.shift
            features = self.features.look(sampled.x_hat, compared.shift)
            drawn = Drawn(features, [sampled.sent], sampled.x_hat[..., top:, left:])
        return adversary.doubt(compared, [coded.sent], drawn)


def random_counts(config: GridConfig, size: int) -> Tensor:
    """(size,) int64 numbers of channels: mostly one of the released rates."""
    rates = torch.tensor(config.rates)[torch.randint(len(config.rates), (size,))]
    others = torch.randint(1, config.channels + 1, (size,))
    return torch.where(torch.rand(size) < OTHER_RATES, others, rates)


def random_steps(config: VectorConfig, size: int) -> Tensor:
    """(size,) steps, log-uniform between the smallest and the largest."""
    low, high = (torch.tensor(step).log2() for step in config.steps)
    return 2 ** (low + (high - low) * torch.rand(size))
