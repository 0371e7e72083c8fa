"""Is ``size=N`` kept, and is it used: every picture at every size.

wisp bench budgets --images DIR --out results/NAME --sizes 500,1000,2000,4000,8000,16000
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

from PIL import Image

from wisp.bench.codec_wisp import WispCodec
from wisp.bench.command import command, command_parser, whole_number_list
from wisp.bench.markdown import number, table
from wisp.bench.pictures import picture_paths, read_picture
from wisp.bench.provenance import meta, note, row_line, write_json, write_text
from wisp.errors import BudgetError

SIZES = "500,1000,2000,4000,8000,16000"
SHARE_WANTED = Fraction(97, 100)


@dataclass(frozen=True)
class BudgetRow:
    """One picture at one size; columns as in results/FIELDS.md."""

    image: str
    budget_num_bytes: int
    num_bytes: int | None
    share_used: float | None
    ceiling_num_bytes: int
    keeps: bool
    fills: bool
    smallest_num_bytes: int | None


def judge(
    image: str, budget: int, num_bytes: int | None, ceiling: int, smallest: int | None = None
) -> BudgetRow:
    """Hold one file size against its budget.

    Args:
        image: the picture's name.
        budget: N of ``size=N``, bytes.
        num_bytes: size of the file; None when the budget was refused.
        ceiling: size of the model's largest file of the picture.
        smallest: the size a refusal named.
    """
    if num_bytes is None:
        refused_rightly = smallest is not None and smallest > budget
        return BudgetRow(image, budget, None, None, ceiling, refused_rightly, refused_rightly, smallest)
    return BudgetRow(
        image=image,
        budget_num_bytes=budget,
        num_bytes=num_bytes,
        share_used=round(num_bytes / budget, 6),
        ceiling_num_bytes=ceiling,
        keeps=num_bytes <= budget,
        fills=num_bytes >= SHARE_WANTED * budget or num_bytes >= ceiling,
        smallest_num_bytes=None,
    )


def try_sizes(
    image: Image.Image,
    name: str,
    sizes: Sequence[int],
    compress_to: Callable[[Image.Image, int], bytes],
    ceiling: int,
) -> list[BudgetRow]:
    """One row for every size."""
    rows = []
    for size in sizes:
        try:
            rows.append(judge(name, size, len(compress_to(image, size)), ceiling))
        except BudgetError as refusal:
            rows.append(judge(name, size, None, ceiling, refusal.smallest_num_bytes))
    return rows


def summary(rows: Sequence[BudgetRow], sizes: Sequence[int]) -> str:
    """The page: a line for every size."""
    lines = []
    for size in sizes:
        mine = [row for row in rows if row.budget_num_bytes == size]
        shares = [row.share_used for row in mine if row.share_used is not None]
        at_ceiling = sum(row.num_bytes is not None and row.num_bytes >= row.ceiling_num_bytes for row in mine)
        lines.append(
            [
                str(size),
                f"{sum(row.keeps for row in mine)}/{len(mine)}",
                f"{sum(row.fills for row in mine)}/{len(mine)}",
                number(min(shares, default=None), 4),
                number(sum(shares) / len(shares) if shares else None, 4),
                str(at_ceiling),
                str(sum(row.num_bytes is None for row in mine)),
            ]
        )
    header = ["budget, bytes", "kept", "filled", "least share", "mean share", "at the ceiling", "refused"]
    page = [
        "# Byte budgets",
        "",
        "Kept: the file is at most the budget. Filled: at least 97 % of it, or the model's largest file of "
        "that picture. Refused: the budget is below the smallest file.",
        "",
        *table(header, lines),
    ]
    faults = [row for row in rows if not (row.keeps and row.fills)]
    if faults:
        page += ["", "## Not kept or not filled", ""]
        page += [f"* {row.image} at {row.budget_num_bytes}: {row.num_bytes} bytes" for row in faults]
    return "\n".join(page) + "\n"


@command("budgets")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when every budget is kept and filled, 1 when not."""
    parser = command_parser("budgets", "is size=N kept and used", "images out model")
    parser.add_argument("--sizes", default=SIZES, help="bytes, with commas between")
    options = parser.parse_args(arguments)
    rows: list[BudgetRow] = []
    sizes = whole_number_list("--sizes", options.sizes, 1)
    codec = WispCodec(options.model)
    for path in picture_paths(options.images):
        image = read_picture(path)
        ceiling = len(codec.compress(image, quality=100))
        rows += try_sizes(image, path.stem, sizes, lambda i, n: codec.compress(i, size=n), ceiling)
        note(f"{path.stem}: ceiling {ceiling} bytes")
    version = codec.version
    write_text(options.out / "rows.jsonl", "".join(row_line(asdict(row)) + "\n" for row in rows))
    write_text(options.out / "summary.md", summary(rows, sizes))
    write_json(options.out / "meta.json", meta("wisp.bench.budgets", arguments, codecs={"wisp": version}))
    return 0 if all(row.keeps and row.fills for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
