"""From a run to a bundle: networks, integer tables, configuration, card and hashes.

The networks are written first; the tables are then fitted with the bundle's own networks through the same
code that will compress with them, so that what is counted is what will be coded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import distortion_curve, region_distortions, region_weights
from wisp.allocation.lagrange import Demand
from wisp.atomic import write_bytes_atomic
from wisp.codecs import forget_bundles
from wisp.codecs.grain_coding import ROUTED
from wisp.codecs.huffman_entropy import LENGTHS
from wisp.codecs.looking import uniform_depths
from wisp.codecs.proposal import Proposal
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.codecs.pyramid_networks import analyse, synthesise
from wisp.imaging import pad_to_multiple
from wisp.runtime.bundle import CONFIG_NAME, Bundle
from wisp.runtime.bundle_config import FILE_NAME
from wisp.runtime.differences import DIFFERENCE_SUFFIX
from wisp.tokens.contexts import Context
from wisp.tokens.pyramid import TokenPyramid
from wisp.train.card import write_card
from wisp.train.checkpoint import load_checkpoint
from wisp.train.dataset import load_photographs
from wisp.train.eighths import analysis_bytes, synthesis_bytes
from wisp.train.export_options import ExportOptions, begin, check_place, config_head, finish
from wisp.train.fit_allocation import (
    fit_grain_logits,
    fit_level_gains,
    initial_grain_logits,
    maps_at_many_budgets,
)
from wisp.train.fit_tables import candidate_contexts, fit_group, split
from wisp.train.pyramids import PyramidNetwork, new_network
from wisp.train.recipe import ModelConfig
from wisp.train.routed_fit import fit_routed_allocation, huffman_lengths, route_at_random

MASKING = 0.5
# The first: where both scales have the same mean LPIPS-squeeze; the others: about the smallest files.
SCALE_BPP = (0.014, 0.0021, 0.0005)
SCALE_PIXELS = 2.5e6  # smaller pictures do with less before half size is better (docs/experiments.md)
# With one depth for all, half size at a larger depth beats a depth of 1 (docs/experiments.md).
UNIFORM_SCALE_BPP = (0.05, 0.0125, 0.003)
# Just above what the coarsest level of a routed model costs.
ROUTED_SCALE_BPP = (0.045, 0.0113, 0.0028)
SCALE_BPPS = {"map": SCALE_BPP, "uniform": UNIFORM_SCALE_BPP, ROUTED: ROUTED_SCALE_BPP}
PROPOSALS = 120  # pictures whose grain maps are counted


@dataclass(frozen=True)
class ExportReport:
    """What an export found: bits a token on held-out pictures (marginal, with contexts) for every group."""

    folder: Path
    num_bytes: int
    marginal_bits: tuple[float, ...]
    context_bits: tuple[float, ...]


def network_of(state: dict[str, Any]) -> PyramidNetwork:
    """The averaged network of a checkpoint, in evaluation mode."""
    table: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in state["recipe"]["model"].items()
    }
    noise = table.get("noise", ())
    if isinstance(noise, bool):  # checkpoints from when noise was at 1/2 and 1/4 or nowhere
        table["noise"] = ((2, 4) if table.get("head", "smooth") == "smooth" else (4,)) if noise else ()
    network = new_network(ModelConfig(**table))
    network.load_state_dict(state["average"])
    return network.eval()


def export_bundle(run: Path, folder: Path, data: Path, options: ExportOptions | None = None) -> ExportReport:
    """Write the bundle of a run's checkpoint (a folder, or one checkpoint file) into `folder`.

    Args:
        data: training photographs, on whose tokens the tables are fitted.

    Raises:
        UsageError: no checkpoint, no photographs, or the folder exists and `force` is false.
    """
    options = options or ExportOptions()
    check_place(folder, options)
    state = load_checkpoint(run)
    network = network_of(state)
    part = begin(folder)
    (part / "analysis.onnx").write_bytes(analysis_bytes(network, options.eight_bits))
    (part / "synthesis.onnx").write_bytes(synthesis_bytes(network, options.eight_bits))
    config = network.config
    contexts = [
        [
            (c.level, c.group, c.phase)
            for c in candidate_contexts(
                level, group, config.planes, config.same_contexts, config.grain == ROUTED
            )
        ]
        for level, count in enumerate(config.planes)
        for group in range(count)
    ]
    table: dict[str, Any] = {
        **config_head(state["recipe"], "token_pyramid", options),
        "strides": list(config.strides),
        "groups": list(config.planes),
        "contexts": contexts,
        "allocation": {
            "masking": MASKING,
            "level_gains": [1.0] * len(config.groups),
            "scale_bpp": list(SCALE_BPPS[config.grain]),
            "scale_pixels": SCALE_PIXELS if config.grain == "map" else 0.0,
        },
        "files": {},
    }
    if config.grain != "map":
        table["grain"] = config.grain
    if config.noise:
        table["noise"] = True
    np.savez(part / "tables.npz", grain=initial_grain_logits(config.num_groups))
    write_config(part, table)
    photographs = load_photographs(data, 64, options.image_limit)
    tables, report = _fit(Bundle(part), photographs, table, options.note)
    np.savez_compressed(part / "tables.npz", **tables)  # type: ignore[arg-type]
    write_card(part / "card.md", state, table, report, len(photographs), options.card_notes)
    write_config(part, table)
    finish(part, folder)
    marginal, fitted = zip(*report, strict=True)
    return ExportReport(folder, Bundle(folder).num_bytes, tuple(marginal), tuple(fitted))


def write_config(folder: Path, table: dict[str, Any]) -> None:
    """Write config.json with the hashes of the folder's other files; those it shares are listed as they were."""
    own = {  # nothing that a system or a stopped command left there
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and FILE_NAME.fullmatch(path.name) and not path.name.endswith(DIFFERENCE_SUFFIX)
    }
    own.pop(CONFIG_NAME, None)
    shared = {name: other for name, other in table.get("shared_with", {}).items() if name not in own}
    listed = own | {name: table["files"][name] for name in shared}
    table = {**table, "files": dict(sorted(listed.items()))} | ({"shared_with": shared} if shared else {})
    if not shared:
        table.pop("shared_with", None)
    write_bytes_atomic(folder / CONFIG_NAME, (json.dumps(table, indent=1) + "\n").encode())
    forget_bundles()


