"""What a stage minimises: one loss out of all its parts (the formula stands with StageConfig).

Each error counts relative to its usual size at the depth of its crop, a running mean that the run keeps.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from wisp.train.adversary import Adversary, Drawn
from wisp.train.colour_loss import shift_power
from wisp.train.depths import depths_for
from wisp.train.drawn_tokens import DrawnTokens
from wisp.train.feature_loss import Compared, FeatureLoss, random_window
from wisp.train.lattice_loss import lattice_power
from wisp.train.pyramids import PyramidNetwork
from wisp.train.quantizer import QuantizedLevel
from wisp.train.rate_training import RateTraining
from wisp.train.recipe import Recipe, StageConfig

_Module = TypeVar("_Module", bound=nn.Module)
OUTLIER = 4.0  # times the usual error: from here on a crop weighs no more


def channels_last(module: _Module) -> _Module:
    """Weights in the layout that CPUs and GPUs convolve fastest in reduced precision."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return module


class Objective:
    """The loss of a recipe's stages, with the networks that judge and those that learn beside the model.

    Attributes:
        rate: bits as a part of the loss, if a stage has them.
        adversary: the critic, if a stage has one.
        drawn: what makes tokens up for the critic, if a stage has a `drawn_share`.
    """

    def __init__(
        self, recipe: Recipe, weights: Path | None, device: torch.device, drawn: DrawnTokens | None = None
    ) -> None:
        self.device, self.drawn = device, drawn
        stages = recipe.stages
        self.rate = RateTraining(recipe.model, device) if any(s.rate_weight for s in stages) else None
        self.adversary: Adversary | None = None
        self.features = self.fine_features = None
        if weights is None:
            return
        self.features = channels_last(FeatureLoss(weights).to(device))
        if any(s.fine_feature_weight for s in stages):
            self.fine_features = channels_last(FeatureLoss(weights, "vgg19_relu3_4").to(device))
        if any(s.adversarial_weight for s in stages):
            config = recipe.model
            pixels = any(s.pixel_critic for s in stages)
            channels = sum(config.latent_channels)
            self.adversary = Adversary(config.strides[-1], channels, self.features, device, pixels)

    def companions(self) -> dict[str, RateTraining | Adversary]:
        """What learns beside the model, by its name in a checkpoint."""
        known = {"rate": self.rate, "adversary": self.adversary}
        return {name: companion for name, companion in known.items() if companion is not None}

    def __call__(
        self, model: PyramidNetwork, x: Tensor, stage: StageConfig, usual: dict[str, float]
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, a scalar, and its parts by name.

        Args:
            x: (B, 3, S, S) in -1..1.
            usual: running means of errors by kind and depth; updated.
        """
        base, depth = depths_for(x, model.config)
        depth = depth.to(self.device)
        with torch.autocast(device_type=self.device.type, dtype=torch.bfloat16):
            levels = model.encode(x, stage.quantized)
            x_hat = model.decode(levels, depth)
            errors = (x_hat.float() - x).square().mean((1, 2, 3))
            # one wild crop must not be the whole gradient
            scale = torch.maximum(usual_errors(usual, base, errors), errors.detach() / OUTLIER)
            commitment = torch.stack([level.commitment for level in levels]).mean()
            total = stage.mse_weight * (errors / scale).mean() + stage.commitment_weight * commitment
            parts = {"mse": errors.mean(), "commitment": commitment}
            if stage.rate_weight and self.rate is not None:
                bits = self._bits(model, levels, depth)
                parts["bpp"] = bits.mean() / x[0, 0].numel()
                total = total + stage.rate_weight * (bits / usual_errors(usual, base, bits, "bits ")).mean()
            if stage.lattice_weight:
                power = (lattice_power(x, x_hat) / scale).mean()
                parts["lattice"] = power
                total = total + stage.lattice_weight * power
            if stage.colour_weight:
                power = (shift_power(x, x_hat) / scale).mean()
                parts["colour"] = power
                total = total + stage.colour_weight * power
            if stage.feature_weight and self.features is not None:
                compared = self.features.compare(x, x_hat)
                distances = compared.distances
                parts["feature"] = distances.mean()
                share = distances / usual_errors(usual, base, distances, "feature ")
                total = total + stage.feature_weight * share.mean()
                if stage.adversarial_weight and self.adversary is not None:
                    drawn = self._drawn(model, levels, depth, compared, stage.drawn_share)
                    parts["doubt"] = self._doubt(self.adversary, model, levels, depth, compared, drawn)
                    total = total + stage.adversarial_weight * parts["doubt"]
            if stage.fine_feature_weight and self.fine_features is not None:
                half = len(x) // 2  # crops come in random order and at random depths
                distances = self.fine_features(*random_window(x[:half], x_hat[:half]))
                parts["fine"] = distances.mean()
                share = distances / usual_errors(usual, base[:half], distances, "fine ")
                total = total + stage.fine_feature_weight * share.mean()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def _bits(self, model: PyramidNetwork, levels: list[QuantizedLevel], depth: Tensor) -> Tensor:
        assert self.rate is not None
        with torch.autocast(device_type=self.device.type, enabled=False):
            return self.rate.bits(levels, model.quantizers, depth)

    def _doubt(
        self,
        adversary: Adversary,
        model: PyramidNetwork,
        levels: list[QuantizedLevel],
        depth: Tensor,
        compared: Compared,
        drawn: Drawn | None,
    ) -> Tensor:
        sent, _ = model.received(levels, depth)
        return adversary.doubt(compared, sent, drawn)

    def _drawn(
        self,
        model: PyramidNetwork,
        levels: list[QuantizedLevel],
        depth: Tensor,
        compared: Compared,
        share: float,
    ) -> Drawn | None:
        """The first crops of the batch once more, with tokens that the prior made up."""
        if not share or self.drawn is None or self.features is None:
            return None
        count = max(1, round(share * len(depth)))
        x_hat = model.decode(*self.drawn.fill(model, levels, depth, count)).float()
        sent, _ = model.received(levels, depth)
        top, left = compared.shift
        features = self.features.look(x_hat, compared.shift)
        return Drawn(features, [y[:count] for y in sent], x_hat[..., top:, left:])


def usual_errors(usual: dict[str, float], base: Tensor, errors: Tensor, kind: str = "") -> Tensor:
    """Running mean of an error at each crop's base depth (B,), updated with this batch's errors (B,)."""
    keys = [f"{kind}{depth}" for depth in base.tolist()]
    for key, error in zip(keys, errors.detach().tolist(), strict=True):
        last = usual.get(key, error)
        usual[key] = 0.95 * last + 0.05 * min(error, OUTLIER * last)
    return torch.tensor([usual[key] for key in keys], device=errors.device)
