"""`wisp train`, `wisp export` and `wisp verify`: from a recipe to a released bundle. They need PyTorch."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from wisp.cli.console import say, show
from wisp.cli.faults import BAD_INPUT
from wisp.cli.options import ForceOption, QuietOption, ThreadsOption
from wisp.codecs.registry import refuse_released
from wisp.errors import UsageError

DataOption = Annotated[
    Path, typer.Option(metavar="DIR", help="Training photographs: pictures or tar shards.")
]


def train_command(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="A recipe, such as recipes/wisp_small.toml.")
    ],
    data: DataOption,
    minutes: Annotated[
        float, typer.Option(min=0, metavar="M", help="Wall-clock budget of the whole recipe.")
    ],
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Checkpoints and logs (default: runs/NAME of the recipe)."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Weights of the feature networks that may train.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Start from a bundle's weights (default: from random ones)."),
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures for the PSNR line; never trained on.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    max_steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after so many steps, for rehearsals.")
    ] = None,
    threads: ThreadsOption = None,
) -> None:
    """Train the model of a recipe.

    The stages share the minutes as the recipe says. Ctrl-C, or `kill`, keeps a checkpoint, with which --resume goes on.
    """
    with needing_torch():
        from wisp.train.checkpoint import FILE_NAME
        from wisp.train.recipe import load_recipe
        from wisp.train.run_options import RunOptions
        from wisp.train.trainers import trainer_of

        table = load_recipe(recipe)
        refuse_released(table.model_number)
        place = run or Path("runs") / table.name
        if not resume and (place / FILE_NAME).exists():
            raise UsageError(
                f"expected no checkpoint in {place}, found one; go on with --resume, or name another folder by --run"
            )
        options = RunOptions(
            data=data,
            run=place,
            minutes=minutes,
            weights=weights,
            start=start,
            preview=preview,
            resume=resume,
            device=device,
            threads=threads,
            max_steps=max_steps,
        )
        trainer = trainer_of(table, options)
        with ending_as_by_hand():
            trainer.train()
    show(f"{place}: {trainer.progress.total_step} steps")


def export_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or one of its checkpoints.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The bundle's folder.")],
    data: DataOption,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The bundle's name (default: the recipe's).")
    ] = None,
    image_limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Photographs on which the tables are fitted.")
    ] = 1200,
    card_notes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Markdown for the end of the model card.")
    ] = None,
    synthesis_only: Annotated[
        bool,
        typer.Option(
            "--synthesis-only", help="Renew the synthesis of an existing bundle; tokens must agree."
        ),
    ] = False,
    eight_bits: Annotated[
        bool, typer.Option("--eight-bits", help="Store the networks' large kernels in 8 bits, not 16.")
    ] = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the bundle of a trained model.

    A bundle is a folder with two networks, integer tables, a configuration, a card, and hashes of all.
    """
    if synthesis_only:
        with needing_torch():
            from wisp.train.replace_synthesis import replace_synthesis

            replace_synthesis(run, folder, eight_bits)
        show(f"{folder}: synthesis renewed")
        return
    with needing_torch():
        from wisp.train.export_options import ExportOptions
        from wisp.train.exports import export_any

        options = ExportOptions(
            force=force,
            image_limit=image_limit,
            name=name,
            card_notes=card_notes.read_text(encoding="utf-8") if card_notes else "",
            eight_bits=eight_bits,
            note=(lambda text: None) if quiet else say,
        )
        num_bytes = export_any(run, folder, data, options)
    show(f"{folder}: {num_bytes} bytes")


def verify_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle's folder.")],
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The run it came from, to compare with PyTorch.")
    ] = None,
) -> None:
    """Check a bundle against its run.

    It must do what the trained network does, and its files must survive a round trip. Exit code 1 if not.
    """
    with needing_torch():
        from wisp.train.verify import verify_bundle

        report = verify_bundle(folder, run)
    if report.token_agreement is not None:
        shares = ", ".join(f"{share:.2%}" for share in report.token_agreement)
        show(f"tokens that PyTorch and the bundle agree on, by level: {shares}")
    if report.mean_difference_u8 is not None:
        show(f"mean difference of the two syntheses: {report.mean_difference_u8:.3f} grey levels")
    show(f"test file: {report.file_num_bytes} bytes")
    show(f"tokens survive the file: {_yes(report.tokens_survive)}")
    show(f"written twice alike: {_yes(report.writes_alike)}")
    show("passed" if report.passed else "failed")
    if not report.passed:
        raise typer.Exit(BAD_INPUT)


@contextmanager
def ending_as_by_hand() -> Iterator[None]:
    """A process that is told to end (SIGTERM) stops as if by Ctrl-C, which one in the background does not hear."""

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the checkpoint is being written
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def needing_torch() -> Iterator[None]:
    """Say which extra brings a package that a plain installation lacks."""
    try:
        yield
    except ModuleNotFoundError as fault:
        missing = (fault.name or "").partition(".")[0]
        if missing in ("", "wisp"):
            raise
        raise UsageError(f"expected the package {missing}, found none: install wisp-codec[train]") from fault


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
