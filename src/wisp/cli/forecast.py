"""`wisp train-forecast`: for an exported bundle, what its pictures will look like at each depth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wisp.cli.console import say, show
from wisp.cli.options import QuietOption, ThreadsOption
from wisp.cli.training import DataOption, needing_torch

FeaturesOption = Annotated[
    Path, typer.Option("--weights", metavar="DIR", help="Weights of the feature networks that may train.")
]
CropsOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Crops of 256 pixels, decoded at every depth: 3 s each.")
]
CropsCacheOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Keep crops and distances here between runs.")
]
StepsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Stop after so many steps, for rehearsals.")
]


def train_forecast_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The bundle, which gains a forecast.npz.")],
    data: DataOption,
    weights: FeaturesOption,
    crops: CropsOption = 600,
    distances: CropsCacheOption = None,
    max_steps: StepsOption = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a bundle's forecast of how its pictures will look at each depth.

    The writer spends bits by it; files are read alike with and without it.
    """
    with needing_torch():
        from wisp.train.forecast_export import train_forecast

        report = train_forecast(
            folder,
            data,
            weights,
            crops,
            cache=distances,
            max_steps=max_steps,
            threads=threads,
            note=(lambda text: None) if quiet else say,
        )
    foreseen = (
        ", ".join(f"{share:.2f}" for share in report.explained) or "nobody knows what, for want of crops"
    )
    show(f"{folder}: forecast.npz of {report.num_bytes} bytes; of each group's gains it foresees {foreseen}")
