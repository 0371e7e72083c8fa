"""Bits of the same tokens with order-0 tables, with conditional tables, and with the masked prior.

    wisp bench prior --images DIR --out results/NAME [--model BUNDLE] [--bpp 0.02 0.1]

The tokens and grain maps are those that the allocation chooses with the tables at each rate; the ideal code length
of every place of the order is summed over the pictures, and the payloads are really written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import allocate, grain_bits
from wisp.bench.command import command, command_parser
from wisp.bench.markdown import table
from wisp.bench.pictures import picture_paths, read_picture
from wisp.bench.provenance import checkout, meta, note, require_place, write_json, write_summary
from wisp.codecs import TokenPyramidCodec, codec_for_model
from wisp.codecs.proposal import propose
from wisp.entropy.integer_softmax import frequencies
from wisp.entropy.range_coder import TOTAL_BITS
from wisp.errors import CodecError, UsageError
from wisp.imaging import to_picture
from wisp.tokens.pyramid import TokenPyramid

MODELS = ("order_0", "tables", "prior")


def order_0_bits(codec: TokenPyramidCodec, pyramid: TokenPyramid) -> NDArray[np.float64]:
    """(N,) bits of every place with the tables' bias alone."""
    bits = np.zeros(pyramid.shape.num_groups)
    for place, level, group in pyramid.shape.order():
        freqs = frequencies(codec.entropy_model.places[place].bias[None])[0].astype(np.float64)
        tokens = pyramid.planes[level][group][pyramid.sent(place, level)]
        bits[place] = (TOTAL_BITS - np.log2(freqs))[tokens].sum()
    return bits


def measure(codec: TokenPyramidCodec, path: Path, rates: Sequence[float]) -> list[dict[str, Any]]:
    """One picture's row at each rate: tokens and bits of every place, bytes of both payloads.

    Raises:
        UsageError: the model has no prior.
    """
    if codec.prior_model is None:
        raise UsageError(f"expected a model with a masked prior, found none in {codec.bundle.folder}")
    picture = to_picture(read_picture(path))
    rows = []
    for rate in rates:
        num_bytes = int(rate * picture.width * picture.height / 8)
        args = (codec.bundle, codec.entropy_model, codec.settings, picture, 0, num_bytes - 8, None)
        proposal = propose(*args, search=True)
        depths = allocate(proposal.demand, 8.0 * (num_bytes - 8) - 12)
        pyramid = proposal.analysed.at(depths)
        sent = np.array([(depths > place).astype(np.float32) for place in range(pyramid.shape.num_groups)])
        count = [
            int(s.sum()) * pyramid.shape.fold(level) ** 2
            for s, (_, level, _) in zip(sent, pyramid.shape.order(), strict=True)
        ]
        begun = time.perf_counter()
        with_prior = codec.prior_model.write(pyramid)
        written = time.perf_counter()
        decoded, _, _ = codec.prior_model.read(with_prior.data + b"\0\0", pyramid.shape)
        done = time.perf_counter()
        if decoded != pyramid.cut_to_map():
            raise CodecError(f"{path.name}: expected the tokens that were written, found others")
        rows.append(
            {
                "image": path.name,
                "rate_bpp": rate,
                "num_tokens": count,
                "order_0_bits": order_0_bits(codec, pyramid).tolist(),
                "tables_bits": (proposal.demand.token_bits * sent).sum((1, 2)).tolist(),
                "prior_bits": codec.prior_model.place_bits(pyramid).tolist(),
                "grain_map_bits": float(grain_bits(depths, codec.entropy_model.grain_bits).sum()),
                "tables_num_bytes": len(codec.entropy_model.write(pyramid).data),
                "prior_num_bytes": len(with_prior.data),
                "write_s": written - begun,
                "read_s": done - written,
            }
        )
    return rows


def summary(rows: Sequence[dict[str, Any]], places: Sequence[tuple[int, int, int]]) -> str:
    """The page: bits a token of every group, and totals, at each rate."""
    lines = ["# Bits of the same tokens", ""]
    for rate in sorted({row["rate_bpp"] for row in rows}):
        here = [row for row in rows if row["rate_bpp"] == rate]
        count = np.array([row["num_tokens"] for row in here]).sum(0)
        bits = {name: np.array([row[f"{name}_bits"] for row in here]).sum(0) for name in MODELS}
        cells = [
            _cells(str(level), str(group), int(count[place]), {name: bits[name][place] for name in MODELS})
            for place, level, group in places
            if count[place]
        ]
        totals = {name: float(bits[name].sum()) for name in MODELS}
        cells.append(_cells("all", "", int(count.sum()), totals))
        lines += [f"## {rate} bpp, {len(here)} pictures", ""]
        lines += table(["level", "group", "tokens", "order 0", "tables", "prior", "prior / order 0"], cells)
        grain = sum(row["grain_map_bits"] for row in here)
        ideal = (totals["prior"] + grain) / 8
        real = sum(row["prior_num_bytes"] for row in here)
        tables_bytes = sum(row["tables_num_bytes"] for row in here)
        lines += [
            "",
            f"Against the tables {100 * (totals['prior'] / totals['tables'] - 1):+.1f} % of the tokens' bits; "
            f"payloads, grain maps included, {tables_bytes} bytes with tables and {real} with the prior, which is "
            f"{(real - ideal) / len(here):.2f} bytes a file over the ideal.",
            f"Median of writing a payload {np.median([r['write_s'] for r in here]):.3f} s, of reading it "
            f"{np.median([r['read_s'] for r in here]):.3f} s.",
            "",
        ]
    return "\n".join(lines)


def _cells(level: str, group: str, count: int, bits: dict[str, float]) -> list[str]:
    change = 100 * (bits["prior"] / bits["order_0"] - 1)
    return [level, group, str(count), *(f"{bits[name] / count:.3f}" for name in MODELS), f"{change:+.1f} %"]


@command("prior")
def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = command_parser("prior", "what the prior saves", "images out model threads")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.02, 0.1], help="rates of the grain maps")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    options = parser.parse_args(arguments)
    require_place(options.out)
    code = checkout()
    codec = codec_for_model(options.model, options.threads)
    rows = []
    for path in picture_paths(options.images)[: options.limit]:
        note(path.name)
        rows += measure(codec, path, options.bpp)
    places = [
        (sum(codec.bundle.config.groups[:level]) + group, level, group)
        for level, many in enumerate(codec.bundle.config.groups)
        for group in range(many)
    ]
    page = summary(rows, places)
    write_json(options.out / "prior.json", {"rows": rows})
    write_summary(options.out, page, meta("wisp.bench.prior", arguments, code))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
