"""One picture by wisp and by its peers at equal bytes: what `demo` and `compare` share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from wisp.api import compress, decompress, open_image
from wisp.cli.console import say, show
from wisp.cli.peers import PeerResult
from wisp.cli.strip import Panel, columns_for, draw_strip
from wisp.imaging import save_picture

LONGEST_SIDE = 1024  # pixels; the peers' searches take minutes on camera originals


@dataclass(frozen=True)
class WispResult:
    """What wisp makes of a picture.

    Attributes:
        image: the decompressed picture.
        num_bytes: size of the whole file.
        compress_s, decompress_s: seconds, the model's loading included in the first.
    """

    image: Image.Image
    num_bytes: int
    compress_s: float
    decompress_s: float


def load_picture(source: str | IO[bytes]) -> Image.Image:
    """A picture to show, mode RGB, its longest side at most 1024 pixels; says what was done to it.

    Raises:
        ImageError: not a picture.
    """
    picture = open_image(source)
    for note in picture.notes:
        say(f"note: {note}")
    image = Image.fromarray(np.asarray(picture.pixels_u8))
    longest = max(image.size)
    if longest > LONGEST_SIDE:
        width, height = (max(1, round(side * LONGEST_SIDE / longest)) for side in image.size)
        say(f"note: the picture was reduced from {image.width}x{image.height} to {width}x{height} for this")
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return image


def run_wisp(image: Image.Image, size: int, model: str | None, threads: int | None) -> WispResult:
    """Compress to `size` bytes and decompress.

    Raises:
        BudgetError: no file is that small.
        ModelError: the model cannot be used.
    """
    started = time.perf_counter()
    data = compress(image, size=size, model=model, threads=threads)
    compressed = time.perf_counter()
    decoded = decompress(data, model=model, threads=threads)
    finished = time.perf_counter()
    return WispResult(decoded, len(data), compressed - started, finished - compressed)


def write_strip(
    original: Image.Image, wisp: WispResult, peers: Sequence[PeerResult], columns: int | None, out: str
) -> None:
    """Draw all side by side, write the strip and list what it shows on stdout.

    Args:
        columns: pictures in a row; None decides by their shape.
        out: a file name whose suffix is a picture's.
    """
    panels = [
        Panel(original, "original", f"{original.width}x{original.height}"),
        Panel(wisp.image, "wisp", f"{wisp.num_bytes:,} bytes"),
        *(Panel(peer.image, peer.title, peer.detail) for peer in peers),
    ]
    save_picture(draw_strip(panels, columns or columns_for(*original.size, len(panels))), out)
    for panel in panels:
        show(f"{panel.title:<9} {panel.detail}")
    show(
        f"wisp took {wisp.compress_s:.2f} s to compress, loading the model included, and {wisp.decompress_s:.2f} s "
        "to decompress with the model loaded"
    )
    show(f"side by side: {Path(out)}")
