"""`wisp demo`: one photograph at one size by wisp and by what everybody has."""

from __future__ import annotations

import io
from importlib import resources
from typing import Annotated

import typer
from PIL import Image

from wisp.atomic import refuse_existing
from wisp.cli.options import ForceOption, ModelOption, ThreadsOption
from wisp.cli.peers import fit_peers
from wisp.cli.side_by_side import load_picture, run_wisp, write_strip
from wisp.imaging import format_of
from wisp.rate import parse_size

PHOTOGRAPH = "coffee.png"


def demo_command(
    image: Annotated[
        str | None,
        typer.Argument(metavar="[IMAGE]", help="Your own picture (default: a photograph that wisp brings)."),
    ] = None,
    size: Annotated[str, typer.Option(metavar="BYTES", help="The most bytes each file may have.")] = "2kB",
    out: Annotated[
        str, typer.Option(metavar="FILE", help="Where the pictures go, side by side.")
    ] = "wisp-demo.png",
    columns: Annotated[
        int | None,
        typer.Option(min=1, max=5, metavar="N", help="Pictures in a row (default: by their shape)."),
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
) -> None:
    """Show wisp beside AVIF, WebP and JPEG.

    A photograph is compressed to 2 kB and decompressed; the picture that is written shows it beside the
    others at the same number of bytes. What cannot be that small at full size is coded at a half, a quarter
    or an eighth of it, and the label says so.
    """
    budget = parse_size(size)
    format_of(out)
    refuse_existing(out, force)
    original = _load(image)

    wisp = run_wisp(original, budget, model, threads)
    write_strip(original, wisp, fit_peers(original, budget), columns, out)


def _load(path: str | None) -> Image.Image:
    """The picture to show, mode RGB, its longest side at most 1024 pixels."""
    if path is not None:
        return load_picture(path)
    source = resources.files("wisp.cli") / "photograph" / PHOTOGRAPH
    return load_picture(io.BytesIO(source.read_bytes()))
