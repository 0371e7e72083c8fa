"""`wisp decompress`: wisp files to pictures."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from wisp.api import reconstruct
from wisp.cli.batch import Job, plan_jobs, run_jobs
from wisp.cli.console import say
from wisp.cli.files import STREAM, check_output, naming, read_wisp, same_file, write_output
from wisp.cli.options import ForceOption, ModelOption, QuietOption, ThreadsOption
from wisp.cli.sequences import decompress_frames, reads_sequence, refuse_for_frames
from wisp.codecs.generation import make_generation
from wisp.container import DETAIL_VERSION
from wisp.errors import UsageError
from wisp.imaging import encode_picture, format_of, has_alpha
from wisp.rate import parse_size
from wisp.types import Fill, Reconstruction

_DEFAULT_FORMAT = "png"


def decompress_command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES", help="Wisp files, then a picture or a directory; - is stdin or stdout."
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="png, jpeg, webp, avif, tiff, bmp or ppm (default: what OUT ends in, or png).",
        ),
    ] = None,
    fill: Annotated[
        Fill, typer.Option(help="Show only what was sent, or make up some of the rest.")
    ] = Fill.smooth,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --fill generate: which picture of many (default: 0)."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(metavar="T", help="0 to 4: how bold; 0 takes what is likeliest (default: 1)."),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            metavar="P", help="Draw only from the likeliest that together have this share (default: 1)."
        ),
    ] = None,
    fill_depth: Annotated[
        int | None, typer.Option(metavar="D", help="How many groups of tokens every region is filled to.")
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Of a file that was cut, show what arrived.")
    ] = False,
    num_bytes: Annotated[
        str | None,
        typer.Option(
            "--bytes",
            metavar="BYTES",
            help="Read only the first so many, such as 500 or 2kB; show what they hold.",
        ),
    ] = None,
    confidence: Annotated[
        str | None,
        typer.Option(metavar="MAP", help="Also write how much of each region was received, white for all."),
    ] = None,
    first: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Of a .wisps sequence: the first frame to write.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of a .wisps sequence: how many frames to write.")
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Decompress wisp files to pictures.

    One file goes to OUT, whose suffix says the format, or beside itself as PNG if OUT is left out. Several go
    into a directory. A .wisps sequence goes into a directory of numbered frames, or a video. Text that
    `compress --text` wrote is read as well.
    """
    if reads_sequence(paths):
        refuse_for_frames(
            format=format,
            fill=fill is not Fill.smooth,
            seed=seed is not None,
            temperature=temperature is not None,
            top_p=top_p is not None,
            fill_depth=fill_depth,
            allow_partial=allow_partial,
            bytes=num_bytes,
            confidence=confidence,
        )
        return decompress_frames(
            paths, first=first, count=count, model=model, threads=threads, force=force, quiet=quiet
        )
    for name, value in (("--first", first), ("--count", count)):
        if value is not None:
            raise UsageError(f"expected {name} with a .wisps sequence, found other files; leave it out")
    options = _generation(fill, seed=seed, temperature=temperature, top_p=top_p, fill_depth=fill_depth)
    if format is not None:
        _check_format(format)
    limit = None if num_bytes is None else parse_size(num_bytes)
    partly = allow_partial or limit is not None
    jobs = plan_jobs(paths, f".{format or _DEFAULT_FORMAT}".lower())
    if confidence is not None:
        _check_confidence(confidence, jobs, force)

    def work(job: Job) -> None:
        kind = format or (_DEFAULT_FORMAT if job.target == STREAM else format_of(job.target))
        check_output(job.target, force)
        data, _ = read_wisp(job.source, limit)
        with naming(job.source):
            full = reconstruct(data, fill=fill, allow_partial=partly, model=model, threads=threads, **options)
        encoded = encode_picture(
            full.image, kind, generated=full.generated, partial=full.partial, exif=full.exif
        )
        outputs = [(job.target, encoded)]
        if confidence is not None:
            map_kind = _DEFAULT_FORMAT if confidence == STREAM else format_of(confidence)
            outputs.append((confidence, encode_picture(confidence_map(full), map_kind)))
        for target, encoded in outputs:
            write_output(target, encoded)
        if not quiet:
            name = "stdout" if job.target == STREAM else job.target
            if full.image.mode in ("LA", "RGBA") and not has_alpha(kind):
                say(f"note: {name}: {kind} has no transparency, which was put on white")
            if fill is Fill.generate and full.info.format_version == DETAIL_VERSION:
                say(f"note: {name}: --fill generate does nothing in a file with detail behind its tokens")
            say(f"{name}: {summary(full)}")

    run_jobs(jobs, work, quiet)


def summary(full: Reconstruction) -> str:
    """One line of what was received, and what was made up."""
    info = full.info
    shape = f"{info.width}x{info.height}"
    if full.drawn:
        return f"{shape}, drawn by a generator from one vector"
    scale = f" at 1/{1 << info.scale_exponent} of its size" if info.scale_exponent else ""
    line = f"{shape}, {float(full.confidence.mean()):.0%} of what the model can send{scale} was sent"
    if full.partial:
        line = f"{line} and arrived in {info.num_bytes} bytes; the rest is missing, nothing is verified"
    elif info.format_version == DETAIL_VERSION:
        line = f"{line}, and detail behind them"
    return f"{line}, {full.num_generated} tokens were made up" if full.num_generated else line


def confidence_map(full: Reconstruction) -> Image.Image:
    """A picture's confidence as mode L at its own size: 0 nothing was received, 255 everything."""
    side = full.region_side << full.info.scale_exponent
    shares_u8 = np.rint(255 * full.confidence).astype(np.uint8)
    whole = shares_u8.repeat(side, axis=0).repeat(side, axis=1)
    return Image.fromarray(np.ascontiguousarray(whole[: full.info.height, : full.info.width]))


def _generation(fill: Fill, **options: Any) -> dict[str, Any]:
    """The options of the fill that were given, checked before any input is read."""
    given = {name: value for name, value in options.items() if value is not None}
    if given and fill is not Fill.generate:
        name = next(iter(given)).replace("_", "-")
        raise UsageError(
            f"expected --fill generate with --{name}, found --fill {fill}; add it, or leave --{name} out"
        )
    make_generation(**{name.removeprefix("fill_"): value for name, value in given.items()})
    return given


def _check_format(name: str) -> None:
    try:
        format_of(f"any.{name}")
    except UsageError:
        raise UsageError(
            f"expected --format png, jpeg, webp, avif, tiff, bmp or ppm, found {name!r}; choose one of them"
        ) from None


def _check_confidence(path: str, jobs: list[Job], force: bool) -> None:
    if len(jobs) > 1:
        raise UsageError(
            f"expected one input with --confidence, found {len(jobs)}; decompress them one by one"
        )
    check_map(path, jobs[0].target, force)


def check_map(path: str, target: str, force: bool) -> None:
    """Refuse a place for the confidence map that is the picture's own, no picture's name, or taken."""
    if path == target or same_file(path, target):
        raise UsageError(f"expected another name for the confidence map, found {path!r} for both outputs")
    if path != STREAM:
        format_of(path)
    check_output(path, force)
