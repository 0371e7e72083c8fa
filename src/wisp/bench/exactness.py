"""The proof of the integer law: tokens coded in several ways give the same bytes, and come back.

    wisp bench exactness --images DIR --out results/exactness      several ways on this machine
    wisp bench exactness --digest mine.json --label "my machine"   hashes of this environment
    wisp bench exactness --compare results/exactness/digest.json mine.json

With --out or --digest, --compare holds the files given against what was just made.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wisp.bench.command import command, command_parser
from wisp.bench.exactness_digest import (
    Comparison,
    Digest,
    compare_all,
    cpu_features,
    digest_map,
    hashes,
    read_digest,
)
from wisp.bench.exactness_maps import TokenMap, picture_maps, random_map
from wisp.bench.exactness_runners import Way, all_ways, model_files, numpy_way, onnxruntime_way, wasm_way
from wisp.bench.exactness_table import comparison_table, differences, summary, verdict
from wisp.bench.exactness_trials import Trial, cells, try_map
from wisp.bench.pictures import picture_paths
from wisp.bench.provenance import checkout, meta, note, require_place, write_json, write_text
from wisp.bench.wasm_runner import WasmProcess
from wisp.codecs import TokenPyramidCodec, codec_for_model
from wisp.errors import BudgetError, ImageError, UsageError

NAME = "wisp.bench.exactness"
WASM = "WebAssembly, 128 bits"
STEP = 100  # maps between two lines of progress


def random_maps(codec: TokenPyramidCodec, options: argparse.Namespace) -> list[TokenMap]:
    """As many as were asked for."""
    config = codec.bundle.config
    return [random_map(index, options.seed, config.strides, config.groups) for index in range(options.maps)]


def try_all(
    codec: TokenPyramidCodec, options: argparse.Namespace
) -> tuple[list[Trial], dict[str, str], dict[str, str]]:
    """Random maps and pictures in every way.

    Returns:
        the trials; for each random map its line of the digest; for each picture that was left out, why.
    """
    ways = all_ways(codec, options.window)
    trials: list[Trial] = []
    lines: dict[str, str] = {}
    skipped: dict[str, str] = {}

    def attempt(item: TokenMap) -> str:
        small = item.pyramid.shape.num_regions <= options.numpy_regions
        found, first = try_map(item, ways if small else ways[:-1])
        trials.extend(found)
        return hashes(item, first)

    for index, item in enumerate(random_maps(codec, options)):
        lines[item.name] = attempt(item)
        if (index + 1) % STEP == 0:
            note(f"{index + 1} random maps")
    for path in [] if options.images is None else picture_paths(options.images):
        note(path.name)
        try:
            for item in picture_maps(path, tuple(options.bpp), options.model):
                attempt(item)
        except (BudgetError, ImageError) as fault:
            skipped[path.name] = str(fault)
            note(f"left out: {fault}")
    return trials, lines, skipped


def digest_here(
    codec: TokenPyramidCodec,
    options: argparse.Namespace,
    runner: str,
    environment: dict[str, Any],
    maps: dict[str, str],
    not_read_back: Sequence[str] = (),
) -> Digest:
    """The digest of this environment, labelled."""
    label = options.label or environment["cpu_model"]
    files = model_files(codec.bundle.config.files)
    return Digest(label, runner, environment, files, options.seed, maps, list(not_read_back))


def digest_maps(codec: TokenPyramidCodec, options: argparse.Namespace, environment: dict[str, Any]) -> Digest:
    """The random maps with one runner."""
    process = WasmProcess(options.wasm) if options.runner == "wasm" else None
    try:
        way, runner = open_runner(codec, options, environment, process)
        lines, unread = {}, []
        for index, item in enumerate(random_maps(codec, options)):
            lines[item.name], is_read = digest_map(item, way)
            if not is_read:
                unread.append(item.name)
            if (index + 1) % STEP == 0:
                note(f"{index + 1} random maps")
    finally:
        if process is not None:
            process.close()
    if process is not None:
        environment = {
            **environment,
            "cpu_features": f"{WASM}; {environment['cpu_features']} in the last layer",
        }
    return digest_here(codec, options, runner, environment, lines, unread)


def open_runner(
    codec: TokenPyramidCodec,
    options: argparse.Namespace,
    environment: dict[str, Any],
    process: WasmProcess | None,
) -> tuple[Way, str]:
    """The way that --runner names, and what it is called with its version."""
    versions = environment["packages"]
    if process is not None:
        return wasm_way(codec, process), f"onnxruntime-web {process.version}"
    if options.runner == "numpy":
        return numpy_way(codec), f"numpy {versions['numpy']}, integers"
    threads = f"{options.threads} thread{'s' if options.threads > 1 else ''}"
    return (
        onnxruntime_way("onnxruntime", codec, options.threads),
        f"onnxruntime {versions['onnxruntime']}, {threads}",
    )


def environment_here(arguments: Sequence[str]) -> dict[str, Any]:
    """meta.json's record, and what the processor can do."""
    return {**meta(NAME, arguments, checkout()), "cpu_features": cpu_features()}


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError before anything is measured."""
    if options.out is not None and options.digest is not None:
        raise UsageError("expected --out or --digest, found both; run it twice")
    if options.out is None and options.digest is None and len(options.compare) < 2:
        raise UsageError("expected --out, --digest, or two files to --compare, found none of them")
    if options.images is not None and options.out is None:
        raise UsageError("--images: expected with --out alone; a digest is of random maps")
    if options.maps < 1 or options.threads < 1 or options.window < 1:
        raise UsageError("expected --maps, --threads and --window of at least 1, found less")
    if (options.runner == "wasm") != (options.wasm is not None):
        raise UsageError("expected --wasm FOLDER with --runner wasm, and with no other runner")
    if options.out is not None:
        require_place(options.out)
    if options.digest is not None:
        require_place(options.digest.parent)
        if options.digest.is_dir():
            raise UsageError(f"--digest: expected a file to write, found the folder {options.digest}")


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = command_parser("exactness", __doc__.split("\n", 1)[0], "model")
    made.add_argument("--out", type=Path, help="folder for the results of several ways on this machine")
    made.add_argument("--images", type=Path, help="folder of pictures, whose tokens are tried too")
    made.add_argument("--digest", type=Path, help="file for the hashes of this environment, one way only")
    made.add_argument("--compare", type=Path, nargs="+", default=[], help="digests to hold against the first")
    made.add_argument("--maps", type=int, default=1000, help="random maps")
    made.add_argument("--seed", type=int, default=0, help="of the random maps")
    made.add_argument("--bpp", type=float, nargs="+", default=[0.02, 0.1], help="rates of the pictures")
    made.add_argument("--window", type=int, default=16, help="positions of a window")
    made.add_argument(
        "--numpy-regions", type=int, default=400, help="the largest map, in regions, that numpy runs"
    )
    made.add_argument("--runner", choices=["onnxruntime", "numpy", "wasm"], default="onnxruntime")
    made.add_argument("--threads", type=int, default=1, help="of onnxruntime, for a digest")
    made.add_argument("--wasm", type=Path, help="folder that holds node_modules/onnxruntime-web")
    made.add_argument("--label", help="what to call this environment in a digest")
    return made


@command("exactness")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when nothing differs, 1 when something does."""
    options = parser().parse_args(arguments)
    check_options(options)
    others = [read_digest(path) for path in options.compare]
    if options.out is None and options.digest is None:
        return _compare(others)
    environment = environment_here(arguments)
    codec = codec_for_model(options.model, 1)
    # Digests of another model are refused now and not after the measurement.
    compare_all([digest_here(codec, options, "", environment, {}), *others])
    if options.out is not None:
        return _measure(codec, options, others, environment, arguments)
    mine = digest_maps(codec, options, environment)
    write_json(options.digest, asdict(mine))
    return _compare([mine, *others])


