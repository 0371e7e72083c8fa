"""A folder of results as `wisp bench run` writes it, from formulas: for tests of what reads such folders."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.row_store import Row
from wisp.bench.wall import crop_file, crop_path, original_path

WIDTH, HEIGHT = 768, 512
BUDGETS = (0.02, 0.05, 0.1, 0.2, 0.4)
# codec -> (quality it gains or loses against wisp, how much more it gains per octave of rate, least rate in bpp)
CODECS = {
    "wisp": (0.0, 0.0, 0.0),
    "jpeg": (-9.0, 1.5, 0.09),
    "avif": (-1.5, 0.9, 0.06),
    "avif@1/2": (-3.0, 0.4, 0.015),
    "webp@1/4": (-5.0, -0.2, 0.0),
    "blurhash": (-16.0, -1.9, 0.0),
}
PLACEHOLDERS = {"blurhash": 30}  # bytes, whatever the budget
METRICS = {
    "psnr_db": {"direction": "higher", "unit": "dB", "version": "psnr 1"},
    "ms_ssim": {"direction": "higher", "unit": "1", "version": "ms-ssim 1"},
    "ssimulacra2": {"direction": "higher", "unit": "1", "version": "ssimulacra2 1"},
    "lpips_squeeze": {"direction": "lower", "unit": "1", "version": "lpips 1"},
    "feature_distance": {"direction": "lower", "unit": "1", "version": "features 1"},
    "dists": {"unavailable": "its trunk could not be downloaded"},
}


def scores_at(quality: float) -> dict[str, float | None]:
    """Every metric as a strictly monotone function of one number, about 10 to 40."""
    distance = math.exp(-quality / 22)
    return {
        "psnr_db": quality,
        "ms_ssim": 1 - 0.9 * distance * distance,
        "ssimulacra2": 100 - 180 * distance,
        "lpips_squeeze": distance,
        "feature_distance": 1.4 * distance / (1 + distance),
    }


def synthetic_row(image: str, codec: str, budget_bpp: float, difficulty: float) -> Row:
    """One row; hard pictures have worse scores and larger least files."""
    offset, slope, least_bpp = CODECS.get(codec, (-4.0, 0.0, 0.0))
    budget = budget_num_bytes(budget_bpp, WIDTH, HEIGHT)
    least = math.ceil(least_bpp * (0.6 + difficulty) * WIDTH * HEIGHT / 8)
    reached = budget >= least
    num_bytes = PLACEHOLDERS.get(codec) or math.floor(0.98 * budget)
    octaves = 0.0 if codec in PLACEHOLDERS else math.log2(budget_bpp / 0.05)
    quality = 24 + 2.1 * octaves + offset + slope * octaves - 6 * difficulty
    return Row(
        image=image,
        codec=codec,
        budget_bpp=budget_bpp,
        budget_num_bytes=budget,
        reached=reached,
        num_bytes=num_bytes if reached else None,
        rate_bpp=8 * num_bytes / (WIDTH * HEIGHT) if reached else None,
        scores=scores_at(quality) if reached else {},
        setting="quality=1" if reached else None,
        smallest_num_bytes=None if reached else least,
        image_hash="0" * 12,
        codec_version=f"{codec} 1",
        metrics_version="m1",
    )


def _picture(number: int) -> Image.Image:
    """(HEIGHT, WIDTH, 3) 8-bit RGB: waves and edges, another for each number."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / 64.0
    waves = [np.sin(x * (1 + channel) + number) * np.cos(y * (2 - channel / 2)) for channel in range(3)]
    edges = 60.0 * ((np.hypot(x - 6, y - 4) % 2) > 1)
    return Image.fromarray((np.stack(waves, axis=2) * 90 + 98 + edges[..., None]).astype(np.uint8))


def write_results(
    folder: Path,
    images: Sequence[str] = ("kodim01", "kodim02", "kodim03"),
    codecs: Sequence[str] = tuple(CODECS),
    budgets: Sequence[float] = BUDGETS,
    walls: Sequence[str] = (),
    images_measured: Any = None,
    also: str | None = None,
    **changes: Any,
) -> Path:
    """Write rows.jsonl, meta.json and a wall for the pictures in `walls`.

    `images_measured` is meta.json's `images`, `also` one more metric's name in every row; `changes` go into meta.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        synthetic_row(image, codec, budget, (place % 5) / 5)
        for place, image in enumerate(images)
        for codec in codecs
        for budget in budgets
    ]
    if also is not None:
        rows = [replace(row, scores=row.scores | {also: 1.0}) if row.reached else row for row in rows]
    (folder / "rows.jsonl").write_text("".join(row.to_json() + "\n" for row in rows), encoding="utf-8")
    meta = {
        "command": "wisp bench run --images kodak --out results/synthetic",
        "date": "2026-01-02T03:04:05Z",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "commit_is_clean": True,
        "python": "3.11.7",
        "system": "Linux x86_64",
        "packages": {"wisp-codec": "0.1.0", "torch": None},
        "cpu_model": "A processor",
        "cpu_cores": 2,
        "usable_cores": 2,
        "omp_num_threads": None,
        "codecs": {codec: f"{codec} 1" for codec in codecs},
        "metrics": METRICS,
        "metrics_version": "m1",
        "images": images_measured,
        "unavailable_codecs": {"jxl": "pillow-jxl-plugin is not installed"},
        **changes,
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    reached = {row.key for row in rows if row.reached}
    for number, image in enumerate(walls):
        _write_wall(folder, image, _picture(number), [key for key in sorted(reached) if key[2] == image])
    return folder


def _write_wall(
    folder: Path, image: str, picture: Image.Image, keys: Sequence[tuple[float, str, str]]
) -> None:
    shots = {folder / original_path(image): picture}
    for budget, codec, _ in keys:
        sink = io.BytesIO()
        picture.save(sink, "JPEG", quality=max(1, round(60 * budget / 0.4) + len(codec)))
        shots[folder / crop_path(image, budget, codec)] = Image.open(sink).convert("RGB")
    for path, shot in shots.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(crop_file(shot))
