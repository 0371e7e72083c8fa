"""A routed model at shares of its levels: rates, coders, prediction, times, pictures; beside it an ablation and others.

    wisp bench control_gic --images DIR --weights DIR --out results/control_gic

Every file is really written, by the Huffman code and by the shorter of tables and prior, read back and compared.
`--ablation` names a bundle trained alike but for one thing, `--beside` a model that is measured at the same mean rates.
A run that was stopped goes on with the next picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import wisp
from wisp.bench.command import command, command_parser
from wisp.bench.control_gic_table import summary
from wisp.bench.metrics.panel import MetricPanel, Reference
from wisp.bench.picture_rows import PictureRows, identity_of
from wisp.bench.pictures import picture_hash, picture_paths
from wisp.bench.pq_mim_rows import model_version
from wisp.bench.provenance import checkout, meta, require_place, write_summary
from wisp.codecs import TokenPyramidCodec, codec_for_model, decode_tokens
from wisp.codecs.by_hand import make_granularity
from wisp.container import unpack_file
from wisp.errors import UsageError
from wisp.rate import rate_bpp

METRICS = "lpips_squeeze,feature_distance,psnr_db"
RATIOS = "0,0,1;0,0.5,0.5;0.1,0.8,0.1;0.3,0.6,0.1;0.5,0.4,0.1;0.9,0.1,0;1,0,0"
INDEX_BITS = 10  # of an index into 1,024 words, uncoded
FLAT = {"flat black": 0, "flat grey": 128, "flat white": 255}
FLAT_SIZE = (768, 512)


@dataclass(frozen=True)
class RoutedRow:
    """One picture at one triple of shares; columns as in results/FIELDS.md, None where they mean nothing."""

    model: str
    ratios: str
    num_bytes: int
    rate_bpp: float
    nominal_num_bytes: int | None = None
    huffman_num_bytes: int | None = None
    tables_num_bytes: int | None = None
    prior_num_bytes: int | None = None
    num_indices: int | None = None
    round_trips: bool | None = None
    compress_s: float | None = None
    decompress_s: float | None = None
    scores: dict[str, float | None] | None = None


COLUMNS = tuple(RoutedRow.__dataclass_fields__)


def measure(
    image: Image.Image,
    codec: TokenPyramidCodec,
    ratios: Sequence[tuple[float, ...]],
    reference: Reference | None,
    threads: int | None,
) -> Iterator[RoutedRow]:
    """A row for each triple of shares, by a routed model; scores only with a reference."""
    folder, name = codec.bundle.folder, codec.bundle.config.name
    for shares in ratios:
        started = time.perf_counter()
        data = wisp.compress(image, ratios=shares, huffman=True, model=folder, threads=threads)
        written = time.perf_counter()
        shown = wisp.decompress(data, model=folder, threads=threads)
        ended = time.perf_counter()
        better = wisp.compress(image, ratios=shares, model=folder, threads=threads)
        file = unpack_file(data)
        tokens = codec.decode_tokens(file)
        overhead = len(data) - len(file.payload)
        prior = codec.prior_model
        infos = [wisp.read_info(part) for part in (data, better)]
        whole = [info.header_num_bytes + info.payload_num_bytes for info in infos]
        num_indices = sum(int(tokens.sent(p, level).sum()) for p, level, g in tokens.shape.order() if not g)
        yield RoutedRow(
            name,
            _text(shares),
            len(better),
            rate_bpp(len(better), image.width, image.height),
            nominal_num_bytes=overhead + -(-_nominal_bits(tokens.grain_map, num_indices) // 8),
            huffman_num_bytes=len(data),
            tables_num_bytes=overhead + len(codec.entropy_model.write(tokens).data),
            prior_num_bytes=None if prior is None else overhead + len(prior.write(tokens).data),
            num_indices=num_indices,
            round_trips=decode_tokens(better, model=folder) == tokens and whole == [len(data), len(better)],
            compress_s=round(written - started, 4),
            decompress_s=round(ended - written, 4),
            scores=None if reference is None else reference.compare(shown),
        )


def _nominal_bits(grain_map: np.ndarray, num_indices: int) -> int:
    """As published without Huffman: 10 bits an index, and one bit for each 16x16 and each 8x8 cell as masks.

    With one level alone there are no masks; with two, one of them.
    """
    levels = set(np.unique(grain_map).tolist())
    masks = 0
    if len(levels) > 1:
        masks = grain_map.size * ((1 in levels) + (4 if {2, 3} <= levels else 0))
    return INDEX_BITS * num_indices + masks


def measure_beside(
    image: Image.Image,
    codec: TokenPyramidCodec,
    rates: dict[str, float],
    reference: Reference,
    threads: int | None,
) -> Iterator[RoutedRow]:
    """A row for each mean rate of the routed model, by another model."""
    for text, rate in rates.items():
        data = wisp.compress(image, bpp=rate, model=codec.bundle.folder, threads=threads)
        scores = reference.compare(wisp.decompress(data, model=codec.bundle.folder, threads=threads))
        found = rate_bpp(len(data), image.width, image.height)
        yield RoutedRow(codec.bundle.config.name, text, len(data), found, scores=scores)


def _text(shares: Sequence[float]) -> str:
    return ",".join(f"{share:g}" for share in shares)


def _parse_ratios(text: str) -> list[tuple[float, ...]]:
    try:
        found = [tuple(float(part) for part in triple.split(",")) for triple in text.split(";")]
    except ValueError:
        raise UsageError(f"--ratios: expected shares such as 0.1,0.8,0.1;0,0,1, found {text!r}") from None
    for shares in found:
        make_granularity(shares, None)
    return found


def _routed(model: str | Path, threads: int | None, option: str) -> TokenPyramidCodec:
    codec = codec_for_model(model, threads)
    if not codec.is_routed:
        raise UsageError(f"{option}: expected a routed model, found {codec.bundle.config.name}")
    return codec


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "control_gic",
        "rates, coders and pictures of control_gic",
        "images weights out metrics pictures threads",
        metrics=METRICS,
    )
    parser.add_argument("--model", default="control_gic", help="a routed model: a name, or a bundle's folder")
    parser.add_argument("--ratios", default=RATIOS, help="shares of the levels, finest first")
    parser.add_argument("--ablation", type=Path, help="folder of a routed bundle to measure alike")
    parser.add_argument(
        "--beside", default="wisp_small", help="a model to measure at the same rates; - for none"
    )
    return parser


@command("control_gic")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    ratios = _parse_ratios(options.ratios)
    codec = _routed(options.model, options.threads, "--model")
    other = None if options.ablation is None else _routed(options.ablation, options.threads, "--ablation")
    beside = None if options.beside == "-" else codec_for_model(options.beside, options.threads)
    require_place(options.out)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    models = [c for c in (codec, other, beside) if c is not None]
    versions = [model_version(c) for c in models]
    rows: list[dict[str, object]] = []
    store = PictureRows(options.out / "rows.jsonl", identity_of(options.ratios, panel.version, *versions[:2]))
    paths = picture_paths(options.images)[: options.pictures]
    _run(store, paths, codec, other, ratios, panel, options.threads)
    names = [path.stem for path in paths]
    rows += store.of([*names, *FLAT], COLUMNS)
    if beside is not None:
        rates = _mean_rates(rows, codec.bundle.config.name, set(FLAT))
        key = identity_of(rates, panel.version, versions[-1])
        more = PictureRows(options.out / "rows_beside.jsonl", key)
        _run_beside(more, paths, beside, rates, panel, options.threads)
        rows += more.of(names, COLUMNS)
    page = summary(
        rows,
        codec.bundle.config.name,
        None if other is None else "ablation",
        None if beside is None else beside.bundle.config.name,
        [metric.name for metric in panel.metrics],
        tuple(FLAT),
    )
    record = meta("wisp.bench.control_gic", arguments, code, **panel.for_meta())
    write_summary(options.out, page, {**record, "models": versions})
    return 0


def _run(
    store: PictureRows,
    paths: Sequence[Path],
    codec: TokenPyramidCodec,
    other: TokenPyramidCodec | None,
    ratios: Sequence[tuple[float, ...]],
    panel: MetricPanel,
    threads: int | None,
) -> None:
    """Rows of all pictures that are not there yet, and of flat ones."""
    for name, grey in FLAT.items():
        flat = Image.new("RGB", FLAT_SIZE, (grey,) * 3)
        if not store.has(name, picture_hash(flat)):
            store.add(
                name, picture_hash(flat), [asdict(r) for r in measure(flat, codec, ratios, None, threads)]
            )

    def both(image: Image.Image) -> list[dict[str, object]]:
        reference = panel.reference(image)
        found = [asdict(row) for row in measure(image, codec, ratios, reference, threads)]
        if other is not None:
            alike = measure(image, other, ratios, reference, threads)
            found += [{**asdict(row), "model": "ablation"} for row in alike]
        return found

    store.fill(paths, both)


def _run_beside(
    store: PictureRows,
    paths: Sequence[Path],
    codec: TokenPyramidCodec,
    rates: dict[str, float],
    panel: MetricPanel,
    threads: int | None,
) -> None:
    store.fill(
        paths,
        lambda image: map(asdict, measure_beside(image, codec, rates, panel.reference(image), threads)),
    )


def _mean_rates(rows: Sequence[dict[str, object]], model: str, without: set[str]) -> dict[str, float]:
    """Mean bpp of the model's files at each triple, to four places."""
    ours = [row for row in rows if row["model"] == model and row["image"] not in without]
    texts = dict.fromkeys(str(row["ratios"]) for row in ours)
    return {
        text: round(float(np.mean([float(str(r["rate_bpp"])) for r in ours if r["ratios"] == text])), 4)
        for text in texts
    }


if __name__ == "__main__":
    raise SystemExit(main())
