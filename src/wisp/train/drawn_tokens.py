"""Tokens that were not sent, drawn from the prior while a synthesis trains on frozen tokens.

`--fill generate` shows a synthesis tokens that a prior made up (docs/generation.md). One that trained on true tokens
alone believes them all. Here some crops of a batch are filled the same way, by the reader's own sampler. There is no
photograph of what was made up, so pointwise losses would only teach to overlook it; the critic is asked whether it
looks like a photograph with what was sent.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from wisp.codecs.generation import check_generation, default_depth, generate, make_generation
from wisp.codecs.grain_coding import UNIFORM
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.errors import UsageError
from wisp.runtime.bundle import Bundle
from wisp.runtime.codebooks import read_codebooks
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.train.pyramids import PyramidNetwork
from wisp.train.quantizer import OrderedQuantizer, QuantizedLevel
from wisp.train.recipe import Recipe

COOLEST = 0.5  # temperatures from here to 1
DEEPER_SHARE = 0.5  # crops that are filled beyond the reader's default depth, where there is more


class DrawnTokens:
    """Fills crops from the prior of the bundle that a run started from."""

    def __init__(self, bundle: Bundle) -> None:
        """Of a bundle with a prior.

        Raises:
            UsageError: it has none, or is routed.
        """
        if not bundle.has_prior:
            raise UsageError(
                f"expected a bundle with a prior to draw tokens from, found none in {bundle.folder}; "
                "run wisp train-prior on it first"
            )
        check_generation(bundle, make_generation())
        prior = TokenPyramidCodec(bundle).prior_model
        assert prior is not None
        self._prior, self._bundle, self._config = prior, bundle, bundle.config

    def check(self, model: PyramidNetwork) -> None:
        """Whether a model's tokens are the bundle's, after a run was resumed.

        Raises:
            UsageError: they are not.
        """
        books = read_codebooks(self._bundle)
        assert books is not None
        for book, quantizer in zip(books, model.quantizers, strict=True):
            assert isinstance(quantizer, OrderedQuantizer)
            if not np.array_equal(book[:, :-1], quantizer.codebooks.cpu().numpy()):
                raise UsageError(
                    f"expected the bundle that the run began with, found another in {self._bundle.folder}; "
                    "give that one with --start"
                )

    def fill(
        self, model: PyramidNetwork, levels: list[QuantizedLevel], depth: Tensor, count: int
    ) -> tuple[list[QuantizedLevel], Tensor]:
        """The first `count` crops with drawn tokens where none were sent, and how deep they go, for `model.decode`.

        Args:
            levels: of all crops, coarsest first.
            depth: (B, rows, columns) int64, what is sent of them.
        """
        filled = [self._fill_one(levels, depth, crop) for crop in range(count)]
        deep = torch.stack([torch.from_numpy(pyramid.grain_map.astype(np.int64)) for pyramid in filled])
        drawn = []
        for i, (level, quantizer) in enumerate(zip(levels, model.quantizers, strict=True)):
            assert isinstance(quantizer, OrderedQuantizer)
            planes = np.stack([pyramid.planes[i] for pyramid in filled]).astype(np.int64)
            tokens = torch.from_numpy(planes).to(depth.device)  # (n, G, h, w)
            words = [quantizer.codebooks[group][tokens[:, group]] for group in range(quantizer.groups)]
            prefixes = torch.stack(words).cumsum(0).permute(0, 1, 4, 2, 3)
            drawn.append(
                replace(level, latent=prefixes[-1], prefixes=prefixes, tokens=tokens.permute(0, 2, 3, 1))
            )
        return drawn, deep.to(depth.device)

    def _fill_one(self, levels: list[QuantizedLevel], depth: Tensor, crop: int) -> TokenPyramid:
        planes = tuple(
            np.ascontiguousarray(level.tokens[crop].permute(2, 0, 1).cpu().numpy().astype(np.uint8))
            for level in levels
        )
        grain = depth[crop].cpu().numpy().astype(np.uint8)
        rows, columns = grain.shape
        shape = PyramidShape(rows, columns, self._config.strides, self._config.groups)
        deepest = default_depth(shape, grain, self._config.grain == UNIFORM)
        deeper = float(torch.rand(())) < DEEPER_SHARE or int(grain.min()) >= deepest
        if deeper and deepest < shape.num_groups:
            deepest = int(torch.randint(deepest + 1, shape.num_groups + 1, ()))
        temperature = COOLEST + (1 - COOLEST) * float(torch.rand(()))
        seed = int(torch.randint(1 << 62, ()))
        options = make_generation(seed, temperature, depth=deepest)
        return generate(self._prior, TokenPyramid(shape, planes, grain), options).pyramid


def drawn_tokens(recipe: Recipe, bundle: Bundle | None, resumed: bool = False) -> DrawnTokens | None:
    """What a recipe's `drawn_share` needs, if it has one.

    Raises:
        UsageError: the run does not start from a bundle whose prior knows these tokens, or the bundle has no prior.
    """
    if not any(stage.drawn_share for stage in recipe.stages):
        return None
    if bundle is None and resumed:
        raise UsageError(
            "expected the bundle that the run began with, for drawn_share, found none; give it with --start again"
        )
    if bundle is None or not all(stage.frozen_tokens for stage in recipe.stages):
        raise UsageError(
            "expected a run that starts from a bundle and leaves its tokens alone, for drawn_share, found another; "
            "train and export the tokens and their prior first, then start from that bundle"
        )
    return DrawnTokens(bundle)
