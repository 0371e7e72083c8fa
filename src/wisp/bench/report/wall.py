"""The picture wall: one place of a picture by all codecs at the same budget, to flip through.

The crops are read from the run's folder wall/ (`wisp.bench.wall` says where each lies) and go into the page as
data. The script of the page shows them; without it the section says so.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from wisp.bench.report.load import Run
from wisp.bench.report.markup import Markup, tag
from wisp.bench.report.wording import bpp_text, codec_label, count_text, metric_words, number_text
from wisp.bench.row_store import Row
from wisp.bench.wall import crop_path, original_path
from wisp.errors import ImageError
from wisp.rate import rate_bpp

WANTED_BUDGET = 0.05  # shown first where the run has it: the rate wisp is made for
SPOKEN = ("lpips_squeeze", "psnr_db")


def wall_images(run: Run) -> tuple[str, ...]:
    """Pictures of the run that have an original on the wall."""
    return tuple(image for image in run.images if (run.folder / original_path(image)).is_file())


def _data_url(path: Path) -> str:
    """The file as a data URL.

    Raises:
        ImageError: not a whole WebP picture.
    """
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as opened:
            opened.load()
    except (OSError, SyntaxError, ValueError) as fault:
        raise ImageError(
            f"{path}: expected a WebP picture, found {fault}; delete the folder wall and run `wisp bench run` again"
        ) from fault
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")


def _caption(run: Run, row: Row | None) -> str:
    if row is None:
        return "Not measured."
    if row.reached and row.num_bytes is not None:
        scores = [
            f"{metric_words(name).label} {number_text(row.scores[name], metric_words(name).places)}"
            for name in SPOKEN
            if row.scores.get(name) is not None
        ]
        whole = f"{count_text(row.num_bytes)} bytes for the whole picture (budget {count_text(row.budget_num_bytes)})"
        return "; ".join([whole, *scores])
    if row.smallest_num_bytes is None:
        return "Cannot reach this budget."
    pixels = 8 * row.budget_num_bytes / row.budget_bpp
    smallest = rate_bpp(row.smallest_num_bytes, max(round(pixels), 1), 1)
    return (
        f"Cannot reach this budget: its smallest file of the picture is {count_text(row.smallest_num_bytes)} bytes "
        f"({number_text(smallest, 3)} bpp), allowed were {count_text(row.budget_num_bytes)}."
    )


def wall_data(run: Run) -> dict[str, Any]:
    """What the script needs: codecs, budgets, and for each picture the original and every shot with its caption."""
    by_key = {row.key: row for row in run.rows}
    pictures = []
    for image in wall_images(run):
        shots: dict[str, dict[str, dict[str, str]]] = {}
        for budget in run.budgets:
            here = shots[bpp_text(budget)] = {}
            for codec in run.codecs:
                path = run.folder / crop_path(image, budget, codec)
                row = by_key.get((budget, codec, image))
                here[codec] = {"text": _caption(run, row)}
                if row is not None and row.reached and path.is_file():
                    here[codec]["src"] = _data_url(path)
        original = _data_url(run.folder / original_path(image))
        pictures.append({"name": image, "original": original, "shots": shots})
    return {
        "codecs": [{"name": codec, "label": codec_label(codec)} for codec in run.codecs],
        "budgets": [bpp_text(budget) for budget in run.budgets],
        "pictures": pictures,
    }


def json_block(identity: str, value: object) -> Markup:
    """Data for the script; no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return tag("script", Markup(safe), type="application/json", id=identity)


def _choices(legend: str, name: str, values: list[tuple[str, str]], chosen: str) -> Markup:
    buttons = [
        tag(
            "label",
            tag("input", type="radio", name=name, value=value, checked=value == chosen),
            tag("span", label),
            class_="choice",
        )
        for value, label in values
    ]
    return tag("fieldset", tag("legend", legend), *buttons, class_="choices")


def wall_section(run: Run) -> Markup:
    """The section; where the run has no wall, how to get one."""
    heading = tag("h2", "See for yourself", id="wall-heading")
    images = wall_images(run)
    if not images:
        words = tag(
            "p",
            "This run kept no pictures. ",
            tag("code", "wisp bench run ... --wall NAME,NAME"),
            " keeps some.",
        )
        return tag("section", heading, words, id="wall", aria_labelledby="wall-heading")
    first = min(run.budgets, key=lambda budget: abs(budget - WANTED_BUDGET))
    pieces = [
        heading,
        tag(
            "p",
            "The same middle piece of a picture, by every codec, each with the largest file it can make within the "
            "same number of bytes. Choose below, or focus the picture and use the arrow keys: ",
            tag("kbd", "←"),
            tag("kbd", "→"),
            " change the codec (the original is among them), ",
            tag("kbd", "↑"),
            tag("kbd", "↓"),
            " the budget. Hold the picture, or ",
            tag("kbd", "Space"),
            ", to see the original.",
        ),
        tag(
            "noscript",
            tag("p", "Flipping through the pictures needs JavaScript; everything else here does not."),
        ),
        _choices("Picture", "wall-picture", [(image, image) for image in images], images[0]),
        _choices(
            "Budget, bits per pixel",
            "wall-budget",
            [(bpp_text(budget), bpp_text(budget)) for budget in run.budgets],
            bpp_text(first),
        ),
        tag(
            "div",
            tag(
                "figure",
                tag(
                    "div",
                    tag("div", id="wall-empty", hidden=True),
                    tag("span", "", id="wall-badge", class_="badge"),
                    id="wall-frame",
                    tabindex="0",
                    role="group",
                    aria_label="Picture; arrow keys change codec and budget, Space shows the original",
                ),
                tag("figcaption", "", id="wall-caption", aria_live="polite"),
                tag("button", "Hold for the original", type="button", id="wall-hold"),
                id="wall-view",
            ),
            tag("div", id="wall-tiles", role="radiogroup", aria_label="Codec"),
            class_="wall",
        ),
        json_block("wall-data", wall_data(run)),
    ]
    return tag("section", *pieces, id="wall", aria_labelledby="wall-heading")
