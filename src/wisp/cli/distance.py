"""`wisp train-distance`: for an exported bundle, an eye that tells how far its pictures look from the originals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wisp.cli.console import say, show
from wisp.cli.options import QuietOption, ThreadsOption
from wisp.cli.training import DataOption, needing_torch


def train_distance_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The bundle, with a forecast; gains a distance.onnx.")
    ],
    data: DataOption,
    weights: Annotated[
        Path, typer.Option(metavar="DIR", help="Weights of the feature networks that may train.")
    ],
    crops: Annotated[
        int, typer.Option(min=1, metavar="N", help="Crops of 256 pixels, decoded at every depth: 3 s each.")
    ] = 600,
    minutes: Annotated[float, typer.Option(min=0.01, metavar="M", help="Training, after the crops.")] = 35,
    distances: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep crops and distances here between runs.")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after so many steps, for rehearsals.")
    ] = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a bundle's network of distances, with which `--effort 6` and more look at every depth.

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
