"""The last bits of a budget: from a map whose cost is known to one that costs a little more or less.

    steps back, if bits are owed -> single steps forward -> exchanges: one region rises, another one sinks

Single steps leave up to the price of the cheapest one unspent. A rise and a fall together cost almost any number of
bits, so a few exchanges come as close as is wanted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import (
    MIN_DEPTH,
    Demand,
    DepthArray,
    FloatArray,
    map_costs,
    spend_rest,
)

EXCHANGES = 4
MOVES = 400  # rises, and as many falls, that are combined: the best of each kind
REACH = 3  # groups that a region rises or falls at once in an exchange
STEPS_BACK = 8

Price = Callable[[DepthArray], float]


def adjust(demand: Demand, depths: DepthArray, bits: float, slack: float) -> DepthArray:
    """A map that costs at most `bits` more than `depths`; where it can be had, more than `bits - slack`.

    Args:
        depths: (rows, cols) uint8, 1..N.
        bits: may be negative: so many are to be saved.
        slack: bits, at least 0.

    Returns:
        (rows, cols) uint8; `depths` itself if nothing can be gained.
    """
    cumulative = demand.cumulative_bits()

    def price(trial: DepthArray) -> float:
        return demand.total_bits(trial, cumulative)

    limit = price(depths) + bits
    if bits < 0:
        depths = _step_back(demand, cumulative, depths, limit, price)
    depths = spend_rest(demand, cumulative, depths, limit, price)
    for _ in range(EXCHANGES):
        left = limit - price(depths)
        better = _exchange(demand, cumulative, depths, left, slack) if left > slack else None
        if better is None or price(better) > limit:
            break
        depths = better
    return depths


def _step_back(
    demand: Demand, cumulative: FloatArray, depths: DepthArray, limit: float, price: Price
) -> DepthArray:
    """Single steps back where they lose least per bit, until the map costs at most `limit`."""
    for _ in range(STEPS_BACK):
        excess = price(depths) - limit
        if excess <= 0 or depths.max() <= MIN_DEPTH:
            break
        loss, saved = (-values for values in _changes(demand, cumulative, depths, -1))
        rate = np.where(depths > MIN_DEPTH, loss / np.maximum(saved, 1e-9), np.inf).ravel()
        order = np.argsort(rate, kind="stable")[: int((depths > MIN_DEPTH).sum())]
        count = int(np.searchsorted(np.cumsum(saved.ravel()[order]), excess)) + 1
        depths = depths.copy()
        depths.ravel()[order[:count]] -= 1
    return depths


def _exchange(
    demand: Demand, cumulative: FloatArray, depths: DepthArray, left: float, slack: float
) -> DepthArray | None:
    """The pair of a rise and a fall that gains most of those that cost left - slack .. left; None if none gains."""
    around = map_costs(depths, demand.map_bits)
    now = np.take_along_axis(around, depths[None].astype(np.intp) - 1, 0)[0]
    rises: list[NDArray[np.float64]] = []
    falls: list[NDArray[np.float64]] = []
    for change in (*range(-REACH, 0), *range(1, REACH + 1)):
        after = depths.astype(np.intp) + change
        lawful = (after >= MIN_DEPTH) & (after <= demand.num_groups)
        gain, cost = _changes(demand, cumulative, depths, change)
        at = np.clip(after, MIN_DEPTH, demand.num_groups)[None] - 1
        cost = cost + np.take_along_axis(around, at, 0)[0] - now
        chosen = np.flatnonzero(lawful & ((gain > 0) & (cost > 0) if change > 0 else cost < 0))
        moves = np.stack([chosen, np.full(len(chosen), change), gain.ravel()[chosen], cost.ravel()[chosen]])
        (rises if change > 0 else falls).append(moves)
    up, down = (_best_moves(np.concatenate(moves, 1)) for moves in (rises, falls))
    gains = up[2][:, None] + down[2]
    costs = up[3][:, None] + down[3]
    fits = (costs <= left) & (costs > left - slack) & (gains > 0) & (up[0][:, None] != down[0])
    if not fits.any():
        return None
    rise, fall = divmod(int(np.where(fits, gains, -np.inf).argmax()), gains.shape[1])
    trial = depths.astype(np.intp)
    for moves, chosen in ((up, rise), (down, fall)):
        trial.ravel()[int(moves[0, chosen])] += int(moves[1, chosen])
    return trial.astype(np.uint8)


def _best_moves(moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, n) regions, changes, gains, costs -> the MOVES of them that gain most, or lose least, for their bits."""
    rate = moves[2] / np.abs(moves[3])
    return moves[:, np.argsort(-rate, kind="stable")[:MOVES]]


def _changes(
    demand: Demand, cumulative: FloatArray, depths: DepthArray, change: int
) -> tuple[FloatArray, FloatArray]:
    """(rows, cols) distortion that a change of every depth saves, and token bits that it costs; cut to 1..N."""
    here = depths[None].astype(np.intp)
    after = np.clip(here + change, MIN_DEPTH, demand.num_groups)
    gain = np.take_along_axis(demand.distortions, here, 0) - np.take_along_axis(demand.distortions, after, 0)
    cost = np.take_along_axis(cumulative, after, 0) - np.take_along_axis(cumulative, here, 0)
    return gain[0], cost[0]
