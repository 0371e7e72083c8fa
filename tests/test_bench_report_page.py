"""The page of a run: it holds everything, loads nothing, and is well-formed whatever things are called."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from bench_report_data import CODECS, METRICS, write_results
from PIL import Image

from wisp.bench.report import main
from wisp.bench.report.chart import charts_of
from wisp.bench.report.comparison import curve, leaders, mean_at, num_images_won, ranking
from wisp.bench.report.load import load_run
from wisp.bench.report.markup import VOID
from wisp.bench.report.palette import styles
from wisp.bench.report.published import published
from wisp.bench.report.wall import wall_data
from wisp.bench.report.wording import codec_label, number_text
from wisp.bench.row_store import Row

pytest.importorskip("matplotlib", reason="charts need the package matplotlib")
pytest.importorskip("bjontegaard", reason="Bjontegaard rates need the package bjontegaard")

KODAK = tuple(f"kodim{number:02}" for number in range(1, 25))


class Reader(HTMLParser):
    """Elements in order, with their attributes; fails where an end tag does not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> outside SVG"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(folder: Path) -> str:
    assert main([str(folder)]) == 0
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(write_results(tmp_path_factory.mktemp("results") / "kodak", KODAK, walls=["kodim02"]))


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


def test_it_is_one_document_with_ids_of_its_own(page: str, reader: Reader) -> None:
    assert page.startswith("<!DOCTYPE html>")
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in reader.elements:
        for key in ("aria-labelledby", "href", "xlink:href"):
            targets = (attributes.get(key) or "").replace("#", "").split()
            assert set(targets) <= set(ids), f"{key}={attributes.get(key)} leads nowhere"


def test_it_loads_nothing(page: str, reader: Reader) -> None:
    for tag, attributes in reader.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for key in ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"):
            assert (attributes.get(key) or "#").startswith(("#", "data:")), f"{tag} {key}"
    assert all(where.startswith("#") for where in re.findall(r"url\(([^)]*)", page))
    assert not re.search(r"@import|fetch\(|XMLHttpRequest|WebSocket|import\(|sendBeacon", page)
    policies = [meta["content"] for meta in reader.of("meta") if "http-equiv" in meta]
    assert policies == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    ]


def test_every_codec_metric_and_picture_is_there(page: str, reader: Reader) -> None:
    text = "".join(reader.texts)
    chips = [b["data-series"] for b in reader.of("button") if b.get("class") == "chip"]
    assert chips == [*map(str, range(len(CODECS))), "published"]
    for codec in CODECS:
        assert codec_label(codec) in text
    charts = [svg for svg in reader.of("svg") if svg["role"] == "img"]
    assert len(charts) == len(METRICS) - 1
    for number in range(len(CODECS)):
        drawn = [g for g in reader.of("g") if g.get("data-series") == str(number)]
        assert (len(drawn) >= len(charts)) == (number != list(CODECS).index("blurhash"))
    for image in KODAK:
        assert f"All measurements of {image}" in text
    for told in ("its trunk could not be downloaded", "pillow-jxl-plugin is not installed", "PCHIP"):
        assert told in text
    assert "0123456789" not in text.split("How it was made")[0]  # a short commit on top
    assert "commit 012345678 " in text
    assert "2 January 2026" in text


def test_charts_speak(reader: Reader) -> None:
    text = "".join(reader.texts)
    assert "LPIPS-squeeze against bits per pixel. Lower is better. wisp: 0." in text
    assert "PSNR against bits per pixel. Higher is better. wisp: " in text
    assert "Published by others, dashed: MS-ILLM, CRDR," in text
    notes = [circle["data-note"] or "" for circle in reader.of("circle")]
    assert any(
        re.fullmatch(r"AVIF, budget 0\.05: 0\.0490 bpp, PSNR .*, only \d+ of 24 pictures", n) for n in notes
    )


def test_what_cannot_be_reached_says_so(page: str) -> None:
    assert "no picture" in page
    assert "cannot; least 2,950" in page  # 0.09 bpp x 0.6 + difficulty 0.2 of kodim02, JPEG at 0.05 bpp
    wall = json.loads(re.search(r'id="wall-data">(.*?)</script>', page)[1])  # type: ignore[index]
    shots = wall["pictures"][0]["shots"]["0.02"]
    assert "src" not in shots["jpeg"]
    assert shots["jpeg"]["text"].startswith("Cannot reach this budget: its smallest file")
    assert shots["wisp"]["src"].startswith("data:image/webp;base64,")
    assert shots["wisp"]["text"].startswith("963 bytes for the whole picture (budget 983)")