def _compare(digests: list[Digest]) -> int:
    """Print how the others stand to the first; 1 if something differs."""
    first = digests[0]
    comparisons = compare_all(digests)
    found = [f"{name}, {first.label}: its own payload did not come back" for name in first.not_read_back]
    found += _differences([], comparisons)
    page = [
        f"{len(first.maps)} maps of {first.label}, {first.runner}; {first.environment['cpu_features']}.",
        "",
    ]
    if comparisons or found:
        page += [*verdict(found), *comparison_table(comparisons)]
    print("\n".join(page))
    return 1 if found else 0


def _measure(
    codec: TokenPyramidCodec,
    options: argparse.Namespace,
    others: list[Digest],
    environment: dict[str, Any],
    arguments: Sequence[str],
) -> int:
    """Try all ways and write the results; 1 if something differs."""
    trials, lines, skipped = try_all(codec, options)
    first = digest_here(
        codec, options, f"onnxruntime {environment['packages']['onnxruntime']}, 1 thread", environment, lines
    )
    comparisons = compare_all([first, *others])
    found = _differences(trials, comparisons)
    page = summary(trials, options.window, first, comparisons, found)
    record = {"cells": cells(trials), "environments": [asdict(c) for c in comparisons], "differences": found}
    write_json(options.out / "cells.json", record)
    write_json(options.out / "digest.json", asdict(first))
    write_text(options.out / "summary.md", page)
    ended = environment_here(arguments)["date"]
    write_json(options.out / "meta.json", {**environment, "date": ended, "skipped_images": skipped})
    print(page)
    return 1 if found else 0


def _differences(trials: Sequence[Trial], comparisons: Sequence[Comparison]) -> list[str]:
    empty = [f"{c.label}: no map in common" for c in comparisons if c.num_maps == 0]
    return [*differences(trials), *empty, *(line for c in comparisons for line in c.differences)]


if __name__ == "__main__":
    raise SystemExit(main())
