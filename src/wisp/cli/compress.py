"""`wisp compress`: pictures to wisp files."""

from __future__ import annotations

import os
import re
import sys
from enum import StrEnum
from functools import partial
from typing import Annotated, Literal

import numpy as np
import typer
from PIL import Image, ImageChops

from wisp.api import compress, open_image, read_info
from wisp.cli.batch import Job, plan_jobs, run_jobs
from wisp.cli.console import say
from wisp.cli.files import STREAM, armoured, check_output, refuse_picture_name, write_output
from wisp.cli.options import ForceOption, ModelOption, QuietOption, ThreadsOption
from wisp.cli.sequences import compress_frames, makes_sequence, refuse_for_frames
from wisp.codecs.by_hand import make_granularity, refuse_company
from wisp.codecs.latent_options import note_on_domain, refuse_company_of_channels
from wisp.codecs.looking import USUAL_EFFORT
from wisp.errors import UsageError
from wisp.imaging import Picture
from wisp.rate import UNITS, make_target

SUFFIX = ".wisp"
USUAL_STRENGTH = 8.0
TEXT_SUFFIX = ".txt"
AUTO = "auto"  # a mask of that name is ./auto
EXIF = "exif"
MUCH_LEFT, FEW = 0.1, 16  # a share of the budget and bytes: what stays unused is then worth a word
_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?)%")


class AlphaRule(StrEnum):
    """What happens to transparency."""

    white = "white"
    keep = "keep"


def compress_command(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILES", help="Pictures, then a file or a directory; - is stdin or stdout."),
    ],
    size: Annotated[
        str | None,
        typer.Option(metavar="BYTES", help="The most bytes a file may have, such as 300, 2kB or 1.5KiB."),
    ] = None,
    bpp: Annotated[float | None, typer.Option(metavar="RATE", help="The same, as bits per pixel.")] = None,
    quality: Annotated[
        float | None, typer.Option(metavar="0..100", help="Let the size follow the content (default: 50).")
    ] = None,
    roi: Annotated[
        str | None,
        typer.Option(
            metavar="MASK|auto",
            help="A picture of the same shape, white where it matters; or what is unusual in it.",
        ),
    ] = None,
    roi_strength: Annotated[
        float | None,
        typer.Option(metavar="1..1000", help="How many times an error weighs inside the mask (default: 8)."),
    ] = None,
    ratios: Annotated[
        str | None,
        typer.Option(
            metavar="F,M,C",
            help="Shares of the area at fine, medium and coarse granularity, such as 0.1,0.4,0.5.",
        ),
    ] = None,
    grain_map: Annotated[
        str | None,
        typer.Option(
            metavar="MAP", help="A picture of the same shape, or of a pixel a region: how deep each is sent."
        ),
    ] = None,
    model: ModelOption = None,
    alpha: Annotated[
        AlphaRule, typer.Option(help="Put transparent parts on white, or keep the alpha plane.")
    ] = (AlphaRule.white),
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="exif|SHARE",
            help="Keep the EXIF block, which is dropped otherwise; or, with a model of uniform grain, tokens "
            "at a share of the positions only, such as 50%.",
        ),
    ] = None,
    huffman: Annotated[
        bool,
        typer.Option(
            "--huffman",
            help="Code tokens by a Huffman code, as Control-GIC was published (control_gic only).",
        ),
    ] = False,
    channels: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="How many channels of the latent are sent, 1 to 28 (vae_gan only)."
        ),
    ] = None,
    effort: Annotated[
        int,
        typer.Option(
            min=0,
            max=9,
            metavar="0..9",
            help="Depths looked at first: to 4 none, 5 three, 6 seven, 7 to 9 all; from 4 on tokens are searched for.",
        ),
    ] = USUAL_EFFORT,
    fps: Annotated[
        str | None,
        typer.Option(
            metavar="RATE", help="Frames a second of a .wisps sequence (default: the video's, or 25)."
        ),
    ] = None,
    key_every: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Of a .wisps sequence: frames from one key frame to the next, at most (24)."
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Write letters and digits that can be pasted.")
    ] = False,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compress pictures to wisp files.

    One picture goes to OUT, or beside itself with the suffix .wisp if OUT is left out. Several go into a
    directory. Into an OUT that ends in .wisps go a folder of frames, pictures in order, or a video. Give one of
    --size, --bpp and --quality, or none for quality 50; or choose the granularity yourself by --ratios or
    --grain-map, from which the size follows.
    """
    if makes_sequence(paths):
        refuse_for_frames(
            bpp=bpp,
            roi=roi,
            roi_strength=roi_strength,
            ratios=ratios,
            grain_map=grain_map,
            keep=keep,
            huffman=huffman,
            channels=channels,
            text=text,
            alpha=alpha is AlphaRule.keep,
            effort=effort != USUAL_EFFORT,
        )
        return compress_frames(
            paths,
            size=size,
            quality=quality,
            fps=fps,
            key_every=key_every,
            model=model,
            threads=threads,
            force=force,
            quiet=quiet,
        )
    if roi_strength is not None and roi is None:
        raise UsageError("expected --roi-strength with --roi, found no mask; give one, or leave it out")
    if fps is not None or key_every is not None:
        raise UsageError("expected --fps and --key-every with an output that ends in .wisps, found another")
    shares = None if ratios is None else parse_ratios(ratios)
    _refuse_company(
        shares, grain_map, size=size, bpp=bpp, quality=quality, roi=roi, keep=_parse_keep(keep or [])[1]
    )
    refuse_company_of_channels(channels, size=size, bpp=bpp, quality=quality)
    target = make_target(size, bpp, quality)  # contradictions are told before a picture is read
    _refuse_stray_unit(size, paths)
    jobs = plan_jobs(paths, TEXT_SUFFIX if text else SUFFIX)
    if any(job.source == STREAM for job in jobs) and STREAM in (roi, grain_map):
        raise UsageError("expected one input from stdin, found - for the picture and for the mask")
    mask = None if roi is None else _load_roi(roi)
    keep_exif, share = _parse_keep(keep or [])
    make = partial(
        compress,
        size=size,
        bpp=bpp,
        quality=quality,
        roi=mask,
        roi_strength=USUAL_STRENGTH if roi_strength is None else roi_strength,
        ratios=shares,
        grain_map=None if grain_map is None else _load_mask(grain_map),
        keep=share,
        huffman=huffman,
        channels=channels,
        effort=effort,
        model=model,
        alpha=alpha.value,
        keep_exif=keep_exif,
        threads=threads,
    )

    def work(job: Job) -> None:
        refuse_picture_name(job.target)
        check_output(job.target, force, text=text)
        source = sys.stdin.buffer if job.source == STREAM else job.source
        picture = open_image(source, alpha=alpha.value, keep_exif=keep_exif)
        data = make(picture)
        write_output(job.target, armoured(data) if text else data)
        if not quiet:
            domain = None if model is None else note_on_domain(picture, model, threads)
            budget = target.budget(picture.width, picture.height)
            _report(job, picture, data, domain, budget, many=len(jobs) > 1)

    run_jobs(jobs, work, quiet)


def _refuse_stray_unit(size: str | None, paths: list[str]) -> None:
    """`--size 2 kB a.jpg` would make a directory of that name."""
    for path in paths:
        if size is not None and path.lower() in UNITS and not os.path.lexists(path):
            raise UsageError(
                f"expected files, found the unit {path!r}; write --size {size}{path}, without a space"
            )


def parse_ratios(text: str) -> tuple[float, ...]:
    """Shares out of a list with commas.

    Raises:
        UsageError: a part is no number.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--ratios: expected numbers with commas between, found {text!r}") from None


