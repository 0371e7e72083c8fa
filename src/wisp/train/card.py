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
            f"commitment_weight {stage['commitment_weight']}{', tokens frozen' if stage['frozen_tokens'] else ''}"
        )
    if progress["history"]:
        lines += [
            "",
            "PSNR in dB of the preview pictures at uniform depth, by nominal token bits a pixel (no entropy coding):",
            "",
        ]
        rates = list(progress["history"][0]["psnr_db_at_nominal_bpp"])
        lines += [f"| stage | steps | minutes | {' | '.join(rates)} |", "|---" * (3 + len(rates)) + "|"]
        for row in progress["history"]:
            values = " | ".join(f"{row['psnr_db_at_nominal_bpp'][rate]:.2f}" for rate in rates)
            lines.append(f"| {row['stage']} | {row['step']} | {row['minutes']} | {values} |")
    return lines


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
        f"# {config['name']}",
        "",
        f"{state['recipe']['description']}. Model number {config['model_number']}.",
        "",
        *training_section(state),
        "",
        ENTROPY_MODEL,
        "",
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
    json.dumps(config)  # a configuration that is not plain JSON is found here and not by a reader


def renew_training(card: str, state: dict[str, Any]) -> str:
    """A card with its training section told anew, the rest unchanged."""
    before, rest = card.split(TRAINING, 1)
    return (
        "\n".join([before + training_section(state)[0], *training_section(state)[1:], "", ENTROPY_MODEL])
        + (rest.split(ENTROPY_MODEL, 1)[1])
    )
