"""Times and peak memory of wisp and its peers at about the same bytes, each in processes of their own.

    wisp bench speed --image FILE --out results/NAME [--quick]

A missed limit is a result, not an error.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from wisp.bench.catalogue import WISP
from wisp.bench.codec import CodecUnavailable
from wisp.bench.command import command, command_parser, whole_number_list
from wisp.bench.pictures import read_picture
from wisp.bench.provenance import checkout, meta, note, require_place, usable_cores, write_json, write_text
from wisp.bench.speed_cells import BPP, FEW_REPEATS, PATIENCE_S, SpeedCells, SpeedPlan
from wisp.bench.speed_children import Children
from wisp.bench.speed_limits import figures
from wisp.bench.speed_peers import require
from wisp.bench.speed_table import summary
from wisp.errors import UsageError

CODECS = "wisp,jpeg,webp,avif,jxl"
SIZES = "4000x3000,6000x4000"
THREADS = "1,2"
REPEATS, QUICK_REPEATS = 7, 3
_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")


def parse_sizes(text: str) -> tuple[tuple[int, int], ...]:
    """Widths and heights from "4000x3000,6000x4000"; none from an empty text.

    Raises:
        UsageError: something else.
    """
    parts = [_SIZE.fullmatch(part) for part in text.split(",")] if text else []
    if not all(parts):
        raise UsageError(f"--sizes: expected sizes such as 4000x3000 with commas between, found {text!r}")
    return tuple((int(part[1]), int(part[2])) for part in parts if part)


def parse_threads(text: str) -> tuple[int, ...]:
    """Numbers of threads, rising, from a list with commas; those above the usable cores are left out, and said.

    Raises:
        UsageError: not numbers above 0, or none is left.
    """
    asked = sorted(set(whole_number_list("--threads", text, 1)))
    possible = tuple(number for number in asked if number <= usable_cores())
    if not possible:
        raise UsageError(f"--threads: expected at most {usable_cores()}, the usable cores, found {text!r}")
    if len(possible) < len(asked):
        note(f"left out: {asked[-1]} threads, of {usable_cores()} usable cores")
    return possible


def available(names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The codecs that can be used, wisp first, and why the others cannot.

    Raises:
        UsageError: a name is no codec's.
    """
    reasons: dict[str, str] = {}
    for name in names:
        if name != WISP:
            try:
                require(name)
            except CodecUnavailable as reason:
                reasons[name] = str(reason)
                note(f"codec {name} is not available: {reason}")
    found = dict.fromkeys(name for name in names if name not in reasons)
    return tuple(sorted(found, key=lambda name: name != WISP)), reasons


@command("speed")
def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = command_parser("speed", "times and peak memory", "out model")
    parser.add_argument("--image", type=Path, required=True, help="a photograph, best 768x512")
    parser.add_argument("--codecs", default=CODECS, help=f"names with commas between (default: {CODECS})")
    parser.add_argument("--sizes", help=f"further sizes, the photograph mirrored (default: {SIZES})")
    parser.add_argument(
        "--threads", default=THREADS, help=f"CPU cores a process may use (default: {THREADS})"
    )
    parser.add_argument(
        "--repeats",
        type=int,
        help=f"runs of each after a first (default: {REPEATS}; {FEW_REPEATS} where they take over {PATIENCE_S:g} s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"the photograph itself only, {QUICK_REPEATS} runs"
    )
    options = parser.parse_args(arguments)
    code = checkout()
    usual = QUICK_REPEATS if options.quick else REPEATS
    repeats = usual if options.repeats is None else options.repeats
    if repeats < 2:
        raise UsageError(f"--repeats: expected at least 2 runs, found {repeats}")
    require_place(options.out)
    further = parse_sizes(("" if options.quick else SIZES) if options.sizes is None else options.sizes)
    threads = parse_threads(options.threads)
    codecs, reasons = available(options.codecs.split(","))
    image = read_picture(options.image)
    sizes = tuple(dict.fromkeys((image.size, *further)))
    with tempfile.TemporaryDirectory() as folder:
        plan = SpeedPlan(codecs, sizes, threads, repeats, options.model)
        cells = SpeedCells(Children(Path(folder)), plan)
        cells.measure(image)
        kept = figures(cells) if WISP in codecs else []
    record = meta(
        "wisp.bench.speed",
        arguments,
        code,
        threads=list(threads),
        sizes=[f"{width}x{height}" for width, height in sizes],
        unavailable_codecs=reasons,
        failed_cells=cells.failures,
    )
    about = (
        f"{record['cpu_model']}, {record['cpu_cores']} cores; {BPP:g} bpp, or for a peer that cannot the "
        f"smallest file, unless said. Medians of the runs after the first, which is given by itself; the "
        "photograph is mirrored to larger sizes. Limits as in the project's design, with "
        f"threads = {max(threads)}. Columns are defined in results/FIELDS.md."
    )
    growths = cells.growths()
    found = {
        "rows": [asdict(row) for row in cells.rows],
        "growth": [asdict(g) for g in growths],
        "figures": [asdict(f) | {"kept": f.is_kept} for f in kept],
    }
    write_json(options.out / "speed.json", found)
    write_text(options.out / "summary.md", summary(cells.rows, growths, kept, about))
    write_json(options.out / "meta.json", record)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
