"""Fitting the integer context tables to the tokens of training photographs.

Every token's logits are a bias plus one row of each context table. The tables start at smoothed counts
(the log-ratio of conditional to marginal), are improved together by gradient descent on the code length,
and are rounded to sixteenths of a nat. A held-out tenth of the pictures says what each group really costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wisp.entropy.context_tables import GroupTables
from wisp.tokens.contexts import Context, context_values
from wisp.tokens.pyramid import TokenPyramid

BATCH = 8192
MAX_TOKENS = 2_500_000
HELD_OUT = 10  # every tenth picture
UNITS = 16  # table units per nat


@dataclass(frozen=True)
class FittedGroup:
    """Tables of one place of the order, and bits a token on held-out pictures: marginal and with contexts."""

    tables: GroupTables
    marginal_bits: float
    context_bits: float


def candidate_contexts(
    level: int,
    group: int,
    groups: Sequence[int],
    same_contexts: int | None = None,
    routed: bool = False,
) -> tuple[Context, ...]:
    """Earlier groups at the same position; the two first groups of the next coarser level, with phase.

    Of the same position at most `same_contexts`, the nearest in the order. In a routed pyramid nothing coarser is sent
    where the group is.
    """
    first = 0 if same_contexts is None else max(0, group - same_contexts)
    same = [Context(level, g) for g in range(first, group)]
    coarser = [Context(level - 1, g, phase=True) for g in range(min(2, groups[level - 1]))] if level else []
    return tuple(same if routed else same + coarser)


def _gather(
    pyramids: Sequence[TokenPyramid], level: int, group: int, contexts: Sequence[Context]
) -> tuple[NDArray[np.uint8], list[NDArray[np.int32]]]:
    masks = [p.sent(sum(p.shape.groups[:level]) + group, level) for p in pyramids]
    tokens = np.concatenate([p.planes[level][group][m] for p, m in zip(pyramids, masks, strict=True)])
    values = [
        np.concatenate(
            [context_values(p, level, c)[m].astype(np.int32) for p, m in zip(pyramids, masks, strict=True)]
        )
        for c in contexts
    ]
    return tokens, values


def _count_start(
    tokens: NDArray[np.uint8], values: NDArray[np.int32], rows: int, bias: NDArray[np.float32]
) -> torch.Tensor:
    """Shrunken log-ratio of conditional to marginal, from counts."""
    joint = np.bincount(values.astype(np.int64) * 256 + tokens, minlength=rows * 256).reshape(rows, 256)
    marginal = np.exp(bias)
    strength = 200.0  # pseudo-counts spread as the marginal
    conditional = (joint + strength * marginal) / (joint.sum(1, keepdims=True) + strength)
    return torch.from_numpy((np.log(conditional) - bias).astype(np.float32))


def fit_group(
    train: Sequence[TokenPyramid],
    held: Sequence[TokenPyramid],
    level: int,
    group: int,
    contexts: Sequence[Context],
    seed: int = 0,
) -> FittedGroup:
    """Fit one place of the order."""
    tokens, values = _gather(train, level, group, contexts)
    held_tokens, held_values = _gather(held, level, group, contexts)
    if not len(held_tokens):  # a few pictures of which none was sent at this level
        held_tokens, held_values = tokens, values
    counts = np.bincount(tokens, minlength=256) + 1.0
    bias = np.log(counts / counts.sum()).astype(np.float32)
    marginal_bits = float(-(bias[held_tokens] / np.log(2)).mean())
    shape = train[0].shape
    rows = [c.num_values(shape.fold(level) // shape.fold(c.level)) for c in contexts]
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(tokens))[:MAX_TOKENS]
    parts: list[torch.Tensor] = [torch.from_numpy(bias)]
    for value, count in zip(values, rows, strict=True):
        parts.append(_count_start(tokens, value, count, bias) / max(1, len(rows)) ** 0.5)
    if contexts:
        _descend(parts, tokens[chosen], [v[chosen] for v in values])
    integer = [np.rint(p.numpy() * UNITS) for p in parts]
    tables = GroupTables(
        np.clip(integer[0], -16000, 16000).astype(np.int16),
        tuple(np.clip(t, -127, 127).astype(np.int8) for t in integer[1:]),
    )
    if contexts:
        bits = float(tables.estimated_bits(held_tokens, [v.astype(np.intp) for v in held_values]).mean())
    else:
        freqs = tables.frequencies([], 1)[0].astype(np.float64)
        bits = float((16 - np.log2(freqs))[held_tokens].mean())
    return FittedGroup(tables, marginal_bits, bits)


def _descend(parts: list[torch.Tensor], tokens: NDArray[np.uint8], values: list[NDArray[np.int32]]) -> None:
    """One pass of Adam over the tokens, in place; the step falls linearly to zero."""
    for part in parts:
        part.requires_grad_(True)
    optimizer = torch.optim.Adam(parts, lr=0.02, betas=(0.9, 0.99), eps=1e-6)
    targets = torch.from_numpy(tokens.astype(np.int64))
    rows = [torch.from_numpy(v.astype(np.int64)) for v in values]
    steps = max(1, len(targets) // BATCH)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / steps)
        span = slice(step * BATCH, (step + 1) * BATCH)
        logits = parts[0].expand(len(targets[span]), -1)
        for table, row in zip(parts[1:], rows, strict=True):
            logits = logits + torch.nn.functional.embedding(row[span], table)
        loss = torch.nn.functional.cross_entropy(logits, targets[span])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    for part in parts:
        part.requires_grad_(False)


def split(pyramids: Sequence[TokenPyramid]) -> tuple[list[TokenPyramid], list[TokenPyramid]]:
    """Training pictures, and the held-out tenth."""
    train = [p for i, p in enumerate(pyramids) if i % HELD_OUT]
    return train, [p for i, p in enumerate(pyramids) if not i % HELD_OUT]
