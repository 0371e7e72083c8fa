"""Tokens that were searched for, for each depth of a level by themselves.

A level of G groups then has G (G + 1) / 2 planes: the token of the depth that sends one group, the two of the depth
that sends two, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.tokens.pyramid import TokenPyramid


def first_choice(sent: NDArray[np.intp]) -> NDArray[np.intp]:
    """Numbers of the planes where the tokens of depths begin that send so many groups of the level, 1 or more."""
    return sent * (sent - 1) // 2


def chosen_at(
    full: TokenPyramid, choices: Sequence[NDArray[np.uint8]], grain_map: NDArray[np.uint8]
) -> TokenPyramid:
    """The tokens that are sent with a grain map (rows, cols); what is not sent is as in the full pyramid.

    Args:
        choices: for each level (G (G + 1) / 2, h, w); none where each prefix of the full tokens is what is sent.
    """
    if not choices:
        return replace(full, grain_map=grain_map)
    shape, before, planes = full.shape, 0, []
    for level, (groups, here) in enumerate(zip(shape.groups, choices, strict=True)):
        fold = shape.fold(level)
        sent = np.clip(grain_map.astype(np.intp) - before, 0, groups).repeat(fold, 0).repeat(fold, 1)
        number = np.arange(groups)[:, None, None]
        many = np.where(number < sent, sent, groups)
        planes.append(np.take_along_axis(here, first_choice(many) + number, 0))
        before += groups
    return replace(full, planes=tuple(planes), grain_map=grain_map)
