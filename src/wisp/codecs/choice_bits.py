"""What each depth of a region costs, where each has tokens of its own.

A pyramid's bits are those of its groups, one after another. Where tokens were searched for, a region that sends one
group more of a level sends other tokens of that level too; then what counts is the whole up to each depth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.codecs.pyramid_networks import Analysed
from wisp.tokens.pyramid import sum_over_regions


def depth_bits(model: PyramidEntropyModel, analysed: Analysed) -> NDArray[np.float64]:
    """(N, rows, cols): what each depth costs more than the one before, nowhere less than nothing.

    Of tokens that are prefixes of one another, the bits of each group.
    """
    if not analysed.choices:
        return model.token_bits(analysed.tokens)
    shape = analysed.tokens.shape
    whole, coarser = [], np.zeros((shape.rows, shape.columns))
    before = 0
    for level, groups in enumerate(shape.groups):
        for bits in _level_bits(model, analysed, level, before):
            whole.append(coarser + sum_over_regions(bits, shape.fold(level)))
        coarser = whole[-1]
        before += groups
    return np.diff(np.maximum.accumulate(np.stack(whole), 0), axis=0, prepend=0)


def _level_bits(
    model: PyramidEntropyModel, analysed: Analysed, level: int, before: int
) -> list[NDArray[np.float32]]:
    """(h, w) bits of a level's tokens where one group of it is sent, where two are, and so on.

    Where the first tokens of a choice are those of the next deeper one, so are their bits.
    """
    tokens, choices = analysed.tokens, analysed.choices[level]
    groups, full = tokens.shape.groups[level], tokens.planes[level]
    everywhere = np.ones(full.shape[1:], np.bool_)
    deeper, found = full, np.empty(full.shape, np.float32)
    sums = []
    for sent in range(groups, 0, -1):
        first = sent * (sent - 1) // 2
        own = np.concatenate([choices[first : first + sent], full[sent:]])
        pyramid = replace(tokens, planes=(*tokens.planes[:level], own, *tokens.planes[level + 1 :]))
        changed = np.logical_or.accumulate(own != deeper, 0)
        for group in range(sent):
            where = everywhere if sent == groups else changed[group]
            found[group][where] = model.position_bits(pyramid, before + group, level, group, where)
        sums.append(found[:sent].sum(0))
        deeper = own
    return sums[::-1]
