"""The rate term with what trains its prior: an optimiser of its own, beside the transforms'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wisp.train import parallel
from wisp.train.quantizer import QuantizedLevel
from wisp.train.rate_term import LEARNING_RATE, RateTerm
from wisp.train.recipe import ModelConfig


class RateTraining:
    """A rate term whose prior takes one step of its own after each step of the transforms."""

    def __init__(self, config: ModelConfig, device: torch.device) -> None:
        self.term = RateTerm(config).to(device)
        parallel.follow_first(self.term.parameters())
        self.optimizer = torch.optim.AdamW(
            self.term.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01
        )
        self._loss: Tensor | None = None

    def bits(self, levels: Sequence[QuantizedLevel], quantizers: nn.ModuleList, depth: Tensor) -> Tensor:
        """Bits of each crop (B,), float32; as RateTerm. The prior's loss is kept for `step`."""
        bits, self._loss = self.term(levels, quantizers, depth)
        return bits

    def step(self) -> dict[str, float]:
        """One step of the prior on the batch that `bits` saw last, if there is one; its loss by name."""
        if self._loss is None or not self._loss.requires_grad:
            return {}
        self.optimizer.zero_grad(set_to_none=True)
        self._loss.backward()
        for parameter in self.term.parameters():  # every process averages the same list
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        parallel.average_gradients(self.term.parameters())
        nn.utils.clip_grad_norm_(self.term.parameters(), 1.0)
        self.optimizer.step()
        nats, self._loss = float(self._loss.detach()), None
        return {"prior": nats}

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {"term": self.term.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.term.load_state_dict(state["term"])
        self.optimizer.load_state_dict(state["optimizer"])
