"""Change every byte of a file to every other value, cut it at every length, and see what the decoder says.

    wisp bench damage --out results/NAME FILES.wisp ... [--values N]

Copies are screened by decoding their tokens alone; what passes is decompressed and compared pixel by pixel.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from wisp.bench.command import command, command_parser
from wisp.bench.file_damage import DamageCounts, Verdict, changed_bytes, cuts, tally
from wisp.bench.markdown import table
from wisp.bench.provenance import meta, note, write_json, write_text
from wisp.errors import UsageError


def picture_of(data: bytes) -> bytes:
    """The decompressed picture as comparable bytes: mode, size and pixels."""
    import wisp

    image: Image.Image = wisp.decompress(data)
    return f"{image.mode} {image.width} {image.height} ".encode() + image.tobytes()


def token_screen() -> Callable[[bytes], object] | None:
    """The decoder of tokens alone, where this wisp has one; what names a model without tokens passes."""
    decode: Callable[[bytes], object] | None = getattr(
        importlib.import_module("wisp.codecs"), "decode_tokens", None
    )
    if decode is None:
        return None

    def screen(data: bytes) -> None:
        with contextlib.suppress(UsageError):
            decode(data)

    return screen


def record(data: bytes, changes: DamageCounts, cut: DamageCounts) -> dict[str, Any]:
    """One file's results; columns as in results/FIELDS.md."""

    def counts(of: DamageCounts) -> dict[str, Any]:
        return {
            "num_tried": of.total,
            **{verdict.name.lower(): of.verdicts[verdict] for verdict in Verdict},
            "errors": dict(sorted(of.errors.items())),
            "examples": of.examples,
        }

    return {"num_bytes": len(data), "changed_bytes": counts(changes), "cuts": counts(cut)}


def summary(files: dict[str, dict[str, Any]]) -> str:
    """The page: two lines a file."""
    lines = []
    for name, found in files.items():
        for kind in ("changed_bytes", "cuts"):
            counts = found[kind]
            cells = [str(counts[verdict.name.lower()]) for verdict in Verdict]
            lines.append(
                [name, str(found["num_bytes"]), kind.replace("_", " "), str(counts["num_tried"]), *cells]
            )
    header = ["file", "bytes", "damage", "tried", *(verdict.value for verdict in Verdict)]
    page = [
        "# Damaged files",
        "",
        "One byte changed to another value, or the end cut off. A 16-bit check is expected to let one wrong "
        "decode in 65,536 through.",
        "",
        *table(header, lines),
    ]
    examples = [f"* {name}: {text}" for name, found in files.items() for text in _examples(found)]
    if examples:
        page += ["", "## What went wrong", "", *examples]
    return "\n".join(page) + "\n"


def _examples(found: dict[str, Any]) -> list[str]:
    return [*found["changed_bytes"]["examples"], *found["cuts"]["examples"]]


@command("damage")
def main(arguments: Sequence[str]) -> int:
    """The command; 1 on any exception without a name, or on a cut that is not noticed."""
    parser = command_parser("damage", "damaged files", "out")
    parser.add_argument("files", type=Path, nargs="+", help="files of wisp's")
    parser.add_argument("--values", type=int, help="other values a byte, drawn at random; all 255 by default")
    parser.add_argument("--seed", type=int, default=0, help="of that drawing")
    options = parser.parse_args(arguments)
    files: dict[str, dict[str, Any]] = {}
    if options.values is not None and not 1 <= options.values <= 255:
        raise UsageError(f"--values: expected 1..255, found {options.values}")
    screen = token_screen()
    for path in options.files:
        try:
            data = path.read_bytes()
        except OSError as fault:
            raise UsageError(f"{path.name}: expected a file to read, found {fault.strerror}") from fault
        picture = picture_of(data)
        note(f"{path.name}: {len(data)} bytes")
        changes = tally(changed_bytes(data, options.values, options.seed), picture, picture_of, screen)
        files[path.name] = record(data, changes, tally(cuts(data), picture, picture_of, screen))
    write_json(options.out / "damage.json", {"files": files})
    write_text(options.out / "summary.md", summary(files))
    write_json(options.out / "meta.json", meta("wisp.bench.damage", arguments, screened=screen is not None))
    print(summary(files))
    unnamed = sum(f[kind]["other_exception"] for f in files.values() for kind in ("changed_bytes", "cuts"))
    unnoticed = sum(f["cuts"]["num_tried"] - f["cuts"]["named_error"] for f in files.values())
    return 1 if unnamed or unnoticed else 0


if __name__ == "__main__":
    raise SystemExit(main())
