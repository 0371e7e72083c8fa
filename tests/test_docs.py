"""The documents keep up with the code: links lead somewhere, tables name every file, records are indexed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCE = ROOT / "src" / "wisp"
INIT = "__init__.py"
PARTS = ("Status:", "## Question", "## Decision", "## Evidence", "## Instead of", "## Consequences")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Targets of a page's headings, as GitHub and most renderers spell them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = page if not name else (page.parent / name).resolve()
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link} names no heading"


def test_the_architecture_names_every_file_once() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    _, _, files = text.partition("## 9. Files")
    named = re.findall(r"`([\w/]+\.py)`", "\n".join(re.findall(r"^\| (`.+?) \|", files, re.MULTILINE)))
    paths = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py")]
    inside_rooms = ["/".join(path.parts[1:] or path.parts) for path in paths]
    assert sorted(n for n in named if n != INIT) == sorted(n for n in inside_rooms if not n.endswith(INIT))


def test_every_record_is_in_the_index_with_its_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[\d{4}\]\((.+?)\)", index, re.MULTILINE) == records
    for number, name in enumerate(records, 1):
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {number:04} ")
        for part in PARTS:
            assert part in text, f"{name} has no {part}"
