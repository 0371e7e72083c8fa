"""wisp and its peers on a folder of pictures at equal bytes.

    python -m wisp.bench.kodak --images DIR --weights DIR --out results/NAME --bpp 0.05,0.1,0.2

A run that was stopped goes on where it was: rows that are still current are not measured again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.catalogue import codec_named
from wisp.bench.codec import AbstractCodec, Unreachable
from wisp.bench.equal_bytes_table import summary
from wisp.bench.pictures import picture_hash, picture_paths, read_picture
from wisp.bench.provenance import meta, note, write_json, write_text
from wisp.bench.row_store import Row, RowStore
from wisp.errors import UsageError, WispError
from wisp.rate import rate_bpp

if TYPE_CHECKING:
    from wisp.bench.metrics.panel import MetricPanel, Reference

CODECS = "wisp,jpeg,webp,avif,webp@1/2,webp@1/4,avif@1/2,avif@1/4"


def measure(
    image: Image.Image,
    name: str,
    codec: AbstractCodec,
    budget_bpp: float,
    reference: Reference,
    panel: MetricPanel,
) -> Row:
    """One row: the codec's best file within the budget, decoded and compared."""
    budget = budget_num_bytes(budget_bpp, image.width, image.height)
    found = codec.fit(image, budget)
    distances = None if isinstance(found, Unreachable) else reference.compare(found.decoded)
    num_bytes = None if isinstance(found, Unreachable) else found.data_num_bytes
    return Row(
        image=name,
        codec=codec.name,
        budget_bpp=budget_bpp,
        budget_num_bytes=budget,
        reached=num_bytes is not None and num_bytes <= budget,
        num_bytes=num_bytes,
        rate_bpp=None if num_bytes is None else rate_bpp(num_bytes, image.width, image.height),
        psnr_db=distances.psnr_db if distances else None,
        lpips_squeeze=distances.lpips_squeeze if distances else None,
        feature_distance=distances.feature_distance if distances else None,
        texture_distance=distances.texture_distance if distances else None,
        setting=None if isinstance(found, Unreachable) else found.setting,
        smallest_num_bytes=found.smallest_num_bytes if isinstance(found, Unreachable) else None,
        image_hash=picture_hash(image),
        codec_version=codec.version,
        metrics_version=panel.version,
    )


def collect(
    paths: Sequence[Path],
    codecs: Sequence[AbstractCodec],
    budgets: Sequence[float],
    panel: MetricPanel,
    store: RowStore,
) -> list[Row]:
    """All rows of the run, each from the store where it is current, measured and stored where not."""
    rows: list[Row] = []
    for count, path in enumerate(paths, start=1):
        image = read_picture(path)
        image_hash = picture_hash(image)
        reference: Reference | None = None
        measured = 0
        for codec in codecs:
            for bpp in budgets:
                row = store.current((bpp, codec.name, path.stem), image_hash, codec.version, panel.version)
                if row is None:
                    reference = reference or panel.reference(image)
                    row = measure(image, path.stem, codec, bpp, reference, panel)
                    store.add(row)
                    measured += 1
                rows.append(row)
        note(f"{count}/{len(paths)} {path.stem}: {measured} rows measured")
    store.tidy()
    return rows


def _load_panel(weights: Path | None) -> MetricPanel:
    try:
        from wisp.bench.metrics.panel import MetricPanel
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"the metrics need {missing.name}, which is not installed; pip install 'wisp-codec[bench]'"
        ) from missing
    return MetricPanel(weights)


def parse_budgets(text: str) -> list[float]:
    """Bits per pixel from a list with commas, each above 0."""
    try:
        budgets = [float(part) for part in text.split(",")]
    except ValueError:
        budgets = []
    if not budgets or not all(0.0 < bpp < float("inf") for bpp in budgets):
        raise UsageError(f"--bpp: expected numbers above 0 with commas between, found {text!r}")
    return budgets


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, or 1 with one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m wisp.bench.kodak", description="codecs at equal bytes")
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--weights", type=Path, help="folder of the metrics' weights")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--bpp", default="0.05,0.1,0.2")
    parser.add_argument("--codecs", default=CODECS)
    parser.add_argument("--model", help="wisp's model: a name or a bundle's path")
    options = parser.parse_args(arguments)
    try:
        budgets = parse_budgets(options.bpp)
        codecs = [codec_named(name, options.model) for name in options.codecs.split(",")]
        paths = picture_paths(options.images)
        panel = _load_panel(options.weights)
        store = RowStore(options.out / "rows.jsonl")
        rows = collect(paths, codecs, budgets, panel, store)
    except WispError as fault:
        print(f"kodak: {fault}", file=sys.stderr)
        return 1
    names = [codec.name for codec in codecs]
    versions = {codec.name: codec.version for codec in codecs}
    write_text(options.out / "summary.md", summary(rows, names, budgets))
    about = meta("wisp.bench.kodak", arguments, codecs=versions, metrics_version=panel.version)
    write_json(options.out / "meta.json", about)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
