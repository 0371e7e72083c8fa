"""The model card: what was trained, on what, for how long, and what the model must not be used for."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

LIMITS = """## Limits

* What is not in the file is invented. Small print, faces far away, licence plates and medical detail are not
  evidence of anything.
* Trained on a few thousand photographs: drawings, screenshots, text and night scenes are outside its experience.
* The training photographs come under mixed licences, many for non-commercial research only; see below.
"""


def processor_name() -> str:
    """What the operating system calls the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def write_card(
    path: Path,
    state: dict[str, Any],
    config: dict[str, Any],
    report: Sequence[tuple[float, float]],
    photographs: int,
) -> None:
    """Write card.md from a checkpoint, the bundle's configuration and the fitted tables' report."""
    recipe, progress = state["recipe"], state["progress"]
    lines = [
        f"# {config['name']}",
        "",
        f"{recipe['description']}. Model number {config['model_number']}.",
        "",
        "## Training",
        "",
        f"* Recipe `recipes/{recipe['name']}.toml`, seed {recipe['seed']}.",
        f"* {progress['total_step']} steps in {progress['total_seconds'] / 60:.0f} minutes of training time; "
        f"batches of {recipe['data']['batch_size']} crops of {recipe['data']['crop_size']} pixels.",
        f"* Hardware: {processor_name()}, one core; PyTorch {torch.__version__}, bfloat16 autocast.",
        "* Stages (the loss's formula: `wisp.train.recipe.StageConfig`):",
    ]
    for stage in recipe["stages"]:
        lines.append(
            f"  * {stage['name']}: {stage['share']:.0%} of the time, peak learning rate {stage['learning_rate']}, "
            f"mse_weight {stage['mse_weight']}, feature_weight {stage['feature_weight']}"
        )
    lines += [
        "",
        "PSNR in dB of eight Kodak pictures at uniform depth, by nominal token bits a pixel (no entropy coding):",
        "",
    ]
    if progress["history"]:
        rates = list(progress["history"][0]["psnr_db_at_nominal_bpp"])
        lines += [f"| stage | steps | minutes | {' | '.join(rates)} |", "|---" * (3 + len(rates)) + "|"]
        for row in progress["history"]:
            values = " | ".join(f"{row['psnr_db_at_nominal_bpp'][rate]:.2f}" for rate in rates)
            lines.append(f"| {row['stage']} | {row['step']} | {row['minutes']} | {values} |")
    lines += [
        "",
        "## Entropy model",
        "",
        f"Integer context tables fitted to {photographs} training photographs; bits a token on a held-out tenth:",
        "",
        "| place in the order | marginal | with contexts |",
        "|---|---|---|",
    ]
    lines += [
        f"| {place} | {marginal:.3f} | {fitted:.3f} |" for place, (marginal, fitted) in enumerate(report)
    ]
    lines += ["", LIMITS, "## Data", "", DATA]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    json.dumps(config)  # a configuration that is not plain JSON is found here and not by a reader


DATA = """3,311 photographs from public repositories: ImageNet samples, BSDS500, Houses, CID22 (CC BY-SA 4.0), part of
DTD, hymenoptera, metadata-extractor samples, coworking and Unsplash stock photographs, cats and dogs (Asirra),
Sun-Hays 80, a grocery set (MIT), a clothing set (CC0), exif-samples (CC BY-SA 4.0), CamVid, DAVIS 2016, desktop
wallpapers and smaller sets. Kodak, CLIC and the other evaluation pictures are not among them. Perceptual loss:
the Darknet reference classifier (Joseph Redmon, public domain)."""
