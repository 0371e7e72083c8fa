"""The command `wisp bench report`: reads one run, draws everything, then writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wisp.atomic import write_bytes_atomic
from wisp.bench.command import command, command_parser
from wisp.bench.provenance import note
from wisp.bench.report.chart import charts_of
from wisp.bench.report.figures import png_charts
from wisp.bench.report.load import Run, load_run
from wisp.bench.report.page import render_page
from wisp.bench.report.palette import styles
from wisp.errors import UsageError

OVERVIEW = ("lpips_squeeze", "feature_distance", "ssimulacra2", "psnr_db")  # four, as two by two fit a README


def picture_files(run: Run) -> dict[str, bytes]:
    """File name -> PNG: one for each metric, and ``report_curves.png`` with four of them."""
    charts = charts_of(run)
    looks = styles(run.codecs)
    name = run.folder.name
    files = {f"report_{chart.metric.name}.png": png_charts([chart], looks, name) for chart in charts}
    chosen = [chart for chart in charts if chart.metric.name in OVERVIEW] or charts[:4]
    subject = f"{len(run.images)} pictures, each codec at its largest file within the budget"
    files["report_curves.png"] = png_charts(chosen, looks, f"{name}: {subject}")
    return files


@command("report")
def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = command_parser("report", "one run of the bench as one HTML page that loads nothing")
    parser.add_argument("folder", type=Path, help="folder that `wisp bench run` wrote")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="default: report.html in that folder")
    parser.add_argument(
        "--png", type=Path, metavar="DIR", help="also the curves as PNG files into this folder"
    )
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    target = options.out or options.folder / "report.html"
    if options.png and options.png.exists() and not options.png.is_dir():
        raise UsageError(f"--png: expected a folder, found the file {options.png}; name a folder")
    run = load_run(folder)
    page = render_page(run).encode("utf-8")
    pictures = picture_files(run) if options.png else {}
    write_bytes_atomic(target, page)
    note(f"{target}: {len(page)} bytes")
    if options.png:
        options.png.mkdir(parents=True, exist_ok=True)
    for name, data in pictures.items():
        write_bytes_atomic(options.png / name, data)
        note(f"{options.png / name}: {len(data)} bytes")
    return 0
