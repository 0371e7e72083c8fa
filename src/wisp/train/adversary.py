"""The critic with what trains it: a hinge loss, and an optimiser of its own beside the synthesis'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wisp.train import parallel
from wisp.train.critic import Critic, condition_of
from wisp.train.feature_loss import Compared, FeatureLoss

LEARNING_RATE = 4e-4
BETAS = (0.0, 0.99)
_Judged = tuple[Sequence[Tensor], Tensor, Tensor]  # features, what was sent, pixels


@dataclass(frozen=True)
class Drawn:
    """Syntheses of which there are no photographs.

    Attributes:
        features: maps (B, C, h, w), fine to coarse, as Compared has them, with gradients.
        sent: as wisp.train.critic.condition_of.
        pictures: (B, 3, H, W), what the features are of, with gradients.
    """

    features: Sequence[Tensor]
    sent: Sequence[Tensor]
    pictures: Tensor


class Adversary:
    """Tells photographs from syntheses of the same tokens, and learns a step after each step of the synthesis."""

    def __init__(
        self, stride: int, channels: int, features: FeatureLoss, device: torch.device, pixels: bool = False
    ) -> None:
        """Of latents of so many channels in all, the finest with so many pixels a position; `pixels` as Critic."""
        self.stride = stride
        self.critic = Critic(features.channels, channels, pixels).to(device)
        cast(Any, self.critic).to(memory_format=torch.channels_last)
        self.device = device
        parallel.follow_first(self.critic.parameters())
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=LEARNING_RATE, betas=BETAS)
        self._seen: tuple[_Judged, _Judged] | None = None

    def doubt(
        self,
        compared: Compared,
        sent: Sequence[Tensor],
        drawn: Drawn | None = None,
    ) -> Tensor:
        """How little the critic takes the syntheses for photographs: a scalar, with gradients to them.

        Args:
            compared: features of photographs and syntheses; kept for `step`.
            sent: as wisp.train.critic.condition_of.
            drawn: more syntheses, cut by the same shift.
        """
        condition = condition_of(sent, self.stride, compared.shift)
        made, of = compared.found, condition
        x, x_hat = compared.pictures
        if drawn is not None:
            made = tuple(torch.cat(pair) for pair in zip(made, drawn.features, strict=True))
            of = torch.cat([of, condition_of(drawn.sent, self.stride, compared.shift)])
            x_hat = torch.cat([x_hat, drawn.pictures.to(x_hat.dtype)])
        self._seen = (compared.wanted, condition, x), (tuple(f.detach() for f in made), of, x_hat.detach())
        with self._reduced():
            return -torch.stack([logits.mean() for logits in self.critic(made, of, x_hat)]).mean()

    def _reduced(self) -> torch.autocast:
        """Convolutions in bfloat16; logits are float32."""
        return torch.autocast(device_type=self.device.type, dtype=torch.bfloat16)

    def step(self) -> dict[str, float]:
        """One step of the critic on what `doubt` saw last, if anything; its hinge loss (Lim and Ye 2017) by name."""
        if self._seen is None:
            return {}
        with self._reduced():
            real, made = (self.critic(*judged) for judged in self._seen)
        loss = torch.stack(
            [F.relu(1 - r).mean() + F.relu(1 + m).mean() for r, m in zip(real, made, strict=True)]
        ).mean()
        self.optimizer.zero_grad(set_to_none=True)  # also what the synthesis' step left behind
        loss.backward()
        parallel.average_gradients(self.critic.parameters())
        nn.utils.clip_grad_norm_(self.critic.parameters(), 10.0)
        self.optimizer.step()
        self._seen = None
        return {"critic": float(loss.detach())}

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {"critic": self.critic.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.critic.load_state_dict(state["critic"])
        self.optimizer.load_state_dict(state["optimizer"])
