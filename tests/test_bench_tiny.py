"""The bench of a few hundred bytes: what counts as won, what is shown, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from bench_fakes import FakeCodec
from PIL import Image

from wisp.bench.metrics.panel import MetricPanel
from wisp.bench.tiny import TinyRow, lowest, main, measure, summary
from wisp.bench.tiny_sheet import HEIGHT, LINE, MARGIN, WIDTH, Shown, draw_sheet


def row(image: str, codec: str, first: float, second: float) -> TinyRow:
    return TinyRow(image, codec, 190, "", {"a": first, "b": second})


ROWS = [
    row("one", "wisp", 0.4, 0.5),
    row("one", "avif@1/8", 0.5, 0.6),
    row("one", "avif@1/16", 0.6, 0.4),  # better in one metric at another scale: not won
    row("two", "wisp", 0.4, 0.5),
    row("two", "avif@1/8", 0.5, 0.6),
    row("two", "thumbhash", 0.7, 0.8),
]


def test_a_peer_may_use_its_best_scale_in_each_metric() -> None:
    assert lowest(ROWS, "one", "avif", "a") == 0.5
    assert lowest(ROWS, "one", "avif", "b") == 0.4
    assert lowest(ROWS, "one", "thumbhash", "a") is None
    page = summary(ROWS, ["wisp", "avif", "thumbhash"], ["a", "b"], 200)
    assert "on 1 of 2 pictures" in page
    assert "| avif | 2/2 | 0.5000 | 0.5000 | 1 |" in page
    assert "| thumbhash | 1/2 | 0.7000 | 0.8000 | 2 |" in page


def test_equal_values_are_not_won() -> None:
    tied = [replace(r, scores={"a": 0.4, "b": 0.5}) if r.codec == "avif@1/8" else r for r in ROWS[3:]]
    assert "on 0 of 1 pictures" in summary(tied, ["wisp", "avif"], ["a", "b"], 200)


def test_what_does_not_fit_is_shown_as_an_empty_cell() -> None:
    image = Image.fromarray(np.full((20, 30, 3), 90, np.uint8))

    def compare(decoded: Image.Image) -> dict[str, float]:
        return {"a": float(np.asarray(decoded, float).mean())}

    panel: Any = SimpleNamespace(
        metrics=[SimpleNamespace(name="a")], reference=lambda _: SimpleNamespace(compare=compare)
    )
    codecs = {"wisp": [FakeCodec("wisp")], "none": []}
    rows, shown = measure(image, "x", codecs, 100, cast("MetricPanel", panel))
    assert [(r.codec, r.num_bytes, r.scores) for r in rows] == [("wisp", 99, {"a": 89.0})]
    assert [(s.codec, s.num_bytes, s.image is None) for s in shown] == [
        ("wisp", 99, False),
        ("none", None, True),
    ]


def test_the_sheet_has_a_cell_for_each() -> None:
    red = Image.new("RGB", (300, 200), (255, 0, 0))
    sheet = draw_sheet([("one", red, [Shown("wisp", 9, red), Shown("avif", None, None)])])
    assert sheet.size == (3 * (WIDTH + MARGIN) + MARGIN, HEIGHT + LINE + 2 * MARGIN)
    middle = MARGIN + HEIGHT // 2
    colours = [sheet.getpixel((MARGIN + i * (WIDTH + MARGIN) + WIDTH // 2, middle)) for i in range(3)]
    assert colours == [(255, 0, 0), (255, 0, 0), (221, 221, 221)]


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        (["--size", "0"], "--size"),
        (["--sheet", "sheet.gif"], "--sheet"),
        (["--metrics", "psnr_db"], "lower is better"),
    ],
)
def test_bad_usage_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], word: str
) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    out = tmp_path / "out"
    assert main(["--images", str(tmp_path), "--out", str(out), *extra]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert word in said[0]
    assert not out.exists()
