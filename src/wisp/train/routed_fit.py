"""What a routed bundle's tables are fitted to: tokens at the level where they are sent, and maps as they are chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import region_distortions, region_weights
from wisp.allocation.information import patch_entropies
from wisp.allocation.lagrange import Demand, grain_bits
from wisp.allocation.levels import by_level, level_curve
from wisp.codecs.huffman_entropy import SHELF, indices_of
from wisp.codecs.proposal import Proposal
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.codecs.pyramid_networks import Analysed, synthesise
from wisp.entropy.huffman import code_lengths
from wisp.runtime import Bundle
from wisp.tokens.pyramid import TokenPyramid
from wisp.train.fit_allocation import fit_grain_logits, initial_grain_logits, maps_at_many_budgets
from wisp.train.routing import routed_map

MASKING = 0.5
SHELVES = 4


def route_at_random(
    pyramids: Sequence[TokenPyramid], photographs: Sequence[NDArray[np.uint8]], seed: int = 0
) -> list[TokenPyramid]:
    """The pyramids under maps of random shares, regions ranked by entropy."""
    random = np.random.default_rng(seed)
    routed = []
    for pyramid, pixels in zip(pyramids, photographs, strict=True):
        entropies = patch_entropies(pixels, pyramid.shape.strides[0])
        routed.append(replace(pyramid, grain_map=routed_map(entropies, pyramid.shape, random)))
    return routed


def huffman_lengths(pyramids: Sequence[TokenPyramid]) -> NDArray[np.uint8]:
    """(1024,) lengths of the code for the indices that are sent, each counted once (the paper counts areas)."""
    counts = np.ones(SHELVES * SHELF, np.int64)
    for pyramid in pyramids:
        for place, level, group in pyramid.shape.order():
            if not group:
                sent = indices_of(pyramid, level)[pyramid.sent(place, level)]
                counts += np.bincount(sent, minlength=len(counts))
    return code_lengths(counts)


def fit_routed_allocation(
    bundle: Bundle,
    analyses: Sequence[tuple[NDArray[np.uint8], Analysed]],
    routed: Sequence[TokenPyramid],
    tables: dict[str, NDArray[Any]],
    note: Callable[[str], None],
) -> None:
    """Put the logits of the grain map into `tables`: half from maps of the allocation, half from maps by entropy."""
    config = bundle.config
    count, side = len(config.groups), config.strides[0]
    tables["grain"] = initial_grain_logits(count)
    curves = []
    for pixels, analysed in analyses:
        found = {}
        for level in range(1, count + 1):
            tokens = replace(analysed.tokens, grain_map=np.full_like(analysed.tokens.grain_map, level))
            found[level] = region_distortions(pixels, synthesise(bundle, tokens), side)
        curves.append(level_curve(found, side) * region_weights(pixels, MASKING, side))
    maps: list[NDArray[np.uint8]] = []
    for _ in range(2):
        model = PyramidEntropyModel(tables, config.contexts, config.groups, config.strides, config.grain)
        proposals = []
        for (_, analysed), curve in zip(analyses, curves, strict=True):
            demand = Demand(curve, model.token_bits(analysed.tokens), model.grain_bits)
            proposals.append(Proposal(0, analysed, by_level(demand, config.groups), curve))
        maps = maps_at_many_budgets(proposals, model.grain_bits)
        tables["grain"] = fit_grain_logits([*maps, *(p.grain_map for p in routed[: len(maps)])], count)
    model = PyramidEntropyModel(tables, config.contexts, config.groups, config.strides, config.grain)
    note(f"grain map: {np.mean([grain_bits(m, model.grain_bits).mean() for m in maps]):.2f} bits a region")
