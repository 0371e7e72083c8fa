"""`wisp train-prior`: a masked prior for an exported bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wisp.cli.console import say, show
from wisp.cli.options import QuietOption, ThreadsOption
from wisp.cli.training import DataOption, needing_torch


def train_prior_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The bundle, which gains a prior.npz.")],
    data: DataOption,
    minutes: Annotated[
        float,
        typer.Option(min=0, metavar="M", help="Minutes of training; collecting the tokens comes on top."),
    ],
    tokens: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the photographs' tokens here between runs.")
    ] = None,
    image_limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Photographs to use, evenly spread (default: all).")
    ] = None,
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="Use every photograph as in a mirror too.")
    ] = False,
    max_steps: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Stop each level after so many steps, for rehearsals."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Train on from a bundle's prior (default: from random weights)."),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0, metavar="R", help="The highest rate (default: 0.003, from a start 0.0015)."),
    ] = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a bundle's masked prior on its own tokens of photographs.

    The prior lowers the bits of the tokens; a bundle that has one writes files which need it.
    """
    with needing_torch():
        from wisp.train.prior_export import train_prior

        report = train_prior(
            folder,
            data,
            minutes,
            cache=tokens,
            image_limit=image_limit,
            mirrored=mirrored,
            max_steps=max_steps,
            threads=threads,
            start=start,
            learning_rate=learning_rate,
            note=(lambda text: None) if quiet else say,
        )
    show(f"{folder}: prior.npz of {report.num_bytes} bytes")
