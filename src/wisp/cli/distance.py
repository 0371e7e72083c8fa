"""`wisp train-distance`: for an exported bundle, an eye that tells how far its pictures look from the originals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wisp.cli.console import say, show
from wisp.cli.forecast import CropsCacheOption, CropsOption, FeaturesOption, StepsOption
from wisp.cli.options import QuietOption, ThreadsOption
from wisp.cli.training import DataOption, needing_torch


def train_distance_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The bundle, with a forecast; gains a distance.onnx.")
    ],
    data: DataOption,
    weights: FeaturesOption,
    crops: CropsOption = 600,
    minutes: Annotated[float, typer.Option(min=0.01, metavar="M", help="Training, after the crops.")] = 90,
    distances: CropsCacheOption = None,
    max_steps: StepsOption = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a bundle's network of distances, with which the writer looks at what it decodes before it spends bytes.

    Only writers look; files are read alike with and without it.
    """
    with needing_torch():
        from wisp.train.distance_export import train_distance

        report = train_distance(
            folder,
            data,
            weights,
            crops,
            minutes,
            cache=distances,
            max_steps=max_steps,
            threads=threads,
            note=(lambda text: None) if quiet else say,
        )
    seen = ", ".join(f"{share:.2f}" for share in report.explained) or "nobody knows what, for want of crops"
    show(f"{folder}: distance.onnx of {report.num_bytes} bytes; of each group's gains it sees {seen}")
