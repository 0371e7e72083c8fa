"""What belongs to the machine and the moment of a training run rather than to its recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """What belongs to the machine and the moment rather than to the recipe.

    Attributes:
        minutes: wall-clock budget of the whole recipe, previous legs of a resumed run included.
        weights: folder of the feature networks that may train; needed by stages with a feature weight.
        start: folder of a bundle whose weights the run starts from, instead of random ones.
        preview: folder of pictures for the PSNR line; never trained on.
        max_steps: stop early after that many steps in total (rehearsals and tests).
    """

    data: Path
    run: Path
    minutes: float
    weights: Path | None = None
    start: Path | None = None
    preview: Path | None = None
    resume: bool = False
    device: str = "auto"
    threads: int | None = None
    save_minutes: float = 4.0
    preview_minutes: float = 4.0
    max_steps: int | None = None
    image_limit: int | None = None
