"""From a budget to a grain map: each bit goes where it lowers the distortion most.

For a price `lmbda` in distortion per bit, every region takes the depth that minimises

    cost = distortion + lmbda * (token bits + grain map bits).

Raising the price shortens the file, so a bisection over the price meets any budget; what is then left over
is spent on single steps, best benefit per bit first (Shoham & Gersho 1988, with a greedy end). Ties
go to the smaller depth, then to the earlier region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
DepthArray = NDArray[np.uint8]

MIN_DEPTH = 1
BISECTIONS = 28
GUESSES = 12  # halvings of the exponent without the grain map; from 24 decades to a fiftieth of one
CHEAP, DEAR = 1e-12, 1e12  # all prices lie between
CLOSE = 1.003  # prices so close give maps that differ in single regions
SWEEPS = 2
SINGLES = 24  # single steps tried once no run of them fits


@dataclass(frozen=True)
class Demand:
    """What the regions of one picture would gain and cost.

    Attributes:
        distortions: (N + 1, rows, cols); entry d is the region's distortion when d groups are sent. Falls with d.
        token_bits: (N, rows, cols); entry p is what group p of the order costs in the region.
        map_bits: (N + 1, N + 1, N) bits of a grain symbol, indexed [left depth, upper depth, depth - 1].
    """

    distortions: FloatArray
    token_bits: FloatArray
    map_bits: FloatArray

    @property
    def num_groups(self) -> int:
        """Length of the order."""
        return len(self.token_bits)

    def cumulative_bits(self) -> FloatArray:
        """(N + 1, rows, cols): token bits of the first d groups."""
        zero = np.zeros((1, *self.token_bits.shape[1:]))
        return np.concatenate([zero, np.cumsum(self.token_bits, 0)])

    def total_bits(self, depths: DepthArray, cumulative: FloatArray) -> float:
        """Bits of all tokens and of the grain map itself."""
        tokens = np.take_along_axis(cumulative, depths[None].astype(np.intp), 0).sum()
        return float(tokens + grain_bits(depths, self.map_bits).sum())


def neighbours(depths: DepthArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Depths to the left of and above each region, 0 outside; (rows, cols) each."""
    padded = np.pad(depths.astype(np.intp), ((1, 0), (1, 0)))
    return padded[1:, :-1], padded[:-1, 1:]


def grain_bits(depths: DepthArray, map_bits: FloatArray) -> FloatArray:
    """(rows, cols): bits of each region's own symbol in the grain map."""
    left, up = neighbours(depths)
    out: FloatArray = map_bits[left, up, depths.astype(np.intp) - 1]
    return out


def map_costs(depths: DepthArray, map_bits: FloatArray) -> FloatArray:
    """(N, rows, cols): bits that the grain map costs at and around a region, for each depth 1..N it may take."""
    left, up = neighbours(depths)
    symbols = depths.astype(np.intp) - 1
    costs = np.moveaxis(map_bits[left, up], -1, 0).copy()
    for depth in range(1, len(map_bits)):
        costs[depth - 1, :, :-1] += map_bits[depth, up[:, 1:], symbols[:, 1:]]  # as left neighbour
        costs[depth - 1, :-1, :] += map_bits[left[1:], depth, symbols[1:]]  # as upper neighbour
    return costs


NEAR = 0.998  # of the budget: single regions take the rest


def choose_depths(
    demand: Demand, cumulative: FloatArray, lmbda: float, start: DepthArray | None = None
) -> DepthArray:
    """Depths (rows, cols) uint8, 1..N, that minimise distortion + lmbda * bits.

    The grain map ties neighbours together; half of the regions (as on a chessboard) choose at a time, each
    knowing its neighbours, for a fixed number of sweeps.
    """
    base = demand.distortions[MIN_DEPTH:] + lmbda * cumulative[MIN_DEPTH:]
    depths = (base.argmin(0) + MIN_DEPTH).astype(np.uint8) if start is None else start.copy()
    rows, columns = np.indices(depths.shape)
    for sweep in range(2 * SWEEPS):
        best = (base + lmbda * map_costs(depths, demand.map_bits)).argmin(0) + MIN_DEPTH
        turn = (rows + columns) % 2 == sweep % 2
        depths[turn] = best[turn]
    return depths


