"""Count the grain maps that a bundle's writer chooses, and give the bundle a table of them: grain.npz.

What a map costs depends on the table, and what the writer chooses on what it costs, so they are fitted in turn. Such a
table is a part of the model: files written before are not read with it, so it takes a model number of its own.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.information import depths_by_ratio, patch_entropies
from wisp.allocation.lagrange import grain_bits
from wisp.atomic import write_bytes_atomic
from wisp.codecs.grain_coding import MapCoder
from wisp.codecs.registry import refuse_released
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import unpack_file
from wisp.errors import BudgetError, ModelMismatch, UsageError
from wisp.imaging import to_picture
from wisp.rate import Target
from wisp.runtime import CONFIG_NAME, GRAIN_NAME, Bundle
from wisp.train.dataset import load_photographs
from wisp.train.export import write_config
from wisp.train.fit_allocation import fit_grain_logits
from wisp.train.shared_files import refuse_keeper

LOWEST_BPP, HIGHEST_BPP = 0.004, 0.25
FILES = 4  # of a photograph, at rates evenly drawn over the logarithm
HELD_OUT = 10  # every 10th photograph is only measured
BY_HAND = 8  # every 8th one's map by shares of its area counts too, as people give them
CONCENTRATION = 0.3  # of the shares: mostly of one level or two
MIN_SIDE = 64


@dataclass(frozen=True)
class GrainReport:
    """Bits a region on held-out photographs: with the table before, and with each round's."""

    before: float
    after: tuple[float, ...]


def train_grain(
    folder: Path,
    data: Path,
    photographs: int,
    rounds: int = 2,
    *,
    threads: int | None = None,
    seed: int = 0,
    note: Callable[[str], None] = lambda text: None,
) -> GrainReport:
    """Fit the table of the bundle in `folder` to files of `photographs` of those under `data`; written at the end.

    Args:
        rounds: of writing and counting; each writes 4 files of every photograph at the usual effort.

    Raises:
        ModelError: the bundle cannot be used.
        UsageError: it has no depth for each region, its number is a release's, another bundle has files in it, there
            are too few photographs, or the table that was counted is no better.
    """
    bundle = _bundle(folder, threads)
    config = bundle.config
    if config.latent or config.grain != "map":
        raise UsageError(
            f"expected a model with a depth for each region, found {config.name}, which has no grain maps to count"
        )
    refuse_released(config.model_number)
    refuse_keeper(folder)
    pictures = load_photographs(data, MIN_SIDE)
    used = min(photographs, len(pictures))
    pictures = [pictures[i * len(pictures) // used] for i in range(used)]
    count = sum(config.groups)
    by_hand = maps_by_hand(pictures, config.groups, config.strides[0], seed)
    before, after = math.nan, []
    for number in range(rounds):
        maps = [many + by_hand[place] for place, many in enumerate(_maps(bundle, pictures, seed, note))]
        kept = [grain for place, many in enumerate(maps) if place % HELD_OUT for grain in many]
        held = [grain for place, many in enumerate(maps) if not place % HELD_OUT for grain in many]
        if not kept or not held:
            raise UsageError(f"expected more photographs than one under {data}, found too few to count maps")
        if not number:
            before = _mean_bits(bundle.tables["grain"], held, count)
        logits = fit_grain_logits(kept, count)
        after.append(_mean_bits(logits, held, count))
        if after[0] >= before:
            raise UsageError(
                f"expected maps that cost less than {before:.3f} bits a region, found {after[0]:.3f}; count more "
                "photographs"
            )
        bundle = _bundle(folder, threads, logits)
        note(f"round {number + 1}: {after[-1]:.3f} bits a region")
    stream = io.BytesIO()
    np.savez(stream, grain=bundle.tables["grain"])
    write_bytes_atomic(folder / GRAIN_NAME, stream.getvalue())
    write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
    return GrainReport(before, tuple(after))


def _bundle(folder: Path, threads: int | None, logits: NDArray[np.int16] | None = None) -> Bundle:
    """The bundle with other grain logits, or with those of tables.npz where its grain.npz is not what it lists."""
    bundle = Bundle(folder, threads)
    if GRAIN_NAME in bundle.config.files:
        try:
            bundle.content(GRAIN_NAME)
        except ModelMismatch:  # counting was stopped at its last step
            del bundle.config.files[GRAIN_NAME]
    if logits is not None:
        bundle.tables = bundle.tables | {"grain": logits}
    return bundle


def _maps(
    bundle: Bundle, pictures: list[NDArray[np.uint8]], seed: int, note: Callable[[str], None]
) -> list[list[NDArray[np.uint8]]]:
    """Grain maps (rows, columns) of each picture's files."""
    codec = TokenPyramidCodec(bundle)
    random = np.random.default_rng(seed)
    found: list[list[NDArray[np.uint8]]] = []
    for number, pixels in enumerate(pictures):
        if number % 50 == 0:
            note(f"files of {number} of {len(pictures)} photographs")
        found.append([])
        for bpp in np.exp(random.uniform(math.log(LOWEST_BPP), math.log(HIGHEST_BPP), FILES)):
            try:
                data = codec.compress(to_picture(pixels), Target(bpp=float(bpp)))
            except BudgetError:  # too small a picture for so few bits a pixel
                continue
            found[-1].append(codec.decode(unpack_file(data))[0].grain_map)
    return found


def maps_by_hand(
    pictures: list[NDArray[np.uint8]], groups: Sequence[int], side: int, seed: int
) -> list[list[NDArray[np.uint8]]]:
    """Of every 8th picture one grain map (rows, columns) by random shares of its area (wisp.codecs.by_hand)."""
    random = np.random.default_rng(seed)
    ends = [int(end) for end in np.cumsum(groups)][::-1]
    found: list[list[NDArray[np.uint8]]] = [[] for _ in pictures]
    for place in range(BY_HAND // 2, len(pictures), BY_HAND):
        shares = random.dirichlet([CONCENTRATION] * len(ends)).tolist()
        found[place].append(depths_by_ratio(patch_entropies(pictures[place], side), shares, ends))
    return found


def _mean_bits(logits: NDArray[np.int16], maps: list[NDArray[np.uint8]], count: int) -> float:
    bits = MapCoder(logits.astype(np.int16), count).bits
    total = sum(float(grain_bits(grain, bits).sum()) for grain in maps)
    return total / max(1, sum(grain.size for grain in maps))