def test_published_points_stand_beside_the_same_pictures_only(page: str, tmp_path: Path) -> None:
    drawn = '<g class="series" data-series="published">'
    assert drawn in page
    assert "published by others for Kodak" in page
    other = page_of(write_results(tmp_path / "few", KODAK[:3]))
    assert drawn not in other
    assert "would not be comparable" in other
    assert "None of them is drawn above." in other
    assert "facebookresearch/NeuralCompression" in other  # still in the table


def test_names_are_escaped(tmp_path: Path) -> None:
    evil = '<b onclick="x">&\'</script>'
    folder = write_results(
        tmp_path / "a&b<c",
        ("<img src=x>", "$x_1$"),
        ("wisp", evil),
        walls=["$x_1$"],
        cpu_model=evil,
        unavailable_codecs={evil: evil},
    )
    rows = (folder / "rows.jsonl").read_text()
    assert json.dumps(evil) in rows
    reader = Reader(page_of(folder))
    assert evil in "".join(reader.texts)
    assert not any("onclick" in attributes for _, attributes in reader.elements)
    assert not any(attributes.get("src") == "x" for _, attributes in reader.elements)
    assert "a&b<c" in "".join(reader.texts)


def test_the_wall_shows_no_crop_without_its_row(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", walls=["kodim01"])
    lines = (folder / "rows.jsonl").read_text().splitlines()
    gone = [line for line in lines if _place(line) != ("kodim01", "wisp", 0.1)]
    (folder / "rows.jsonl").write_text("\n".join(gone) + "\n")
    shots = wall_data(load_run(folder))["pictures"][0]["shots"]
    assert shots["0.1"]["wisp"] == {"text": "Not measured."}
    assert "src" in shots["0.2"]["wisp"]


def _place(line: str) -> tuple[str, str, float]:
    row = json.loads(line)
    return row["image"], row["codec"], row["budget_bpp"]


@pytest.mark.parametrize(("state", "word"), [(True, "unchanged"), (False, "changed"), (None, "-")])
def test_the_page_says_whether_files_were_changed(tmp_path: Path, state: bool | None, word: str) -> None:
    text = "|".join(Reader(page_of(write_results(tmp_path, commit_is_clean=state))).texts)
    assert f"Tracked files|{word}|" in text


def test_broken_measurements_are_told(tmp_path: Path) -> None:
    failed = {"image": "kodim01", "codec": "jpeg", "budget_bpp": 0.1, "reason": "the coder <fell> over"}
    text = "".join(Reader(page_of(write_results(tmp_path, failed_fits=[failed]))).texts)
    assert "Failed measurementsJPEGbroke on 1: the coder <fell> over" in text


def test_a_run_without_wisp_or_with_one_codec(tmp_path: Path) -> None:
    for codecs in (("jpeg", "avif"), ("wisp",)):
        reader = Reader(page_of(write_results(tmp_path / codecs[0], codecs=codecs)))
        assert "It needs wisp and another codec in the run." in "".join(reader.texts)


def test_the_page_warns_of_missing_and_old_rows(tmp_path: Path) -> None:
    folder = write_results(tmp_path)
    lines = (folder / "rows.jsonl").read_text().splitlines()
    old = lines[0].replace('"codec_version":"wisp 1"', '"codec_version":"wisp 0"')
    (folder / "rows.jsonl").write_text("\n".join([old, *lines[2:]]) + "\n")
    page = page_of(folder)
    assert "Missing here: 2 measurements" in page
    assert "Left out: 1 row of other versions" in page


def test_png_files(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", KODAK)
    assert main([str(folder), "--out", str(tmp_path / "p.html"), "--png", str(tmp_path / "png")]) == 0
    names = sorted(path.name for path in (tmp_path / "png").iterdir())
    assert names == sorted(["report_curves.png", *(f"report_{m}.png" for m in METRICS if m != "dists")])
    for name in names:
        data = (tmp_path / "png" / name).read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "PNG"
            assert picture.width > 700
        assert len(data) < 400_000
    assert not (folder / "report.html").exists()


def test_the_same_results_make_the_same_page(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results")
    assert page_of(folder) == page_of(folder)


def test_means_places_and_wins(tmp_path: Path) -> None:
    run = load_run(write_results(tmp_path))
    metric = next(metric for metric in run.metrics if metric.name == "psnr_db")
    # Quality is 24 + 2.1 octaves - 6 difficulty, with difficulties 0, 0.2 and 0.4.
    assert mean_at(run, "wisp", 0.1, metric).value == pytest.approx(26.1 - 1.2, abs=1e-5)
    assert mean_at(run, "jpeg", 0.1, metric).is_whole
    partial = mean_at(run, "avif", 0.05, metric)
    assert (partial.num_images, partial.num_total, partial.is_whole) == (2, 3, False)
    assert mean_at(run, "avif", 0.02, metric).value is None
    assert [mean.codec for mean in ranking(run, 0.02, metric)] == ["wisp", "avif@1/2", "webp@1/4", "blurhash"]
    assert num_images_won(run, 0.02, metric) == 3
    assert len(curve(run, "avif", metric)) == 4


def test_a_placeholder_is_one_point_and_named_below_the_chart(
    page: str, reader: Reader, tmp_path: Path
) -> None:
    run = load_run(write_results(tmp_path))
    assert len(curve(run, "blurhash", run.metrics[0])) == 1
    charts = charts_of(run)
    assert all("blurhash" in chart.outside and "blurhash" not in chart.curves for chart in charts)
    assert "Too far left to be drawn: BlurHash " in "".join(reader.texts)
    for chart in charts:
        low, high = chart.rate_limits
        assert all(low < point.rate_bpp < high for points in chart.curves.values() for point in points)


def test_a_tie_is_no_win(tmp_path: Path) -> None:
    folder = write_results(tmp_path, codecs=("wisp", "avif@1/2", "jpeg"))
    rows = [Row.from_json(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    ours = {(row.image, row.budget_bpp): row.scores for row in rows if row.codec == "wisp"}
    tied = [replace(r, scores=ours[r.image, r.budget_bpp]) if r.codec == "avif@1/2" else r for r in rows]
    (folder / "rows.jsonl").write_text("".join(row.to_json() + "\n" for row in tied))
    run = load_run(folder)
    assert [mean.codec for mean in leaders(run, 0.1, run.metrics[0])] == ["wisp", "avif@1/2"]
    assert num_images_won(run, 0.1, run.metrics[0]) == 0
    page = page_of(folder)
    assert "<strong>wisp, AVIF 1/2</strong>" in page
    assert '<td class="won"><strong>' not in page


def test_published_numbers_are_sound() -> None:
    table = published()
    assert table.images == frozenset(KODAK)
    assert len({(series.codec, series.metric) for series in table.series}) == len(table.series)
    for series in table.series:
        rates = [rate for rate, _ in series.points]
        values = [value for _, value in series.points]
        assert rates == sorted(set(rates))
        assert values == sorted(values, reverse=series.metric in ("dists", "lpips_alex", "lpips_vgg"))
        assert series.source
        assert series.evidence


def test_codecs_look_different() -> None:
    names = [f + s for f in ("jpeg", "webp", "avif", "jxl") for s in ("", "@1/2", "@1/4")]
    looks = styles(["wisp", *names, "blurhash", "thumbhash", "new", "compressai:x"])
    assert len({(look.light, look.mark) for look in looks.values()}) == len(looks)
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for look in looks.values() for c in (look.light, look.dark))


@pytest.mark.parametrize(
    ("value", "places", "text"), [(None, 2, "-"), (-1.5, 1, "−1.5"), (-0.001, 2, "0.00"), (0.25, 3, "0.250")]
)
def test_numbers_for_people(value: float | None, places: int, text: str) -> None:
    assert number_text(value, places) == text


@pytest.mark.parametrize(
    ("codec", "label"),
    [
        ("wisp", "wisp"),
        ("avif@1/2", "AVIF 1/2"),
        ("jxl", "JPEG XL"),
        ("compressai:bmshj2018-hyperprior", "CompressAI bmshj2018-hyperprior"),
        ("other", "other"),
    ],
)
def test_codecs_for_people(codec: str, label: str) -> None:
    assert codec_label(codec) == label
