"""`wisp train-grain`: for an exported bundle, what its grain maps are like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wisp.cli.console import say, show
from wisp.cli.options import QuietOption, ThreadsOption
from wisp.cli.training import DataOption, needing_torch


def train_grain_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The bundle, which gains a grain.npz.")],
    data: DataOption,
    image_limit: Annotated[
        int,
        typer.Option(
            min=2, metavar="N", help="Photographs to use, evenly spread: four files of each a round."
        ),
    ] = 200,
    rounds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Of writing files and counting their maps.")
    ] = 2,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Count the grain maps that a bundle's writer chooses, and fit the table that codes them.

    It comes last, when the writer is what it will be. Files that were written before are not read with it.
    """
    with needing_torch():
        from wisp.train.grain_export import train_grain

        report = train_grain(
            folder,
            data,
            image_limit,
            rounds,
            threads=threads,
            note=(lambda text: None) if quiet else say,
        )
    show(f"{folder}: grain.npz; {report.before:.2f} bits a region before, {report.after[-1]:.2f} now")
