"""Where a prior's networks look: small windows with halos around what is wanted, several at once.

    +--- band of rows ----------------------------+
    |  [piece][piece]        [piece]              |   pieces cover the columns in use
    +---------------------------------------------+

Small windows stay in a processor's cache, and their memory is bounded. The networks compute with integers, so where
a window begins changes no result (docs/format.md, section 5.8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from threading import Lock, Thread
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

BAND = 1 << 16  # positions of a band at most, where a picture is so wide: their logits are in memory together

Features = Callable[[slice, slice], NDArray[np.float32]]
_Piece = tuple[slice, slice]
_Found = tuple[NDArray[np.int64], NDArray[np.float32]]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Band:
    """Whole rows of a plane, and the pieces (rows, columns) of them in which something is wanted."""

    rows: slice
    pieces: tuple[_Piece, ...]


def bands_of(turn: NDArray[np.bool_], window: int, halo: int) -> Iterator[Band]:
    """The bands of a mask (h, w) with something in them; their pieces are about `window` positions or fewer.

    Pieces whose halos would overlap are one, unless they are long. A small picture is one piece, also for several
    threads: what its halves would repeat, and Python's threads, cost more than they save.
    """
    rows, columns = np.flatnonzero(turn.any(1)), np.flatnonzero(turn.any(0))
    width = int(columns[-1] + 1 - columns[0])
    side = isqrt(window)
    step = max(1, min(window // min(side, width), 2 * side, BAND // width))
    for top in range(int(rows[0]), int(rows[-1]) + 1, step):
        band = slice(top, min(top + step, int(rows[-1]) + 1))
        used = np.flatnonzero(turn[band].any(0))
        if not len(used):
            continue
        pieces = []
        for run in np.split(used, np.flatnonzero(np.diff(used) > 2 * halo) + 1):
            start, stop = int(run[0]), int(run[-1]) + 1
            count = -(-(stop - start) // side)
            ends = [start + (stop - start) * i // count for i in range(count + 1)]
            for left, right in pairwise(ends):
                high = np.flatnonzero(turn[band, left:right].any(1))
                if len(high):
                    pieces.append((slice(top + int(high[0]), top + int(high[-1]) + 1), slice(left, right)))
        yield Band(band, tuple(pieces))


def chosen_features(
    turn: NDArray[np.bool_], band: Band, halo: int, features: Features, threads: int = 1
) -> NDArray[np.float32]:
    """(n, C) features of the band's positions in the mask, in raster order.

    Args:
        features: (rows, columns) of a window -> (h, w, C).
        threads: windows that are worked on at once.
    """
    numbers = turn[band.rows].cumsum().reshape(turn[band.rows].shape) - 1

    def look(piece: _Piece) -> _Found:
        rows, columns = piece
        top, left = max(0, rows.start - halo), max(0, columns.start - halo)
        seen = features(slice(top, rows.stop + halo), slice(left, columns.stop + halo))
        core = seen[rows.start - top :, columns.start - left :]
        wanted = turn[rows, columns]
        here = numbers[rows.start - band.rows.start : rows.stop - band.rows.start, columns]
        return here[wanted], core[: wanted.shape[0], : wanted.shape[1]][wanted]

    parts = at_once(look, band.pieces, threads)
    chosen = np.empty((int(turn[band.rows].sum()), parts[0][1].shape[1]), np.float32)
    for places, found in parts:
        chosen[places] = found
    return chosen


def at_once(work: Callable[[_Item], _Result], items: Sequence[_Item], threads: int) -> list[_Result]:
    """What `work` makes of each item, in their order, by so many threads, the caller's own among them.

    Not by a pool of concurrent.futures, which takes no work while the interpreter waits for its last threads.
    """
    results: dict[int, _Result] = {}
    faults: list[BaseException] = []
    left = iter(enumerate(items))
    lock = Lock()

    def help_out() -> None:
        while not faults:
            with lock:
                one = next(left, None)
            if one is None:
                return
            number, item = one
            try:
                result = work(item)
            except BaseException as fault:  # the caller's to raise
                faults.append(fault)
                return
            with lock:
                results[number] = result

    helpers = [Thread(target=help_out) for _ in range(min(threads, len(items)) - 1)]
    for helper in helpers:
        helper.start()
    help_out()
    for helper in helpers:
        helper.join()
    if faults:
        raise faults[0]
    return [results[number] for number in range(len(items))]
