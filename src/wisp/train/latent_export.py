"""From a run of a latent codec to its bundle: networks, integer tables counted with them, card and hashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.grid_contexts import write_grid
from wisp.codecs.latent_grid import LatentGridCodec
from wisp.codecs.latent_vector import FIRST_STEP, STEPS_PER_OCTAVE, LatentVectorCodec, step_of
from wisp.entropy.gaussian_levels import nearest_scale
from wisp.entropy.level_rows import LARGEST, NUM_SYMBOLS, LevelTables, symbols_of
from wisp.imaging import to_picture
from wisp.runtime.bundle import Bundle
from wisp.train.card import write_latent_card
from wisp.train.checkpoint import load_checkpoint
from wisp.train.dataset import load_photographs
from wisp.train.export import write_config
from wisp.train.export_options import ExportOptions, begin, check_place, config_head, finish
from wisp.train.fit_grid import SMOOTHING, fit_grid_tables, to_total
from wisp.train.latent_configs import GridConfig, VectorConfig
from wisp.train.latent_networks import LatentNetwork, new_latent_network
from wisp.train.latent_onnx import latent_analysis_onnx, latent_synthesis_onnx

LMBDA = 0.12  # squared steps a bit: what a grid's writer gives up of precision (docs/experiments.md)
DOMAIN_SHARE = 99  # per cent of training pictures below the usual error


def latent_network_of(state: dict[str, Any]) -> LatentNetwork:
    """The averaged network of a checkpoint, in evaluation mode."""
    table: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in state["recipe"]["model"].items()
    }
    config = GridConfig(**table) if "channels" in table else VectorConfig(**table)
    network = new_latent_network(config)
    network.load_state_dict(state["average"])
    return network.eval()


def export_latent_bundle(run: Path, folder: Path, data: Path, options: ExportOptions | None = None) -> int:
    """Write the bundle of a latent run's checkpoint into `folder` and return its bytes; as `export_bundle`.

    Raises:
        UsageError: no checkpoint, no photographs, or the folder exists and `force` is false.
    """
    options = options or ExportOptions()
    check_place(folder, options)
    state = load_checkpoint(run)
    network, recipe = latent_network_of(state), state["recipe"]
    part = begin(folder)
    (part / "analysis.onnx").write_bytes(latent_analysis_onnx(network).SerializeToString())
    (part / "synthesis.onnx").write_bytes(latent_synthesis_onnx(network).SerializeToString())
    table: dict[str, Any] = {
        **config_head(recipe, recipe["codec"], options),
        "latent": {},
        "files": {},
    }
    photographs = load_photographs(data, 32, options.image_limit)
    config = network.config
    if isinstance(config, GridConfig):
        lines = _fit_grid(part, table, config, photographs, options.note)
    else:
        lines = _fit_vector(part, table, config, photographs, options.note)
    write_latent_card(part / "card.md", state, table, lines, len(photographs), options.card_notes)
    write_config(part, table)
    finish(part, folder)
    return Bundle(folder).num_bytes


def _fit_grid(
    part: Path,
    table: dict[str, Any],
    config: GridConfig,
    photographs: list[NDArray[np.uint8]],
    note: Callable[[str], None],
) -> list[str]:
    """Count symbols; the card's lines."""
    count = config.channels
    table["latent"] = {"rates": list(config.rates), "lmbda": 0.0}
    np.savez_compressed(part / "tables.npz", none=np.zeros(1))
    write_config(part, table)
    codec = LatentGridCodec(Bundle(part))
    latents = [codec.analyse(pixels) for pixels in photographs]
    note(f"latents of {len(latents)} photographs")
    marginals = _marginals([codec.choose_levels(y) for y in latents])
    np.savez_compressed(part / "tables.npz", marginals=marginals)
    table["latent"]["lmbda"] = LMBDA  # from here on levels are chosen by bits, too
    write_config(part, table)
    codec = LatentGridCodec(Bundle(part))
    grids = [codec.choose_levels(y) for y in latents]
    fitted = fit_grid_tables(grids)
    np.savez_compressed(
        part / "tables.npz",
        marginals=marginals,
        frequencies=fitted.rows.frequencies.astype(np.int32),
        thresholds=fitted.thresholds.astype(np.int32),
        predicted=fitted.predicted.astype(np.int32),
    )
    by_itself = LevelTables(marginals.astype(np.uint32), np.zeros((0, 0), np.int32))
    lines = [
        "| channel | bits a level by itself | standard deviation in steps | predicted |",
        "|---|---|---|---|",
    ]
    for channel in range(count):
        levels = np.concatenate([grid[channel].ravel() for grid in grids])
        bits = float(by_itself.bits(levels, np.full(levels.shape, channel)).mean())
        spread = float(np.std(np.concatenate([y[channel].ravel() for y in latents])))
        lines.append(
            f"| {channel} | {bits:.3f} | {spread:.2f} | {'yes' if fitted.predicted[channel] else 'no'} |"
        )
    sizes = [8 * len(write_grid(grid, fitted)) / grid[0].size for grid in grids[:: len(grids) // 20 + 1]]
    return [*lines, "", f"All channels with contexts: {np.mean(sizes):.2f} bits a position."]


def _marginals(grids: list[NDArray[np.int16]]) -> NDArray[np.int32]:
    """(C, 256) frequencies of each channel by itself."""
    counts = [
        np.bincount(
            np.concatenate([symbols_of(grid[channel].ravel()) for grid in grids]), minlength=NUM_SYMBOLS
        )
        for channel in range(len(grids[0]))
    ]
    return np.stack([to_total(c + SMOOTHING) for c in counts])


def _fit_vector(
    part: Path,
    table: dict[str, Any],
    config: VectorConfig,
    photographs: list[NDArray[np.uint8]],
    note: Callable[[str], None],
) -> list[str]:
    """Measure each dimension's spread, and how well faces are drawn; the card's lines."""
    finest, coarsest = (round(STEPS_PER_OCTAVE * float(np.log2(step / FIRST_STEP))) for step in config.steps)
    table["latent"] = {
        "dimensions": config.dimensions,
        "side": config.side,
        "finest_step": finest,
        "coarsest_step": coarsest,
        "usual_error": 1.0,
        "shape": {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(config).items()},
    }
    np.savez_compressed(part / "tables.npz", scales=np.zeros(config.dimensions, np.int32))
    write_config(part, table)
    codec = LatentVectorCodec(Bundle(part))
    pictures = [codec.square(pixels) for pixels in photographs]
    latents = np.stack([codec.analyse(pixels) for pixels in pictures])
    spreads = np.sqrt(np.square(latents).mean(0))
    note(f"latents of {len(latents)} pictures")
    scales = [nearest_scale(max(float(s), 1e-3)) + 4 * STEPS_PER_OCTAVE for s in spreads]
    np.savez_compressed(part / "tables.npz", scales=np.array(scales, np.int32))
    write_config(part, table)
    codec = LatentVectorCodec(Bundle(part))
    errors = [codec.domain_error(to_picture(pixels)) for pixels in pictures]
    table["latent"]["usual_error"] = max(0.01, round(float(np.percentile(errors, DOMAIN_SHARE)), 2))
    lines = ["| step | bytes of a file, mean | PSNR of training pictures, dB |", "|---|---|---|"]
    for index in range(finest, coarsest + 1, STEPS_PER_OCTAVE):
        some = list(zip(pictures, latents, strict=True))[:100]
        sizes = [len(codec.at_step(to_picture(p), z, index)) for p, z in some]
        squared = [_squared_error(codec, p, z, index) for p, z in some]
        psnr = np.mean([10 * np.log10(255**2 / e) for e in squared])
        lines.append(f"| {step_of(index):g} | {np.mean(sizes):.0f} | {psnr:.2f} |")
    return lines


def _squared_error(codec: LatentVectorCodec, pixels: NDArray[np.uint8], z: NDArray, index: int) -> float:
    step = step_of(index)
    levels = np.clip(np.rint(z / step), -LARGEST, LARGEST)
    shown = codec.synthesise((levels * step).astype(np.float32), step)
    return float(np.square(shown.astype(np.float32) - pixels).mean())
