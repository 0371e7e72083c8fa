"""Rows that survive a kill, and the run that takes them over."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wisp.bench import kodak
from wisp.bench.byte_budget import budget_num_bytes
from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.bench.metrics.panel import Distances
from wisp.bench.row_store import Row, RowStore
from wisp.errors import UsageError

ROW = Row(
    image="one",
    codec="jpeg",
    budget_bpp=0.1,
    budget_num_bytes=4915,
    reached=True,
    num_bytes=4900,
    rate_bpp=0.099691,
    psnr_db=25.5,
    lpips_squeeze=0.25,
    feature_distance=0.5,
    texture_distance=0.3,
    setting="quality=3",
    smallest_num_bytes=None,
    image_hash="aa",
    codec_version="1",
    metrics_version="w",
)


class FakeCodec(AbstractCodec):
    """Reaches every budget of 50 bytes and more."""

    name = "fake"
    version = "1"

    def __init__(self) -> None:
        self.num_fits = 0

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        self.num_fits += 1
        if budget_num_bytes < 50:
            return Unreachable(smallest_num_bytes=50)
        return Encoded(data_num_bytes=budget_num_bytes - 1, decoded=image, setting="all")


class FakePanel:
    """Measures nothing."""

    version = "w"

    def reference(self, original: Image.Image) -> FakePanel:
        return self

    def compare(self, decoded: Image.Image) -> Distances:
        return Distances(psnr_db=None, lpips_squeeze=0.1, feature_distance=0.2, texture_distance=0.3)


@given(bpp=st.decimals("0.001", "9", places=3), width=st.integers(1, 9999), height=st.integers(1, 9999))
def test_a_budget_is_the_exact_floor(bpp: object, width: int, height: int) -> None:
    exact = Fraction(str(bpp)) * width * height / 8
    found = budget_num_bytes(float(str(bpp)), width, height)
    assert found <= exact < found + 1


def test_budgets_of_kodak() -> None:
    assert [budget_num_bytes(bpp, 768, 512) for bpp in (0.05, 0.1, 0.2)] == [2457, 4915, 9830]
    assert budget_num_bytes(0.29, 8, 100) == 29


def test_rows_come_back(tmp_path: Path) -> None:
    store = RowStore(tmp_path / "new" / "rows.jsonl")
    store.add(ROW)
    again = RowStore(tmp_path / "new" / "rows.jsonl")
    assert again.current(ROW.key, "aa", "1", "w") == ROW
    assert again.current((0.2, "jpeg", "one"), "aa", "1", "w") is None


@pytest.mark.parametrize("now", [("bb", "1", "w"), ("aa", "2", "w"), ("aa", "1", "x")])
def test_a_row_of_another_version_is_not_current(tmp_path: Path, now: tuple[str, str, str]) -> None:
    store = RowStore(tmp_path / "rows.jsonl")
    store.add(ROW)
    assert store.current(ROW.key, *now) is None


def test_every_cut_of_the_file_loses_only_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    second = replace(ROW, image="two")
    lines = [ROW.to_json() + "\n", second.to_json() + "\n"]
    for length in range(len(lines[0]), len(lines[0]) + len(lines[1])):
        path.write_text("".join(lines)[:length])
        store = RowStore(path)
        assert store.current(ROW.key, "aa", "1", "w") == ROW
        assert store.current(second.key, "aa", "1", "w") is None
        store.add(second)
        assert path.read_text() == "".join(lines)


@pytest.mark.parametrize("line", ["not json", "{}", '{"image": 1}', "[]"])
def test_a_whole_line_that_is_no_row_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(ROW.to_json() + "\n" + line + "\n")
    with pytest.raises(UsageError, match=r"rows.jsonl line 2: expected a row"):
        RowStore(path)


def test_tidy_keeps_the_later_row_in_order(tmp_path: Path) -> None:
    store = RowStore(tmp_path / "rows.jsonl")
    for row in (replace(ROW, image="two"), replace(ROW, num_bytes=1), replace(ROW, budget_bpp=0.05), ROW):
        store.add(row)
    store.tidy()
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert rows == [asdict(replace(ROW, budget_bpp=0.05)), asdict(ROW), asdict(replace(ROW, image="two"))]


def test_a_second_run_measures_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    for name, colour in (("a", (9, 9, 9)), ("b", (0, 0, 0))):
        Image.new("RGB", (64, 32), colour).save(pictures / f"{name}.png")
    codec = FakeCodec()
    monkeypatch.setattr(kodak, "codec_named", lambda name, model: codec)
    monkeypatch.setattr(kodak, "_load_panel", lambda weights: FakePanel())
    order = ["--images", str(pictures), "--out", str(out), "--codecs", "fake", "--bpp"]
    assert kodak.main([*order, "0.1,0.4"]) == 0
    assert codec.num_fits == 4
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert [(row["image"], row["num_bytes"], row["reached"]) for row in rows] == [
        ("a", None, False),
        ("b", None, False),
        ("a", 101, True),
        ("b", 101, True),
    ]
    assert rows[0]["smallest_num_bytes"] == 50
    assert rows[2]["rate_bpp"] == pytest.approx(8 * 101 / (64 * 32), abs=1e-6)
    assert kodak.main([*order, "0.1,0.4,0.8"]) == 0
    assert codec.num_fits == 6
    Image.new("RGB", (64, 32), (1, 2, 3)).save(pictures / "a.png")
    assert kodak.main([*order, "0.1,0.4,0.8"]) == 0
    assert codec.num_fits == 9
    about = json.loads((out / "meta.json").read_text())
    assert about["command"].endswith("--images pictures --out out --codecs fake --bpp 0.1,0.4,0.8")
    assert str(tmp_path) not in (out / "meta.json").read_text()
    assert "| fake | 2/2 | 101 |" in (out / "summary.md").read_text()
    assert capsys.readouterr().err.count("rows measured") == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bpp", "0"], "--bpp: expected numbers above 0"),
        (["--bpp", "x"], "--bpp: expected numbers above 0"),
        (["--bpp", "nan"], "--bpp: expected numbers above 0"),
        (["--codecs", "gif"], "--codecs: expected wisp"),
        ([], "expected pictures in"),
        (["--images", "nowhere"], "expected a folder of pictures"),
    ],
)
def test_wrong_usage_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    order = ["--images", str(tmp_path), "--out", str(tmp_path / "out"), "--codecs", "jpeg", *arguments]
    assert kodak.main(order) == 1
    error = capsys.readouterr().err
    assert error.startswith("kodak: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
