"""A model of uniform grain: its rate with and without the masked model, and its hybrid mode.

    wisp bench pq_mim --images DIR --weights DIR --out results/pq_mim

Every file is really written: at the first M groups of the order at all positions, and at shares of the positions, whose
rest is generated or left to the synthesis. The default model is measured beside it at the mean rate of each M. Rows are
kept as they are measured, and a later run goes on from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

import wisp
from wisp.bench.command import command, command_parser, whole_number_list
from wisp.bench.metrics.panel import MetricPanel
from wisp.bench.pictures import picture_hash, picture_paths, read_picture
from wisp.bench.pq_mim_rows import Key, PqMimRow, PqMimStore, model_version
from wisp.bench.pq_mim_table import summary
from wisp.bench.provenance import checkout, meta, note, require_place, write_summary
from wisp.codecs import TokenPyramidCodec, codec_for_model
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.container import unpack_file
from wisp.errors import UsageError
from wisp.rate import rate_bpp
from wisp.types import Fill

METRICS = "lpips_squeeze,feature_distance,psnr_db"
WHOLE = 100  # per cent of the positions
FILLS = ("generate", "smooth")

Sizes = tuple[int | None, int | None, int | None, int | None]


def order_0_model(codec: TokenPyramidCodec) -> PyramidEntropyModel:
    """The bundle's tables without their contexts."""
    config = codec.bundle.config
    tables = {name: t for name, t in codec.bundle.tables.items() if not name.startswith("table_")}
    contexts = [()] * sum(config.groups)
    return PyramidEntropyModel(tables, contexts, config.groups, config.strides, config.grain)


def measure(
    image: Image.Image,
    name: str,
    codec: TokenPyramidCodec,
    panel: MetricPanel,
    store: PqMimStore,
    cells: Sequence[tuple[int, int, str]],
    threads: int | None,
) -> Iterator[PqMimRow]:
    """A row for each (depth, per cent of the positions, fill), taken over from the store where it is current."""
    digest, version = picture_hash(image), model_version(codec)
    reference = None
    written: dict[tuple[int, int], tuple[bytes, Sizes]] = {}
    for depth, kept, fill in cells:
        key = (name, codec.bundle.config.name, depth, kept, fill, 0.0)
        row = store.current(key, (digest, version, panel.version))
        if row is None:
            reference = reference or panel.reference(image)
            quality = 100 * depth / sum(codec.bundle.config.groups)
            folder = codec.bundle.folder
            if (depth, kept) not in written:
                data = wisp.compress(image, quality=quality, keep=kept / 100, model=folder, threads=threads)
                written[depth, kept] = data, _sizes(codec, data)
            data, sizes = written[depth, kept]
            shown = wisp.reconstruct(data, fill=Fill(fill), seed=0, model=folder, threads=threads)
            scores = reference.compare(shown.image)
            row = _row(key, image, data, sizes, shown.num_generated, scores, (digest, version, panel.version))
            store.add(row)
        yield row


def _row(
    key: Key,
    image: Image.Image,
    data: bytes,
    sizes: Sizes,
    num_generated: int,
    scores: dict[str, float | None],
    identity: tuple[str, str, str],
) -> PqMimRow:
    rate = rate_bpp(len(data), image.width, image.height)
    return PqMimRow(*key, len(data), rate, *sizes, num_generated, scores, *identity)


def _sizes(codec: TokenPyramidCodec, data: bytes) -> Sizes:
    """The whole file's size with order-0 tables, tables and masked model; its number of tokens."""
    file = unpack_file(data)
    tokens = codec.decode_tokens(file)
    overhead = len(data) - len(file.payload)
    assert codec.prior_model is not None
    is_prior = file.header.uses_prior  # the file as it is, then; writing it again would take longest
    return (
        overhead + len(order_0_model(codec).write(tokens).data),
        overhead + len(codec.entropy_model.write(tokens).data),
        len(data) if is_prior else overhead + len(codec.prior_model.write(tokens).data),
        sum(int(tokens.sent(place, level).sum()) for place, level, _ in tokens.shape.order()),
    )


