"""Periodic patterns in what is left after decoding, before and after a cure.

    wisp bench lattice --images DIR --out results/NAME --bpp 0.1 [--model PATH | --codec avif@1/2]
    wisp bench lattice --images DIR --decoded DIR --out results/NAME

The first form compresses with wisp, or with a peer, which shows what ratios photographs give of themselves.
The second takes pictures that something else decoded, of the same names.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.catalogue import WISP, codec_named
from wisp.bench.codec import Unreachable
from wisp.bench.command import command, command_parser
from wisp.bench.markdown import table
from wisp.bench.pictures import picture_paths, read_picture
from wisp.bench.provenance import meta, note, write_json, write_text
from wisp.bench.residual_lattice import (
    FLATTEST,
    LatticeRatios,
    ResidualSpectrum,
    lattice_ratios,
    ratios_of,
    residual_spectrum,
)
from wisp.errors import UsageError

__all__ = ["LatticeRatios", "lattice_ratios", "main"]

SHARES: dict[str, float | None] = {"flattest_quarter": FLATTEST, "all_blocks": None}


def decoder(options: argparse.Namespace) -> tuple[Callable[[Path, Image.Image], Image.Image], str]:
    """How to get a picture's decoded version, and what did it, for the record.

    Raises:
        UsageError: --decoded is no folder, or --bpp is not above 0.
    """
    if options.decoded is not None:
        folder: Path = options.decoded
        if not folder.is_dir():
            raise UsageError(
                f"--decoded: expected a folder of pictures, found {folder}; give an existing folder"
            )
        by_stem = {path.stem: path for path in picture_paths(folder)}

        def look_up(path: Path, image: Image.Image) -> Image.Image:
            if path.stem not in by_stem:
                raise UsageError(
                    f"--decoded: expected a picture named {path.stem}, found none; decode it first"
                )
            return read_picture(by_stem[path.stem])

        return look_up, "pictures from --decoded"
    if not options.bpp > 0.0:
        raise UsageError(f"--bpp: expected a number above 0, found {options.bpp}")
    codec = codec_named(options.codec, options.model)

    def round_trip(path: Path, image: Image.Image) -> Image.Image:
        found = codec.fit(image, budget_num_bytes(options.bpp, image.width, image.height))
        if isinstance(found, Unreachable):
            raise UsageError(
                f"--bpp: expected room for {codec.name}'s {found.smallest_num_bytes} bytes of {path.stem}, "
                f"found {options.bpp}; raise it"
            )
        return found.decoded

    return round_trip, codec.version


def _lines(name: str, ratios: LatticeRatios) -> list[list[str]]:
    return [
        [name, str(p.period_px), f"{p.horizontal:.2f}", f"{p.vertical:.2f}", f"{p.diagonal:.2f}"]
        for p in ratios.periods
    ]


def summary(overall: dict[str, LatticeRatios], worst: Sequence[tuple[str, float]]) -> str:
    """The page: the mean spectrum's ratios, and each picture's largest in its flattest quarter."""
    lines = [line for share, ratios in overall.items() for line in _lines(share, ratios)]
    page = [
        "# Lattice in the residual",
        "",
        "Power of decoded minus original luma at each period over the median power of its neighbours on the "
        "same line through the origin, in 128x128 blocks; 1 is no lattice.",
        "",
        *table(["blocks", "period, px", "horizontal", "vertical", "diagonal"], lines),
        "",
        "## Largest ratio of a picture, flattest quarter",
        "",
        *table(["image", "ratio"], [[name, f"{ratio:.2f}"] for name, ratio in worst]),
    ]
    return "\n".join(page) + "\n"


@command("lattice")
def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = command_parser("lattice", "periodic patterns", "out model")
    parser.add_argument("--images", type=Path, required=True, help="folder of originals")
    parser.add_argument("--decoded", type=Path, help="folder of decoded pictures, instead of using wisp")
    parser.add_argument("--bpp", type=float, default=0.1)
    parser.add_argument("--codec", default=WISP, help="wisp or a peer, such as avif@1/2")
    options = parser.parse_args(arguments)
    sums: dict[str, ResidualSpectrum] = {}
    images: dict[str, dict[str, LatticeRatios]] = {}
    decode, version = decoder(options)
    for path in picture_paths(options.images):
        image = read_picture(path)
        pair = (np.asarray(image), np.asarray(decode(path, image)))
        images[path.stem] = {}
        for share, flattest in SHARES.items():
            spectrum = residual_spectrum(*pair, flattest)
            sums[share] = sums[share] + spectrum if share in sums else spectrum
            images[path.stem][share] = ratios_of(spectrum)
        note(f"{path.stem}: largest ratio {images[path.stem]['flattest_quarter'].worst:.2f}")
    overall = {share: ratios_of(spectrum) for share, spectrum in sums.items()}
    record = {
        "overall": {share: asdict(ratios) for share, ratios in overall.items()},
        "images": {name: {s: asdict(r) for s, r in by_share.items()} for name, by_share in images.items()},
    }
    worst = [(name, by_share["flattest_quarter"].worst) for name, by_share in images.items()]
    worst.sort(key=lambda pair: -pair[1])
    write_json(options.out / "lattice.json", record)
    write_text(options.out / "summary.md", summary(overall, worst))
    write_json(options.out / "meta.json", meta("wisp.bench.lattice", arguments, decoded_by=version))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
