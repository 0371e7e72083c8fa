"""`wisp check`: are files whole and undamaged?"""

from __future__ import annotations

from typing import Annotated

import typer

from wisp.cli.batch import Job, run_jobs
from wisp.cli.console import say
from wisp.cli.files import STREAM, naming, read_wisp
from wisp.cli.options import ModelOption, QuietOption, ThreadsOption
from wisp.cli.sequences import check_frames, reads_sequence
from wisp.integrity import check


def check_command(
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="Wisp files; - is stdin.")],
    model: ModelOption = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check that wisp files are whole and undamaged.

    Tokens are decoded and compared with the check of each file, and no picture is made; of a .wisps sequence all frames
    are. Files at fault are named, and the exit code is 1.
    """

    def work(job: Job) -> None:
        if reads_sequence([job.source]):
            check_frames(job.source, model, threads)
        else:
            data, _ = read_wisp(job.source)
            with naming(job.source):
                check(data, model=model, threads=threads)

    run_jobs([Job(name, STREAM) for name in files], work, quiet)
    if not quiet:
        say(f"{files[0]}: whole" if len(files) == 1 else f"{len(files)} files: all whole")
