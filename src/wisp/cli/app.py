"""The commands, and how they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from wisp import __version__
from wisp.cli.bench import bench_command
from wisp.cli.check import check_command
from wisp.cli.compare import compare_command
from wisp.cli.compress import compress_command
from wisp.cli.console import show, tolerate_narrow_encodings
from wisp.cli.decompress import decompress_command
from wisp.cli.demo import demo_command
from wisp.cli.distance import train_distance_command
from wisp.cli.faults import BAD_USAGE
from wisp.cli.forecast import train_forecast_command
from wisp.cli.grain import train_grain_command
from wisp.cli.info import info_command
from wisp.cli.invert import invert_command
from wisp.cli.models import models_command
from wisp.cli.options import FilesCommand
from wisp.cli.packets import packets_command
from wisp.cli.prior import train_prior_command
from wisp.cli.training import export_command, train_command, verify_command

_HELP = {"help_option_names": ["-h", "--help"]}

# Plain help and errors: typer's boxes load rich, which would double the time to the first line.
app = typer.Typer(
    name="wisp",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)
_FILES: dict[str, Callable[..., None]] = {
    "compress": compress_command,
    "decompress": decompress_command,
    "packets": packets_command,
    "invert": invert_command,
}
_OTHERS: dict[str, Callable[..., None]] = {
    "info": info_command,
    "check": check_command,
    "models": models_command,
    "demo": demo_command,
    "compare": compare_command,
    "train": train_command,
    "train-distance": train_distance_command,
    "train-forecast": train_forecast_command,
    "train-grain": train_grain_command,
    "train-prior": train_prior_command,
    "export": export_command,
    "verify": verify_command,
}
for _name, _command in _FILES.items():
    app.command(_name, cls=FilesCommand, context_settings=_HELP)(_command)
for _name, _command in _OTHERS.items():
    app.command(_name, context_settings=_HELP)(_command)
app.command(
    "bench",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)(bench_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        show(f"wisp {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _wisp(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A photograph in 200 bytes, 2 kB or 20 kB."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(BAD_USAGE)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; errors come out as exceptions (see wisp.cli.faults)."""
    tolerate_narrow_encodings()
    command = typer.main.get_command(app)
    code = command.main(
        args=None if arguments is None else list(arguments), prog_name="wisp", standalone_mode=False
    )
    return code if isinstance(code, int) else 0
