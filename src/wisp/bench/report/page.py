"""The whole page: text, charts, tables and wall in one file that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from wisp.bench.catalogue import WISP
from wisp.bench.report.chart import charts_of
from wisp.bench.report.load import Run
from wisp.bench.report.markup import Markup, tag
from wisp.bench.report.palette import SeriesStyle, styles
from wisp.bench.report.provenance_section import making, opening
from wisp.bench.report.published import published
from wisp.bench.report.sections import (
    bd_section,
    curves_section,
    glance,
    means_section,
    pictures_section,
    published_section,
)
from wisp.bench.report.wall import wall_section

# The page may show what it carries and nothing else: a picture or script from elsewhere would be refused.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
LINKS = {
    "glance": "At a glance",
    "wall": "Picture wall",
    "curves": "Curves",
    "bd": "Bjontegaard rates",
    "means": "Means",
    "pictures": "Each picture",
    "published": "Published by others",
    "making": "How it was made",
}


def render_page(run: Run) -> str:
    """The page as one HTML document."""
    others = published()
    looks = styles(run.codecs)
    subject = "wisp beside other codecs" if WISP in run.codecs else "Codecs at equal bytes"
    title = f"{subject}: {run.folder.name}"
    sections = [
        glance(run),
        wall_section(run),
        curves_section(run, charts_of(run), looks, others),
        bd_section(run),
        means_section(run),
        pictures_section(run),
        published_section(run, others),
        making(run),
    ]
    links = (tag("a", label, href=f"#{anchor}") for anchor, label in LINKS.items())
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#main", class_="skip"),
        tag("header", tag("h1", title), *opening(run), tag("nav", *links, aria_label="Sections")),
        tag("main", *sections, id="main"),
        tag("div", id="note", role="status", hidden=True),
        tag("script", Markup(_asset("page.js"))),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(_asset("page.css") + _series_colours(looks))),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n"


def _asset(name: str) -> str:
    return files("wisp.bench.report").joinpath(name).read_text(encoding="utf-8")


def _series_colours(looks: Mapping[str, SeriesStyle]) -> str:
    """The variables ``--sNUMBER`` for light and dark ground."""

    def block(shades: list[str]) -> str:
        return ":root{" + "".join(f"--s{number}:{shade};" for number, shade in enumerate(shades)) + "}"

    light = block([look.light for look in looks.values()])
    dark = block([look.dark for look in looks.values()])
    return f"\n{light}\n@media (prefers-color-scheme:dark){{{dark}}}\n"