def _fit(
    bundle: Bundle,
    photographs: Sequence[NDArray[np.uint8]],
    table: dict[str, Any],
    note: Callable[[str], None],
) -> tuple[dict[str, NDArray[Any]], list[tuple[float, float]]]:
    analyses = []
    for i, pixels in enumerate(photographs):
        padded = pad_to_multiple(pixels, bundle.config.strides[0])
        analyses.append((padded, analyse(bundle, padded)))
        if i % 100 == 0:
            note(f"tokens of {i} of {len(photographs)} photographs")
        if i >= PROPOSALS * 2:
            analyses[-1] = (padded[:0], analyses[-1][1])  # only the tokens are needed from here on
    pyramids: list[TokenPyramid] = [a.tokens for _, a in analyses]
    if bundle.config.grain == ROUTED:
        pyramids = route_at_random(pyramids, photographs)
    train, held = split(pyramids)
    tables: dict[str, NDArray[Any]] = {}
    report = []
    for place, level, group in pyramids[0].shape.order():
        contexts = [Context(*context) for context in bundle.config.contexts[place]]
        fitted = fit_group(train, held, level, group, contexts)
        tables[f"bias_{place}"] = fitted.tables.bias
        for i, context_table in enumerate(fitted.tables.tables):
            tables[f"table_{place}_{i}"] = context_table
        report.append((fitted.marginal_bits, fitted.context_bits))
        note(
            f"group {place}: {fitted.marginal_bits:.3f} bits a token, {fitted.context_bits:.3f} with contexts"
        )
    if bundle.config.grain == ROUTED:
        tables[LENGTHS] = huffman_lengths(pyramids)
        fit_routed_allocation(bundle, analyses[: PROPOSALS * 2 : 2], pyramids, tables, note)
    if bundle.config.grain == "map":
        tables["grain"] = initial_grain_logits(sum(bundle.config.groups))
        _fit_allocation(bundle, analyses[: PROPOSALS * 2 : 2], table, tables, note)
    return tables, report


def _fit_allocation(
    bundle: Bundle,
    analyses: Sequence[tuple[NDArray[np.uint8], Any]],
    table: dict[str, Any],
    tables: dict[str, NDArray[Any]],
    note: Callable[[str], None],
) -> None:
    config = bundle.config
    ends = [1, *(int(e) for e in np.cumsum(config.groups))]
    count = ends[-1]
    probes, shells = [], []
    for pixels, analysed in analyses:
        found = {}
        for depth in ends:
            grain = np.full_like(analysed.tokens.grain_map, depth)
            decoded = synthesise(bundle, TokenPyramid(analysed.tokens.shape, analysed.tokens.planes, grain))
            found[depth] = region_distortions(pixels, decoded, config.strides[0])
        probes.append(found)
        shells.append(analysed)
    nothing = np.zeros((count + 1, 1, 1))
    empty = [Proposal(0, shell, Demand(nothing, nothing[1:], np.zeros(1)), nothing) for shell in shells]
    gains = fit_level_gains(empty, probes)
    table["allocation"]["level_gains"] = [float(f"{g:.6g}") for g in gains]
    note(f"level gains {table['allocation']['level_gains']}")
    for _ in range(2):
        model = PyramidEntropyModel(tables, config.contexts, config.groups, config.strides)
        proposals = []
        for (pixels, analysed), found in zip(analyses, probes, strict=True):
            depths = uniform_depths(tuple(found), *analysed.tokens.grain_map.shape)
            measured = np.stack(list(found.values()))
            curve = distortion_curve(depths, measured, analysed.errors, gains, config.strides[0])
            curve = curve * region_weights(pixels, MASKING, config.strides[0])
            proposals.append(
                Proposal(
                    0, analysed, Demand(curve, model.token_bits(analysed.tokens), model.grain_bits), curve
                )
            )
        maps = maps_at_many_budgets(proposals, model.grain_bits)
        tables["grain"] = fit_grain_logits(maps, count)
    bits = PyramidEntropyModel(tables, config.contexts, config.groups, config.strides).grain_bits
    from wisp.allocation.lagrange import grain_bits

    note(f"grain map: {np.mean([grain_bits(m, bits).mean() for m in maps]):.2f} bits a region")
