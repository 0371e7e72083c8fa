"""The model card: what was trained, on what, for how long, and what the model must not be used for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LIMITS = """## Limits

* What is not in the file is invented. Small print, faces far away, licence plates and medical detail are not
  evidence of anything.
* Trained on a few thousand photographs: drawings, screenshots, text and night scenes are outside its experience.
"""


TRAINING, ENTROPY_MODEL = "## Training", "## Entropy model"


def training_section(state: dict[str, Any]) -> list[str]:
    """Lines of the section that tells how a checkpoint came about."""
    recipe, progress = state["recipe"], state["progress"]
    lines = [
        TRAINING,
        "",
        f"* Recipe `recipes/{recipe['name']}.toml`, seed {recipe['seed']}.",
        f"* {progress['total_step']} steps in {progress['total_seconds'] / 60:.0f} minutes of training time; "
        f"batches of {recipe['data']['batch_size']} crops of {recipe['data']['crop_size']} pixels.",
        *(f"* Ran on: {where}, bfloat16 autocast." for where in progress.get("environments", [])),
        "* Stages (the loss's formula: `wisp.train.recipe.StageConfig`):",
    ]
    for stage in recipe["stages"]:
        lines.append(
            f"  * {stage['name']}: {stage['share']:.0%} of the time, peak learning rate {stage['learning_rate']}, "
            f"mse_weight {stage['mse_weight']}, lattice_weight {stage['lattice_weight']}, "
            f"feature_weight {stage['feature_weight']}, fine_feature_weight {stage['fine_feature_weight']}, "
            + (
                f"rate_weight {stage['rate_weight']}"
                if stage["rate_weight"]
                else f"commitment_weight {stage['commitment_weight']}"
            )
            + (f", adversarial_weight {w}" if (w := stage.get("adversarial_weight")) else "")
            + (", pixel_critic" if stage.get("pixel_critic") else "")
            + (f", drawn_share {w}" if (w := stage.get("drawn_share")) else "")
            + (f", codeword_price {stage['codeword_price']}" if stage.get("codeword_price") else "")
            + (f", colour_weight {stage['colour_weight']}" if stage.get("colour_weight") else "")
            + (", tokens frozen" if stage["frozen_tokens"] else "")
        )
    shown = [row["psnr_db_at_nominal_bpp"] for row in progress["history"]]
    if shown and any(list(row) != list(shown[0]) for row in shown):  # rates that are learned, too
        rates = [f"{psnr:.2f} dB at {rate}" for rate, psnr in shown[-1].items()]
        lines += [
            "",
            f"PSNR of the preview pictures at the end, by bits a pixel in training: {', '.join(rates)}.",
        ]
    elif shown:
        lines += [
            "",
            "PSNR in dB of the preview pictures at uniform depth, by nominal token bits a pixel (no entropy coding):",
            "",
        ]
        rates = list(shown[0])
        lines += [f"| stage | steps | minutes | {' | '.join(rates)} |", "|---" * (3 + len(rates)) + "|"]
        for row in progress["history"]:
            values = " | ".join(f"{row['psnr_db_at_nominal_bpp'][rate]:.2f}" for rate in rates)
            lines.append(f"| {row['stage']} | {row['step']} | {row['minutes']} | {values} |")
    return lines


def _head(state: dict[str, Any], config: dict[str, Any]) -> list[str]:
    json.dumps(config)  # a configuration that is not plain JSON is found here and not by a reader
    return [
        f"# {config['name']}",
        "",
        f"{state['recipe']['description']}. Model number {config['model_number']}.",
        "",
        *training_section(state),
        "",
        ENTROPY_MODEL,
        "",
    ]


def write_card(
    path: Path,
    state: dict[str, Any],
    config: dict[str, Any],
    report: Sequence[tuple[float, float]],
    photographs: int,
    notes: str,
) -> None:
    """Write card.md from a checkpoint, the bundle's configuration, the fitted tables' report and the owner's notes."""
    lines = [
        *_head(state, config),
        f"Integer context tables fitted to {photographs} training photographs; bits a token on a held-out tenth:",
        "",
        "| place in the order | marginal | with contexts |",
        "|---|---|---|",
    ]
    lines += [
        f"| {place} | {marginal:.3f} | {fitted:.3f} |" for place, (marginal, fitted) in enumerate(report)
    ]
    lines += ["", LIMITS, notes.strip()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_latent_card(
    path: Path,
    state: dict[str, Any],
    config: dict[str, Any],
    fitted: Sequence[str],
    pictures: int,
    notes: str,
) -> None:
    """As `write_card`, for a codec of continuous latents; `fitted` is a table of what its tables were fitted to."""
    lines = [
        *_head(state, config),
        f"Integer tables fitted to {pictures} training pictures:",
        "",
        *fitted,
        "",
        LIMITS,
        notes.strip(),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def renew_training(card: str, state: dict[str, Any]) -> str:
    """A card with its training section told anew, the rest unchanged."""
    before, rest = card.split(TRAINING, 1)
    return (
        "\n".join([before + training_section(state)[0], *training_section(state)[1:], "", ENTROPY_MODEL])
        + (rest.split(ENTROPY_MODEL, 1)[1])
    )
