"""HTML from Python values: text is escaped, only what `tag` made is taken as it is."""

from __future__ import annotations

from html import escape

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def joined(*parts: str) -> Markup:
    """The parts one after another, plain text escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | bool | None) -> Markup:
    """One element.

    Args:
        name: the element's name.
        children: Markup, or text to be escaped.
        attributes: by name; ``_`` at the end is dropped (``class_``), others become ``-`` (``aria_label``).
            True is an attribute without value; False and None leave it out.
    """
    opening = name
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        opening += " " + key.rstrip("_").replace("_", "-")
        if value is not True:
            opening += f'="{escape(value)}"'
    if name in VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{joined(*children)}</{name}>")


def table(
    caption: str,
    header: list[str],
    lines: list[list[str]],
    class_: str = "",
    line_attributes: list[dict[str, str]] | None = None,
) -> Markup:
    """A table that scrolls by itself on narrow screens; the first cell of each line is its heading.

    Args:
        caption: what it shows.
        header: column names.
        lines: cells, each Markup or text; a whole `td` or `th` is taken as it is.
        class_: more classes of the table.
        line_attributes: attributes of each line.
    """
    body = []
    for number, cells in enumerate(lines):
        filled = [
            cell
            if isinstance(cell, Markup) and cell.startswith(("<td", "<th"))
            else tag("th", cell, scope="row")
            if column == 0
            else tag("td", cell)
            for column, cell in enumerate(cells)
        ]
        body.append(tag("tr", *filled, **(line_attributes[number] if line_attributes else {})))
    head = tag("tr", *(tag("th", cell, scope="col") for cell in header))
    inside = tag(
        "table", tag("caption", caption), tag("thead", head), tag("tbody", *body), class_=class_ or None
    )
    return tag("div", inside, class_="scroll", tabindex="0", role="region", aria_label=caption)
