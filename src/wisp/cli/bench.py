"""`wisp bench NAME ...`: hands the rest of the command line to one of the benchmarks."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from wisp.cli.console import show
from wisp.errors import UsageError

BENCHMARKS = {
    "run": "quality beside JPEG, WebP, AVIF, JPEG XL and placeholders at equal bytes",
    "report": "one HTML page of what `run` measured",
    "against": "one run beside another at equal quality",
    "readme": "the README's figures, out of the results",
    "budgets": "whether a size is kept, and used",
    "rates": "whether one model meets any rate, and gets better with it",
    "speed": "time and memory",
    "lattice": "whether a periodic pattern is left in the pictures",
    "damage": "what one wrong or missing byte does",
    "tiny": "a few hundred bytes beside the best that others do with them",
    "roi": "what a region of interest gains at the same size",
    "limits": "what the model is bad at, as a sheet of pictures",
    "allocation": "ways to choose where bits go, at equal bytes",
    "progressive": "what the beginning of a file shows",
    "packets": "what is left of a picture when packets are lost",
    "repair": "what stands in for lost regions",
    "prior": "bits of the same tokens with tables and with the masked prior",
    "control_gic": "a routed model at shares of its levels: rates, coders, times, an ablation",
    "effort": "what more effort gains at equal bytes, and costs in time",
    "sequences": "clips as sequences, as frames alone, and by x264 and AV1",
    "generative": "faces by a latent vector, photographs by a latent grid: Generative Compression's tables",
    "pq_mim": "a model of uniform grain: its rate with and without the masked model, its hybrid mode",
    "exactness": "whether every runner and machine makes the same bytes with the masked prior",
    "coders": "how close the range coder comes to the ideal length",
    "latent_coders": "bytes of a Gaussian latent against what is left of it, in every code there is",
}


def bench_command(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="NAME [OPTIONS]", help="A benchmark and its own options.")
    ] = None,
) -> None:
    """Measure what wisp promises.

    `wisp bench` lists the benchmarks, `wisp bench NAME --help` explains one.
    """
    name, *rest = arguments or ["--help"]
    if name in ("--help", "-h"):
        show("Usage: wisp bench NAME [OPTIONS]")
        for known, answer in BENCHMARKS.items():
            show(f"  {known:<13} {answer}")
        return
    if name not in BENCHMARKS:
        raise UsageError(f"expected one of {', '.join(BENCHMARKS)}, found {name!r}; see `wisp bench`")
    try:
        code: int = import_module(f"wisp.bench.{name}").main(rest)
    except ModuleNotFoundError as fault:
        missing = (fault.name or "").partition(".")[0]
        if missing in ("", "wisp"):
            raise
        raise UsageError(f"expected the package {missing}, found none: install wisp-codec[bench]") from fault
    raise typer.Exit(code)
