"""Means, ratios and wins from rows made by hand."""

from __future__ import annotations

import pytest

from wisp.bench.equal_bytes import against_best, against_peer, means, num_images_won
from wisp.bench.equal_bytes_table import summary
from wisp.bench.row_store import Row


def row(codec: str, image: str, lpips: float | None, feature: float = 0.5, bpp: float = 0.1) -> Row:
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
        psnr_db=30.0 if reached else None,
        lpips_squeeze=lpips,
        feature_distance=feature if reached else None,
        texture_distance=0.1 if reached else None,
        setting=None,
        smallest_num_bytes=None if reached else 2000,
        image_hash="",
        codec_version="",
        metrics_version="",
    )


# On "easy" the half peer is far ahead, but it does not reach "hard".
ROWS = [
    row("wisp", "easy", 0.2, 0.3),
    row("wisp", "hard", 0.4, 0.5),
    row("full", "easy", 0.3, 0.4),
    row("full", "hard", 0.6, 0.4),
    row("half", "easy", 0.1, 0.1),
    row("half", "hard", None),
    row("dull", "easy", 0.7, 0.2),
    row("dull", "hard", 0.3, 0.3),
]
PEERS = ["full", "half", "dull"]


def test_means_are_over_what_is_reached() -> None:
    half = means(ROWS, "half", 0.1)
    assert (half.num_images, half.num_reached, half.reaches_all) == (2, 1, False)
    assert half.lpips_squeeze == 0.1
    assert means(ROWS, "full", 0.1).lpips_squeeze == pytest.approx(0.45)
    nothing = means(ROWS, "full", 0.2)
    assert (nothing.num_images, nothing.lpips_squeeze) == (0, None)


def test_the_best_peer_reaches_every_picture() -> None:
    lpips = against_best(ROWS, PEERS, 0.1, "lpips_squeeze")
    assert (lpips.peer, lpips.ratio) == ("full", pytest.approx(0.3 / 0.45))
    feature = against_best(ROWS, PEERS, 0.1, "feature_distance")
    assert (feature.peer, feature.ratio) == ("dull", pytest.approx(0.4 / 0.25))


def test_no_ratio_without_a_complete_side() -> None:
    assert against_best(ROWS, ["half"], 0.1, "lpips_squeeze").peer is None
    lost = [*ROWS[1:], row("wisp", "easy", None)]
    best = against_best(lost, PEERS, 0.1, "lpips_squeeze")
    assert (best.peer, best.ratio) == ("full", None)


def test_a_picture_is_won_against_all_that_reach_it() -> None:
    assert num_images_won(ROWS, ["full"], 0.1, "lpips_squeeze") == 2
    assert num_images_won(ROWS, ["full", "half"], 0.1, "lpips_squeeze") == 1
    assert num_images_won(ROWS, PEERS, 0.1, "lpips_squeeze") == 0
    tie = [row("wisp", "a", 0.2), row("full", "a", 0.2)]
    assert num_images_won(tie, ["full"], 0.1, "lpips_squeeze") == 0


def test_one_peer_is_compared_where_both_reach() -> None:
    half = against_peer(ROWS, "half", 0.1)
    assert half.num_images == 1
    assert half.lpips_ratio == pytest.approx(2.0)
    assert half.feature_ratio == pytest.approx(3.0)
    assert half.num_lpips_won == 0
    assert against_peer(ROWS, "half", 0.2).lpips_ratio is None


def test_the_summary_says_it() -> None:
    page = summary(ROWS, ["wisp", *PEERS], [0.1])
    assert "| wisp | 2/2 | 900 | 0.0900 | 30.00 | 0.3000 | 0.4000 | 0.1000 |" in page
    assert "| half | 1/2 | 900 |" in page
    assert "| 0.1 | full | 0.667 | dull | 1.600 | 0/2 |" in page
    assert "| 0.1 | half | 1 | 2.000 | 3.000 | 0 |" in page


def test_without_wisp_the_summary_has_means_only() -> None:
    page = summary(ROWS, PEERS, [0.1])
    assert "## 0.1 bpp" in page
    assert "best peer" not in page
