"""One run of the bench as one self-contained HTML page.

    wisp bench report results/NAME [--out FILE.html] [--png DIR]

Reads rows.jsonl, meta.json and wall/ of that folder and nothing else; the page loads nothing.

    load          the folder's files, checked, as typed tables
    comparison    means, places and wins at equal bytes
    published     numbers of others from published.toml, for the same pictures only
    bd_rate       Bjontegaard rates between two curves
    chart         what one chart shows
    curves        drawn with matplotlib; figures makes SVG and PNG of them, svg_inline fits SVG into the page
    wall          the same crop by all codecs
    sections      what the page shows, of tables and charts; page.css and page.js go into it
"""

from __future__ import annotations

from wisp.bench.report.command import main

__all__ = ["main"]
