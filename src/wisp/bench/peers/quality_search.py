"""Turning a quality dial until the file just fits."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from wisp.bench.codec import Encoded, Unreachable

# How far above the bisected step to look: sizes may dip by a few bytes where a codec's tables change.
LOOK_AHEAD = 3


@dataclass(frozen=True)
class Candidate:
    """One file of the search: its bytes, and the setting that made it, for people to read."""

    data: bytes
    setting: str


def decode_with_pillow(data: bytes) -> Image.Image:
    """The file's picture as 8-bit RGB."""
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGB")


def fit_by_quality(
    encode: Callable[[int], Candidate],
    lowest: int,
    highest: int,
    budget_num_bytes: int,
    decode: Callable[[bytes], Image.Image] = decode_with_pillow,
) -> Encoded | Unreachable:
    """The largest file of at most `budget_num_bytes` bytes among the dial's steps `lowest`..`highest`.

    Bisection, which assumes that size grows with the dial, then the next few steps are tried too, since it
    only nearly does. Of two files of one size the higher step is taken.

    Args:
        encode: makes the file of a step; asked once for each step that the search needs.
        lowest: the dial's first step.
        highest: its last.
        budget_num_bytes: upper bound of the whole file, in bytes.
        decode: reads the best file's picture back, 8-bit RGB.
    """
    tried: dict[int, Candidate] = {}

    def at(step: int) -> Candidate:
        if step not in tried:
            tried[step] = encode(step)
        return tried[step]

    below, above = lowest - 1, highest + 1
    while above - below > 1:
        middle = (below + above) // 2
        if len(at(middle).data) <= budget_num_bytes:
            below = middle
        else:
            above = middle
    for step in range(above, min(above + LOOK_AHEAD, highest + 1)):
        at(step)
    sizes = [(len(candidate.data), step) for step, candidate in tried.items()]
    fitting = [pair for pair in sizes if pair[0] <= budget_num_bytes]
    if not fitting:
        return Unreachable(smallest_num_bytes=min(sizes)[0])
    best = tried[max(fitting)[1]]
    return Encoded(data_num_bytes=len(best.data), decoded=decode(best.data), setting=best.setting)
