"""The summary of rows at equal bytes, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from wisp.bench.catalogue import WISP
from wisp.bench.equal_bytes import against_best, against_peer, means, num_images_won
from wisp.bench.markdown import number, table
from wisp.bench.row_store import Row


def _means_table(rows: Sequence[Row], codecs: Sequence[str], budget_bpp: float) -> list[str]:
    lines = []
    for codec in codecs:
        m = means(rows, codec, budget_bpp)
        lines.append(
            [
                codec,
                f"{m.num_reached}/{m.num_images}",
                number(m.num_bytes, 0),
                number(m.rate_bpp, 4),
                number(m.psnr_db, 2),
                number(m.lpips_squeeze, 4),
                number(m.feature_distance, 4),
                number(m.texture_distance, 4),
            ]
        )
    header = ["codec", "reached", "bytes", "bpp", "PSNR dB", "LPIPS-squeeze", "feature", "texture"]
    return table(header, lines)


def _best_table(rows: Sequence[Row], peers: Sequence[str], budgets: Sequence[float]) -> list[str]:
    lines = []
    for bpp in budgets:
        lpips = against_best(rows, peers, bpp, "lpips_squeeze")
        feature = against_best(rows, peers, bpp, "feature_distance")
        won = num_images_won(rows, peers, bpp, "lpips_squeeze")
        total = means(rows, WISP, bpp).num_images
        lines.append(
            [
                f"{bpp:g}",
                lpips.peer or "-",
                number(lpips.ratio, 3),
                feature.peer or "-",
                number(feature.ratio, 3),
                f"{won}/{total}",
            ]
        )
    header = ["bpp", "best by LPIPS-squeeze", "ratio", "best by feature distance", "ratio", "images won"]
    return table(header, lines)


def _peer_table(rows: Sequence[Row], peers: Sequence[str], budgets: Sequence[float]) -> list[str]:
    lines = []
    for bpp in budgets:
        for peer in peers:
            a = against_peer(rows, peer, bpp)
            lines.append(
                [
                    f"{bpp:g}",
                    peer,
                    str(a.num_images),
                    number(a.lpips_ratio, 3),
                    number(a.feature_ratio, 3),
                    str(a.num_lpips_won),
                ]
            )
    return table(["bpp", "peer", "images both reach", "LPIPS-squeeze ratio", "feature ratio", "won"], lines)


def summary(rows: Sequence[Row], codecs: Sequence[str], budgets: Sequence[float]) -> str:
    """The whole page for the codecs and budgets of one run, in the order given."""
    images = len({row.image for row in rows})
    page = [
        "# Codecs at equal bytes",
        "",
        f"{images} pictures. Each codec at its largest file within floor(bpp x pixels / 8) bytes, whole "
        "file; means over the pictures reached. LPIPS-squeeze, feature and texture distance: lower is "
        "better. Columns are defined in results/FIELDS.md.",
    ]
    for bpp in budgets:
        page += ["", f"## {bpp:g} bpp", "", *_means_table(rows, codecs, bpp)]
    peers = [codec for codec in codecs if codec != WISP]
    if WISP in codecs and peers:
        page += [
            "",
            "## wisp against the best peer",
            "",
            "Ratio of means, below 1 is better for wisp; the best peer is the lowest mean among those that "
            "reach the budget on every picture. Images won: lower LPIPS-squeeze than every peer that reaches "
            "the picture.",
            "",
            *_best_table(rows, peers, budgets),
            "",
            "## wisp against each peer",
            "",
            "Ratio of means over the pictures that both reach.",
            "",
            *_peer_table(rows, peers, budgets),
        ]
    return "\n".join(page) + "\n"
