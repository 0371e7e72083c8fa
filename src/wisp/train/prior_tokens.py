"""Tokens of the training photographs, and grain maps as the allocation would choose them, kept in memory.

A prior is trained on an exported bundle: its analysis network gives the tokens (uint8, a few kilobytes a picture),
or its search, if it has one, those of each depth; and the allocation runs on the latent errors alone, without decoding
probes, at a few budgets drawn at random. With `cache` both are kept in a file, for the next run on the same bundle and
photographs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import latent_distortions, region_weights
from wisp.allocation.information import patch_entropies
from wisp.allocation.lagrange import Demand, allocate
from wisp.codecs.choice_bits import depth_bits
from wisp.codecs.grain_coding import ROUTED
from wisp.codecs.pyramid_networks import analyse
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.errors import UsageError
from wisp.runtime import GRAIN_NAME, SEARCH_NAME, Bundle
from wisp.tokens.choices import chosen_at
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.train.dataset import load_photographs
from wisp.train.routing import routed_map

MAPS = 4  # grain maps a picture
LOWEST_BPP, HIGHEST_BPP = 0.012, 0.5
MIN_SIDE = 64


@dataclass(frozen=True)
class Sample:
    """One picture: its full pyramid, and (M, rows, columns) uint8 grain maps at random budgets.

    With a uniform grain the maps are whole; `wisp.train.prior_batches` draws depths and shares. A photograph and its
    mirror image have one number. Where tokens were searched for, each depth has its own (`choices`, as in Analysed).
    """

    pyramid: TokenPyramid
    maps: NDArray[np.uint8]
    photograph: int = 0
    choices: tuple[NDArray[np.uint8], ...] = ()

    def at(self, grain_map: NDArray[np.uint8]) -> TokenPyramid:
        """The tokens that are sent with a grain map (rows, cols)."""
        return chosen_at(self.pyramid, self.choices, grain_map)


def collect_samples(
    bundle: Bundle,
    data: Path,
    *,
    limit: int | None = None,
    mirrored: bool = False,
    cache: Path | None = None,
    seed: int = 0,
    note: Callable[[str], None] = lambda text: None,
) -> list[Sample]:
    """Samples of the photographs under `data`, at most `limit` of them, evenly spread; `mirrored`: and as in a mirror.

    Raises:
        UsageError: there is no photograph, or the cache is of another bundle, other photographs or settings.
    """
    key = _key(bundle, data, limit, mirrored)
    if cache is not None and cache.is_file():
        return _load(cache, key, bundle)
    codec = TokenPyramidCodec(bundle)
    random = np.random.default_rng(seed)
    samples = []
    photographs = load_photographs(data, MIN_SIDE)
    if limit is not None and limit < len(photographs):
        photographs = [photographs[i * len(photographs) // limit] for i in range(limit)]
    for number, pixels in enumerate(photographs):
        if number % 200 == 0:
            note(f"tokens of {number} of {len(photographs)} photographs")
        for view in (pixels, np.ascontiguousarray(pixels[:, ::-1]))[: 1 + mirrored]:
            samples.append(replace(_sample(codec, view, random), photograph=number))
    if cache is not None:
        _save(cache, key, samples)
    return samples


def _key(bundle: Bundle, data: Path, limit: int | None, mirrored: bool) -> str:
    """Of all that the samples follow from; photographs count by the names and sizes of their files."""
    names = ("analysis.onnx", "tables.npz", GRAIN_NAME, SEARCH_NAME)
    made = [bundle.config.files[name] for name in names if name in bundle.config.files]
    paths = [path for path in (sorted(data.rglob("*")) if data.is_dir() else [data]) if path.is_file()]
    listed = [f"{path.relative_to(data)} {path.stat().st_size}" for path in paths]
    told = "\n".join(
        (*made, json.dumps(bundle.config.allocation, sort_keys=True), f"{limit} {mirrored}", *listed)
    )
    return hashlib.sha256(told.encode()).hexdigest()


def _sample(codec: TokenPyramidCodec, pixels: NDArray[np.uint8], random: np.random.Generator) -> Sample:
    analysed = analyse(codec.bundle, pixels, codec.bundle.can_search)
    tokens = analysed.tokens
    if codec.is_uniform:
        return Sample(tokens, np.repeat(tokens.grain_map[None], MAPS, 0))
    if codec.is_routed:
        entropies = patch_entropies(pixels, tokens.shape.strides[0])
        return Sample(tokens, np.stack([routed_map(entropies, tokens.shape, random) for _ in range(MAPS)]))
    side = tokens.shape.strides[0]
    curve = latent_distortions(analysed.errors, codec.settings.level_gains, side)
    model = codec.entropy_model
    demand = Demand(
        curve * region_weights(pixels, codec.settings.masking, side),
        depth_bits(model, analysed),
        model.grain_bits,
    )
    rates = np.exp(random.uniform(np.log(LOWEST_BPP), np.log(HIGHEST_BPP), MAPS))
    area = pixels.shape[0] * pixels.shape[1]
    maps = np.stack([allocate(demand, rate * area) for rate in rates])
    return Sample(tokens, maps, choices=analysed.choices)


def _save(path: Path, key: str, samples: Sequence[Sample]) -> None:
    levels = range(len(samples[0].pyramid.shape.groups))
    sides = np.array([(s.pyramid.shape.rows, s.pyramid.shape.columns) for s in samples], np.int32)
    kept = [sample.choices or sample.pyramid.planes for sample in samples]
    planes = {f"level_{i}": np.concatenate([each[i].ravel() for each in kept]) for i in levels}
    maps = np.concatenate([s.maps.ravel() for s in samples])
    path.parent.mkdir(parents=True, exist_ok=True)
    photographs = np.array([s.photograph for s in samples], np.int32)
    with path.open("wb") as stream:  # np.savez would give a name another suffix
        np.savez(stream, key=np.array(key), sides=sides, maps=maps, photographs=photographs, **planes)  # type: ignore[arg-type]


def _load(path: Path, key: str, bundle: Bundle) -> list[Sample]:
    strides, groups = bundle.config.strides, bundle.config.groups
    routed = bundle.config.grain == ROUTED
    with np.load(path, allow_pickle=False) as archive:
        if str(archive["key"]) != key:
            raise UsageError(
                f"expected tokens of bundle {bundle.folder} and the same photographs in {path}, found others; "
                "remove it"
            )
        levels = [archive[f"level_{i}"] for i in range(len(groups))]
        sides, maps, photographs = archive["sides"], archive["maps"], archive["photographs"]
    counts = [many * (many + 1) // 2 if bundle.can_search else many for many in groups]
    samples, starts, map_start = [], [0] * len(groups), 0
    for (rows, columns), photograph in zip(sides.tolist(), photographs.tolist(), strict=True):
        shape = PyramidShape(rows, columns, strides, groups, routed)
        planes = []
        for i, count in enumerate(counts):
            height, width = shape.plane_shape(i)
            end = starts[i] + count * height * width
            planes.append(levels[i][starts[i] : end].reshape(count, height, width))
            starts[i] = end
        map_end = map_start + MAPS * rows * columns
        grains = maps[map_start:map_end].reshape(MAPS, rows, columns)
        map_start = map_end
        full = np.full((rows, columns), shape.num_depths, np.uint8)
        tokens = TokenPyramid(shape, tuple(p[-many:] for p, many in zip(planes, groups, strict=True)), full)
        choices = tuple(planes) if bundle.can_search else ()
        samples.append(Sample(tokens, grains, photograph, choices))
    return samples
