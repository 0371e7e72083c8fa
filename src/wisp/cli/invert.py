"""`wisp invert`: a face to a wisp file by searching a generator's latent. It needs PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wisp.cli.batch import Job, plan_jobs, run_jobs
from wisp.cli.compress import SUFFIX
from wisp.cli.console import say
from wisp.cli.files import check_output, refuse_picture_name, write_output
from wisp.cli.options import ForceOption, QuietOption, ThreadsOption
from wisp.cli.training import needing_torch
from wisp.errors import UsageError
from wisp.rate import parse_size

USUAL_SIZE, PUBLISHED_SIZE = (
    "120",
    "250",
)  # of a file; of the steps that are looked for before they are published


def invert_command(
    paths: Annotated[
        list[str], typer.Argument(metavar="FILES", help="Pictures of faces, then a file or a directory.")
    ],
    size: Annotated[
        str | None,
        typer.Option(metavar="BYTES", help="The most bytes a file may have, such as 60 (default: 120)."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps of the search, at most.")] = 200,
    minutes: Annotated[
        float | None, typer.Option(min=0, metavar="M", help="Wall-clock of the search, at most.")
    ] = None,
    starts: Annotated[int, typer.Option(min=1, max=4, metavar="1..4", help="Vectors to start from.")] = 3,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Weights of a feature network; pixels alone without them."),
    ] = None,
    published: Annotated[
        int | None,
        typer.Option(
            "--published",
            min=1,
            max=8,
            metavar="1..8",
            help="Code the vector as published, QSGD with so many bits and Elias codes; the size follows.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A model of latent vectors.")
    ] = "gan_inversion",
    threads: ThreadsOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compress faces by inversion; needs the extra [train].

    The latent of `compress --model gan_inversion` is a network's guess; this looks for a better one, by gradients
    through the generator, and rounds it while it looks. Ctrl-C ends the search, the best so far is written, and
    the exit code is 130.
    """
    if published is not None and size is not None:
        raise UsageError(
            "expected --published without --size, found both; the size follows from the bits, leave one out"
        )
    num_bytes = parse_size(size or (USUAL_SIZE if published is None else PUBLISHED_SIZE))
    jobs = plan_jobs(paths, SUFFIX)

    def work(job: Job) -> None:
        refuse_picture_name(job.target)
        check_output(job.target, force)
        with needing_torch():
            data, line, note, interrupted = _invert(
                job.source, num_bytes, steps, minutes, starts, weights, published, model, threads, quiet
            )
        write_output(job.target, data)
        if not quiet:
            if note is not None:
                say(f"note: {note}")
            say(f"{job.target}: {len(data)} bytes, {line}")
        if interrupted:
            raise KeyboardInterrupt  # the pictures behind it are not searched

    run_jobs(jobs, work, quiet)


def _invert(
    source: str,
    num_bytes: int,
    steps: int,
    minutes: float | None,
    starts: int,
    weights: Path | None,
    published: int | None,
    model: str,
    threads: int | None,
    quiet: bool,
) -> tuple[bytes, str, str | None, bool]:
    """A picture's file, what was found, in words, a note on the model's domain if any, and whether Ctrl-C came."""
    import torch
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from wisp.api import open_image
    from wisp.codecs import LatentVectorCodec, any_codec_for_model
    from wisp.codecs.latent_options import note_on_domain
    from wisp.train.inversion import InversionOptions
    from wisp.train.invert_pictures import invert_pictures, published_file

    if threads is not None:
        torch.set_num_threads(threads)
    codec = any_codec_for_model(model, threads)
    if not isinstance(codec, LatentVectorCodec):
        raise UsageError(f"expected a model of latent vectors, found {model}; use gan_inversion")
    picture = open_image(source)
    options = InversionOptions(steps=steps, minutes=minutes, starts=starts)
    console = Console(stderr=True, quiet=quiet or not Console(stderr=True).is_terminal)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("searching", total=steps)
        (data,), found = invert_pictures(
            codec,
            [picture],
            num_bytes,
            options,
            weights,
            lambda step, score: bar.update(
                task, completed=step, description=f"searching, error {score:.2f} of the first"
            ),
        )
    line = f"{found.num_steps} steps" + (", interrupted" if found.interrupted else "")
    score = float(found.scores[0])
    line += (
        f", error {score:.2f} of the network's guess" if score < 1 else ", no better than the network's guess"
    )
    if published is not None:
        data = published_file(codec, picture, found, 0, published)
    return data, line, note_on_domain(picture, model, threads), found.interrupted