def _refuse_company(shares: tuple[float, ...] | None, grain_map: str | None, **others: object) -> None:
    """Contradictions and impossible shares, before a picture or a map is read."""
    granularity = make_granularity(shares, None if grain_map is None else np.zeros((1, 1), np.uint8))
    if granularity is not None:
        refuse_company(granularity, **others)


def _load_roi(path: str) -> Image.Image | Literal["auto"]:
    return "auto" if path == AUTO else _load_mask(path)


def _parse_keep(values: list[str]) -> tuple[bool, float | None]:
    """Whether EXIF is kept, and the share of the positions, None if none was given.

    Raises:
        UsageError: a value is neither exif nor a share in per cent, or there are two shares.
    """
    shares = []
    for value in values:
        if value != EXIF:
            match = _SHARE.fullmatch(value)
            if match is None:
                raise UsageError(f"expected --keep exif or --keep with a share such as 50%, found {value!r}")
            shares.append(float(match[1]) / 100)
    if len(shares) > 1:
        raise UsageError(f"expected one share with --keep, found {len(shares)}; leave one out")
    return EXIF in values, shares[0] if shares else None


def _load_mask(path: str) -> Image.Image:
    """A mask of mode L; what is transparent in it does not matter."""
    picture = open_image(sys.stdin.buffer if path == STREAM else path, alpha="keep")
    mask = Image.fromarray(np.asarray(picture.pixels_u8)).convert("L")
    if picture.alpha_u8 is not None:
        mask = ImageChops.multiply(mask, Image.fromarray(np.asarray(picture.alpha_u8)))
    return mask


def _report(
    job: Job, picture: Picture, data: bytes, domain: str | None, budget: int | None, *, many: bool
) -> None:
    notes = [*picture.notes, *([] if domain is None else [domain])]
    if budget is not None and (left := budget - len(data)) >= max(MUCH_LEFT * budget, FEW):
        notes.append(f"{left} of {budget} bytes are left over; the model has no fuller file within them")
    for note in notes:
        say(f"note: {job.source}: {note}" if many else f"note: {note}")
    info = read_info(data)
    name = "stdout" if job.target == STREAM else job.target
    say(f"{name}: {info.num_bytes} bytes, {info.rate_bpp:.4f} bpp, {info.width}x{info.height}")
