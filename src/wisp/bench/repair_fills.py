"""The ways to fill lost regions that are compared, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.codecs import TokenPyramidCodec
from wisp.codecs.borrowed_detail import BorrowDetail
from wisp.codecs.prior_repair import PriorRepair
from wisp.codecs.repair import BlendNeighbours, LeaveOut, Repair
from wisp.errors import UsageError
from wisp.runtime.codebooks import read_codebooks
from wisp.tokens.pyramid import TokenPyramid

FILLS = (
    "mask_embedding",
    "marginal_mode",
    "neighbours",
    "prior",
    "prior_neighbours",
    "neighbours_detail",
    "prior_neighbours_detail",
)


class MarginalMode:
    """Every missing token of the coarsest level is the most frequent one of its place by the order-0 table."""

    def __init__(self, likeliest: Sequence[int]) -> None:
        self._likeliest = np.array(likeliest, np.uint8)

    def fill(self, pyramid: TokenPyramid, received: NDArray[np.bool_]) -> TokenPyramid:
        """All groups of the coarsest level in every missing region, nothing finer."""
        coarsest = np.where(received, pyramid.planes[0], self._likeliest[:, None, None])
        depths = np.where(received, pyramid.grain_map, len(self._likeliest)).astype(np.uint8)
        return replace(pyramid, planes=(coarsest, *pyramid.planes[1:]), grain_map=depths)


def fills_named(names: str, codec: TokenPyramidCodec) -> dict[str, Repair]:
    """Fills from a list with commas.

    Raises:
        UsageError: a name is unknown, or the model lacks a prior or codebooks.
    """
    chosen = list(dict.fromkeys(names.split(",")))
    for name in chosen:
        if name not in FILLS:
            raise UsageError(f"--fills: expected some of {', '.join(FILLS)}, found {name!r}")
    books, model = read_codebooks(codec.bundle), codec.prior_model
    if books is None or model is None:
        raise UsageError(
            f"expected a model with a masked prior and codebooks, found {codec.bundle.folder.name}; name another"
        )
    marginals = [codec.entropy_model.places[place].bias for place in range(len(books[0]))]
    neighbours, both = BlendNeighbours(books[0]), PriorRepair(model, books[0])
    made: dict[str, Repair] = {
        "mask_embedding": LeaveOut(),
        "marginal_mode": MarginalMode([int(bias.argmax()) for bias in marginals]),
        "neighbours": neighbours,
        "prior": PriorRepair(model, books[0], alone=True),
        "prior_neighbours": both,
        "neighbours_detail": BorrowDetail(neighbours),
        "prior_neighbours_detail": BorrowDetail(both),
    }
    return {name: made[name] for name in chosen}