def allocate(demand: Demand, budget_bits: float) -> DepthArray:
    """The grain map that spends at most `budget_bits` best.

    Returns:
        (rows, cols) uint8 depths, 1..N. When even the smallest map costs more than the budget, the
        smallest map is returned, and the caller sees from its size that the budget cannot be met.
    """
    cumulative = demand.cumulative_bits()

    def price(depths: DepthArray) -> float:
        return demand.total_bits(depths, cumulative)

    smallest = np.full(demand.token_bits.shape[1:], MIN_DEPTH, np.uint8)
    if price(smallest) > budget_bits:
        return smallest
    best = smallest
    low, high = CHEAP, DEAR
    lmbda = _guess(demand, cumulative, budget_bits, price)
    stride = 1.1
    for _ in range(BISECTIONS):
        depths = choose_depths(demand, cumulative, lmbda)
        spent = price(depths)
        if spent <= budget_bits:
            best, high = depths, lmbda
            if spent >= NEAR * budget_bits:
                break
        else:
            low = lmbda
        if high < CLOSE * low:
            break
        if low > CHEAP and high < DEAR:
            lmbda = float(np.sqrt(low * high))
        else:  # not yet between two prices: ever longer steps from the guess
            lmbda = min(low * stride, DEAR) if low > CHEAP else max(high / stride, CHEAP)
            stride *= stride
    return spend_rest(demand, cumulative, best, budget_bits, price)


def _guess(
    demand: Demand, cumulative: FloatArray, budget_bits: float, price: Callable[[DepthArray], float]
) -> float:
    """About the price at which the budget is spent: each region chooses as if the grain map were free."""
    low, high = CHEAP, DEAR
    for _ in range(GUESSES):
        lmbda = float(np.sqrt(low * high))
        base = demand.distortions[MIN_DEPTH:] + lmbda * cumulative[MIN_DEPTH:]
        if price((base.argmin(0) + MIN_DEPTH).astype(np.uint8)) <= budget_bits:
            high = lmbda
        else:
            low = lmbda
    return float(np.sqrt(low * high))


def spend_rest(
    demand: Demand,
    cumulative: FloatArray,
    depths: DepthArray,
    budget_bits: float,
    price: Callable[[DepthArray], float],
) -> DepthArray:
    """Deepen single regions, best benefit per bit first, while they fit and while they help."""
    n = demand.num_groups
    for _ in range(24):
        here = depths[None].astype(np.intp)
        after = np.minimum(here + 1, n)
        gain = (
            np.take_along_axis(demand.distortions, here, 0) - np.take_along_axis(demand.distortions, after, 0)
        )[0]
        cost = (np.take_along_axis(cumulative, after, 0) - np.take_along_axis(cumulative, here, 0))[0]
        useful = (depths < n) & (gain > 0)
        if not useful.any():
            return depths
        rate = np.where(useful, gain / np.maximum(cost, 1e-9), -np.inf).ravel()
        order = np.argsort(-rate, kind="stable")[: int(useful.sum())]
        left = budget_bits - price(depths)
        order = order[cost.ravel()[order] <= left]
        if not len(order):
            return depths
        longer = _longest_that_fits(depths, order, cost.ravel(), left, budget_bits, price)
        if longer is None:
            return depths
        depths = longer
    return depths


def _longest_that_fits(
    depths: DepthArray,
    order: NDArray[np.intp],
    cost: FloatArray,
    left: float,
    budget_bits: float,
    price: Callable[[DepthArray], float],
) -> DepthArray | None:
    """As many of the steps in `order` as the budget takes; else the first single one that fits; else None."""
    taken = max(1, int(np.searchsorted(np.cumsum(cost[order]), 0.9 * left, "right")))
    runs = [order[: max(1, taken >> halving)] for halving in range(taken.bit_length())]
    for chosen in (*runs, *(order[i : i + 1] for i in range(1, min(len(order), SINGLES)))):
        trial = depths.copy()
        trial.ravel()[chosen] += 1
        if price(trial) <= budget_bits:
            return trial
    return None


def shrink(demand: Demand, depths: DepthArray, num_regions: int) -> DepthArray:
    """Take one step back in the `num_regions` regions that lose least per bit; for a file a byte too long."""
    cumulative = demand.cumulative_bits()
    here = depths[None].astype(np.intp)
    before = np.maximum(here - 1, MIN_DEPTH)
    loss = (
        np.take_along_axis(demand.distortions, before, 0) - np.take_along_axis(demand.distortions, here, 0)
    )[0]
    saved = (np.take_along_axis(cumulative, here, 0) - np.take_along_axis(cumulative, before, 0))[0]
    rate = np.where(depths > MIN_DEPTH, loss / np.maximum(saved, 1e-9), np.inf).ravel()
    order = np.argsort(rate, kind="stable")[:num_regions]
    smaller = depths.copy()
    chosen = order[np.isfinite(rate[order])]
    smaller.ravel()[chosen] -= 1
    return smaller
