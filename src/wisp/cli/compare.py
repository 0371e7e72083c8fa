"""`wisp compare`: one picture by wisp and by other formats at equal bytes, on one labelled strip."""

from __future__ import annotations

from typing import Annotated

import typer

from wisp.atomic import refuse_existing
from wisp.cli.files import same_file
from wisp.cli.options import ForceOption, ModelOption, ThreadsOption
from wisp.cli.peers import fit_jpeg_xl, fit_peers
from wisp.cli.side_by_side import load_picture, run_wisp, write_strip
from wisp.errors import UsageError
from wisp.imaging import format_of
from wisp.rate import parse_size

_MOST_PANELS = 6  # the original, wisp, AVIF, WebP, JPEG and JPEG XL


def compare_command(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The picture to compare on.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="Where the strip goes, such as strip.png.")],
    size: Annotated[str, typer.Option(metavar="BYTES", help="The most bytes each file may have.")] = "2kB",
    columns: Annotated[
        int | None,
        typer.Option(
            min=1, max=_MOST_PANELS, metavar="N", help="Pictures in a row (default: by their shape)."
        ),
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
) -> None:
    """Show a picture by wisp, AVIF, WebP, JPEG and JPEG XL at equal bytes.

    What cannot be that small at full size is coded at a half, a quarter or an eighth of it, and the label says
    so. JPEG XL is shown where the package pillow-jxl-plugin is installed.
    """
    budget = parse_size(size)
    format_of(out)
    if same_file(image, out):
        raise UsageError(f"expected an output apart from the input, found {out!r} for both; name another")
    refuse_existing(out, force)
    original = load_picture(image)
    wisp = run_wisp(original, budget, model, threads)
    jpeg_xl = fit_jpeg_xl(original, budget)
    peers = [*fit_peers(original, budget), *([] if jpeg_xl is None else [jpeg_xl])]
    write_strip(original, wisp, peers, columns, out)
