"""Training of a token pyramid: the loop's stages with quantizers, frozen tokens and a preview by depths."""

from __future__ import annotations

from torch import Tensor, nn

from wisp.runtime.bundle import Bundle
from wisp.train.drawn_tokens import drawn_tokens
from wisp.train.from_bundle import network_of_bundle
from wisp.train.loop import Trainer
from wisp.train.objective import Objective
from wisp.train.preview import preview_depths, preview_psnr
from wisp.train.principal_start import start_at_principal_components
from wisp.train.pyramids import PyramidNetwork, new_network
from wisp.train.quantizer import OrderedQuantizer
from wisp.train.recipe import Recipe, StageConfig
from wisp.train.run_options import RunOptions


class PyramidTrainer(Trainer):
    """One run of a token pyramid's recipe."""

    recipe: Recipe
    model: PyramidNetwork
    average: PyramidNetwork
    objective: Objective

    def __init__(self, recipe: Recipe, options: RunOptions) -> None:
        super().__init__(recipe, options)
        if self.objective.drawn is not None:
            self.objective.drawn.check(self.model)

    def new_network(self) -> nn.Module:
        """A random network, or that of the bundle to start from."""
        if self.options.start is not None:
            return network_of_bundle(Bundle(self.options.start), self.recipe.model)
        return new_network(self.recipe.model)

    def new_objective(self) -> Objective:
        """The loss whose formula stands with StageConfig."""
        bundle = None if self.options.start is None else Bundle(self.options.start)
        drawn = drawn_tokens(self.recipe, bundle, self.options.resume)
        return Objective(self.recipe, self.options.weights, self.device, drawn)

    def look_at_crops(self) -> None:
        """Start heads at principal components."""
        start_at_principal_components(self.model, self.sampler)

    def select(self, stage: StageConfig) -> None:
        """All of the model, or the synthesis alone when tokens are frozen."""
        self.model.requires_grad_(not stage.frozen_tokens)
        self.model.synthesis.requires_grad_(True)
        for quantizer in self.model.quantizers:
            assert isinstance(quantizer, OrderedQuantizer)
            quantizer.price = stage.codeword_price

    def ready(self, stage: StageConfig) -> None:
        """Training mode, but for what makes frozen tokens."""
        self.model.train()
        if stage.frozen_tokens:
            self.model.quantizers.eval()
            self.model.heads.eval()

    def own_buffers(self) -> tuple[Tensor, ...]:
        """Codebooks and the scales of latents."""
        return (*self.model.quantizers.buffers(), *self.model.heads.buffers())

    def begin(self, following: StageConfig) -> None:
        """Before tokens are frozen, round what makes them to what a bundle holds."""
        if following.frozen_tokens:
            self.model.settle()
            # the codebooks belong to the current analysis, not to the average
            self.average.load_state_dict(self.model.state_dict())

    def preview_psnr(self, stage: StageConfig) -> dict[str, float] | None:
        """By depth; while tokens still move, the codebooks belong to the current weights and not to their average."""
        if not stage.quantized:
            return None
        shown = self.average if stage.frozen_tokens else self.model
        return preview_psnr(shown, self.preview, preview_depths(self.recipe.model.groups))
