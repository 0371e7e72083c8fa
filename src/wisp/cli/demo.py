"""`wisp demo`: one photograph at one size by wisp and by what everybody has."""

from __future__ import annotations

import io
import time
from importlib import resources
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from wisp.api import compress, decompress, open_image
from wisp.atomic import refuse_existing
from wisp.cli.console import say, show
from wisp.cli.options import ForceOption, ModelOption, ThreadsOption
from wisp.cli.peers import fit_peers
from wisp.cli.strip import Panel, columns_for, draw_strip
from wisp.imaging import format_of, save_picture
from wisp.rate import parse_size

PHOTOGRAPH = "coffee.png"
_LONGEST_SIDE = 1024  # pixels; the peers' searches take minutes on camera originals


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

    started = time.perf_counter()
    data = compress(original, size=budget, model=model, threads=threads)
    compressed = time.perf_counter()
    decoded = decompress(data, model=model, threads=threads)
    finished = time.perf_counter()

    peers = fit_peers(original, budget)
    panels = [
        Panel(original, "original", f"{original.width}x{original.height}"),
        Panel(decoded, "wisp", f"{len(data):,} bytes"),
        *(Panel(peer.image, peer.title, peer.detail) for peer in peers),
    ]
    save_picture(draw_strip(panels, columns or columns_for(*original.size, len(panels))), out)
    for panel in panels:
        show(f"{panel.title:<9} {panel.detail}")
    seconds = f"{compressed - started:.2f} s to compress and {finished - compressed:.2f} s to decompress"
    show(f"wisp took {seconds}, loading the model included")
    show(f"side by side: {Path(out)}")


def _load(path: str | None) -> Image.Image:
    """The picture to show, mode RGB, its longest side at most 1024 pixels."""
    if path is None:
        source = resources.files("wisp.cli") / "photograph" / PHOTOGRAPH
        picture = open_image(io.BytesIO(source.read_bytes()))
    else:
        picture = open_image(path)
    for note in picture.notes:
        say(f"note: {note}")
    image = Image.fromarray(np.asarray(picture.pixels_u8))
    longest = max(image.size)
    if longest > _LONGEST_SIDE:
        width, height = (max(1, round(side * _LONGEST_SIDE / longest)) for side in image.size)
        say(f"note: the picture was reduced from {image.width}x{image.height} to {width}x{height} for this")
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return image