def measure_beside(
    image: Image.Image,
    name: str,
    codec: TokenPyramidCodec,
    panel: MetricPanel,
    store: PqMimStore,
    rates: Sequence[float],
    threads: int | None,
) -> Iterator[PqMimRow]:
    """A row for each rate in bpp by another model."""
    digest, version = picture_hash(image), model_version(codec)
    reference = panel.reference(image)
    for rate in rates:
        key = (name, codec.bundle.config.name, 0, WHOLE, "smooth", rate)
        row = store.current(key, (digest, version, panel.version))
        if row is None:
            folder = codec.bundle.folder
            data = wisp.compress(image, bpp=rate, model=folder, threads=threads)
            shown = wisp.decompress(data, model=folder, threads=threads)
            scores, nothing = reference.compare(shown), (None, None, None, None)
            row = _row(key, image, data, nothing, 0, scores, (digest, version, panel.version))
            store.add(row)
        yield row


def _rising(option: str, text: str, highest: int) -> list[int]:
    return sorted(set(whole_number_list(option, text, 1, highest)))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "pq_mim",
        "rates and the hybrid mode of pq_mim",
        "images weights out metrics pictures threads",
        metrics=METRICS,
    )
    parser.add_argument(
        "--model", default="pq_mim", help="a model of uniform grain: a name, or a bundle's folder"
    )
    parser.add_argument("--depths", default="2,4,8", help="numbers of groups at all positions")
    parser.add_argument("--hybrid-depths", default="4,8", help="numbers of groups at shares of the positions")
    parser.add_argument("--shares", default="25,50,75", help="per cent of the positions")
    parser.add_argument(
        "--beside", default="wisp_small", help="a model to measure at the same rates; - for none"
    )
    return parser


@command("pq_mim")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    codec = codec_for_model(options.model, options.threads)
    if not codec.is_uniform or codec.prior_model is None:
        raise UsageError(
            f"--model: expected a model of uniform grain with a masked prior, found {codec.bundle.config.name}"
        )
    count = sum(codec.bundle.config.groups)
    cells = [(depth, WHOLE, "smooth") for depth in _rising("--depths", options.depths, count)]
    shares = _rising("--shares", options.shares, WHOLE - 1)
    for depth in _rising("--hybrid-depths", options.hybrid_depths, count):
        cells += [(depth, share, fill) for share in shares for fill in FILLS]
    require_place(options.out)
    beside = None if options.beside == "-" else codec_for_model(options.beside, options.threads)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    store = PqMimStore(options.out / "rows.jsonl")
    paths = picture_paths(options.images)[: options.pictures]
    rows: list[PqMimRow] = []
    for path in paths:
        image = read_picture(path)
        rows += measure(image, path.stem, codec, panel, store, cells, options.threads)
        note(f"{path.stem}: done")
    if beside is not None:
        rates = _mean_rates(rows)
        for path in paths:
            image = read_picture(path)
            rows += measure_beside(image, path.stem, beside, panel, store, rates, options.threads)
            note(f"{path.stem}: done by {beside.bundle.config.name}")
    names = [metric.name for metric in panel.metrics]
    other = None if beside is None else beside.bundle.config.name
    page = summary(rows, codec.bundle.config.name, other, names)
    record = meta("wisp.bench.pq_mim", arguments, code, **panel.for_meta())
    versions = {c.bundle.config.name: model_version(c) for c in (codec, beside) if c is not None}
    write_summary(options.out, page, {**record, "models": versions})
    return 0


def _mean_rates(rows: Sequence[PqMimRow]) -> list[float]:
    """Mean bpp of the files of each depth at all positions, to four places."""
    whole = [row for row in rows if row.kept_percent == WHOLE]
    depths = sorted({row.depth for row in whole})
    return [round(float(np.mean([row.rate_bpp for row in whole if row.depth == d])), 4) for d in depths]


if __name__ == "__main__":
    raise SystemExit(main())
