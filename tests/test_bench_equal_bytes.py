"""Means, ratios, differences and wins from rows made by hand."""

from __future__ import annotations

import pytest

from wisp.bench.equal_bytes import Measure, against_best, against_peer, means
from wisp.bench.equal_bytes_table import summary
from wisp.bench.row_store import Row

LPIPS, FEATURE = Measure("lpips_squeeze", False), Measure("feature_distance", False)
PSNR = Measure("psnr_db", True, "dB")
MEASURES = [PSNR, LPIPS, FEATURE]


def row(
    codec: str,
    image: str,
    lpips: float | None,
    feature: float = 0.5,
    psnr: float | None = 30.0,
    bpp: float = 0.1,
) -> Row:
    """A row that reaches its budget unless `lpips` is None."""
    reached = lpips is not None
    return Row(
        image=image,
        codec=codec,
        budget_bpp=bpp,
        budget_num_bytes=1000,
        reached=reached,
        num_bytes=900 if reached else None,
        rate_bpp=0.09 if reached else None,
        scores={"lpips_squeeze": lpips, "feature_distance": feature, "psnr_db": psnr} if reached else {},
        setting=None,
        smallest_num_bytes=None if reached else 2000,
        image_hash="",
        codec_version="",
        metrics_version="",
    )


# On "easy" the half peer is far ahead, but it does not reach "hard".
ROWS = [
    row("wisp", "easy", 0.2, 0.3, 24.0),
    row("wisp", "hard", 0.4, 0.5, 22.0),
    row("full", "easy", 0.3, 0.4, 25.0),
    row("full", "hard", 0.6, 0.4, 20.0),
    row("half", "easy", 0.1, 0.1, 40.0),
    row("half", "hard", None),
    row("dull", "easy", 0.7, 0.2, 26.0),
    row("dull", "hard", 0.3, 0.3, 23.0),
]
PEERS = ["full", "half", "dull"]


def test_means_are_over_what_is_reached() -> None:
    half = means(ROWS, "half", 0.1, MEASURES)
    assert (half.num_images, half.num_reached, half.over_all(LPIPS)) == (2, 1, None)
    assert half.scores == {"psnr_db": 40.0, "lpips_squeeze": 0.1, "feature_distance": 0.1}
    assert means(ROWS, "full", 0.1, MEASURES).over_all(LPIPS) == pytest.approx(0.45)
    nothing = means(ROWS, "full", 0.2, MEASURES)
    assert (nothing.num_images, nothing.num_reached, nothing.scores["psnr_db"]) == (2, 0, None)
    assert means([], "full", 0.1, MEASURES).over_all(PSNR) is None


def test_a_mean_leaves_out_what_is_infinite_or_was_not_measured() -> None:
    rows = [row("full", "a", 0.5, psnr=None), row("full", "b", 0.5, psnr=20.0)]
    found = means(rows, "full", 0.1, [PSNR, Measure("dists", False)])
    assert found.scores == {"psnr_db": 20.0, "dists": None}


def test_the_best_peer_reaches_every_picture() -> None:
    lpips = against_best(ROWS, PEERS, 0.1, LPIPS)
    assert (lpips.peer, lpips.ratio) == ("full", pytest.approx(0.3 / 0.45))
    feature = against_best(ROWS, PEERS, 0.1, FEATURE)
    assert (feature.peer, feature.ratio) == ("dull", pytest.approx(0.4 / 0.25))


def test_where_more_is_better_the_best_peer_has_the_highest_mean() -> None:
    psnr = against_best(ROWS, PEERS, 0.1, PSNR)
    assert (psnr.peer, psnr.difference) == ("dull", pytest.approx(23.0 - 24.5))
    assert psnr.num_won == 0
    assert against_best(ROWS, ["full"], 0.1, PSNR).num_won == 1


def test_no_ratio_without_a_complete_side() -> None:
    alone = against_best(ROWS, ["half"], 0.1, LPIPS)
    assert (alone.peer, alone.ratio, alone.difference) == (None, None, None)
    lost = [*ROWS[1:], row("wisp", "easy", None)]
    best = against_best(lost, PEERS, 0.1, LPIPS)
    assert (best.peer, best.ratio, best.difference) == ("full", None, None)
    perfect = [row("wisp", "a", 0.1), row("full", "a", 0.0)]
    assert against_best(perfect, ["full"], 0.1, LPIPS).ratio is None


def test_a_picture_is_won_against_all_that_reach_it() -> None:
    assert against_best(ROWS, ["full"], 0.1, LPIPS).num_won == 2
    assert against_best(ROWS, ["full", "half"], 0.1, LPIPS).num_won == 1
    assert against_best(ROWS, PEERS, 0.1, LPIPS).num_won == 0
    tie = [row("wisp", "a", 0.2), row("full", "a", 0.2)]
    assert against_best(tie, ["full"], 0.1, LPIPS).num_won == 0


def test_a_peer_that_broke_on_a_picture_has_no_mean_over_all() -> None:
    rows = [r for r in ROWS if (r.codec, r.image) != ("dull", "easy")]  # on the other it is the best of all
    assert means(rows, "dull", 0.1, MEASURES).num_images == 2
    assert against_best(rows, PEERS, 0.1, LPIPS).peer == "full"
    assert against_best(rows, PEERS, 0.1, FEATURE).peer == "full"
    only = [row("wisp", "a", 0.1), row("wisp", "b", 0.1), row("full", "a", 0.2)]
    assert against_best(only, ["full"], 0.1, LPIPS).num_won == 1


def test_an_exact_copy_is_not_beaten() -> None:
    rows = [row("wisp", "a", 0.1, psnr=50.0), row("full", "a", 0.1, psnr=None)]
    assert against_best(rows, ["full"], 0.1, PSNR).num_won == 0
    assert against_best(rows, ["full"], 0.1, PSNR).peer is None


def test_one_peer_is_compared_where_both_reach() -> None:
    half = against_peer(ROWS, "half", 0.1, LPIPS)
    assert (half.num_images, half.num_won) == (1, 0)
    assert half.ratio == pytest.approx(2.0)
    assert against_peer(ROWS, "half", 0.1, PSNR).difference == -16.0
    assert against_peer(ROWS, "half", 0.2, LPIPS).ratio is None


def test_the_summary_says_it() -> None:
    page = summary(ROWS, ["wisp", *PEERS], [0.1], MEASURES)
    assert "| codec | reached | bytes | bpp | psnr_db ↑ | lpips_squeeze ↓ | feature_distance ↓ |" in page
    assert "| wisp | 2/2 | 900 | 0.0900 | 23.00 | 0.3000 | 0.4000 |" in page
    assert "| half | 1/2 | 900 |" in page
    assert "| psnr_db ↑ | 0.1 | 23.00 | 24.50 | dull | -1.50 | 0/2 |" in page
    assert "| lpips_squeeze ↓ | 0.1 | 0.3000 | 0.4500 | full | 0.667 | 0/2 |" in page
    assert "| 0.1 | half | 1 | -16.00 (0) | 2.000 (0) | 3.000 (0) |" in page
    lonely = summary([*ROWS, row("none", "easy", None)], ["wisp", "none"], [0.1], MEASURES)
    assert "| 0.1 | none | 0 | - | - | - |" in lonely


def test_without_wisp_the_summary_has_means_only() -> None:
    page = summary(ROWS, PEERS, [0.1], MEASURES)
    assert "## 0.1 bpp" in page
    assert "best peer" not in page
