"""What several commands share: options, and a usage line for lists of files."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|PATH", help="A model's name, or the folder of a bundle."),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, metavar="N", help="Processors to use (default: WISP_THREADS, or up to 8)."
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", "-f", help="Overwrite an output that exists.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class FilesCommand(TyperCommand):
    """A command whose arguments are read the way `cp` reads them; typer has no words for that."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What follows the command's name in its usage line."""
        return ["[OPTIONS]", "IN...", "[OUT]"]
