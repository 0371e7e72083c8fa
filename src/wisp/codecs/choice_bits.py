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


def depth_bits(model: PyramidEntropyModel, analysed: Analysed) -> NDArray[np.float64]:
    """(N, rows, cols): what each depth costs more than the one before, nowhere less than nothing.

    Of tokens that are prefixes of one another, the bits of each group.
    """
    if not analysed.choices:
        return model.token_bits(analysed.tokens)
    shape = analysed.tokens.shape
    full = list(analysed.tokens.planes)
    whole, coarser = [], np.zeros((shape.rows, shape.columns))
    before = 0
    for level, (groups, choices) in enumerate(zip(shape.groups, analysed.choices, strict=True)):
        for sent in range(1, groups + 1):
            first = sent * (sent - 1) // 2
            own = np.concatenate([choices[first : first + sent], full[level][sent:]])
            pyramid = replace(analysed.tokens, planes=(*full[:level], own, *full[level + 1 :]))
            bits = [model.group_bits(pyramid, before + group, level, group) for group in range(sent)]
            whole.append(coarser + np.sum(bits, axis=0))
        coarser = whole[-1]
        before += groups
    return np.diff(np.maximum.accumulate(np.stack(whole), 0), axis=0, prepend=0)
