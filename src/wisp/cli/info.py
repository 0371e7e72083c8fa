"""`wisp info`: what a file says of itself, from the bytes in front of its payload."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from PIL import Image

from wisp.api import read_info, reconstruct
from wisp.cli.console import show
from wisp.cli.files import STREAM, check_output, naming, read_wisp, same_file, write_output
from wisp.cli.grain_picture import bare, overlay
from wisp.cli.options import ForceOption, JsonOption, ModelOption, ThreadsOption
from wisp.cli.sequences import reads_sequence, refuse_for_frames, sequence_lines
from wisp.codecs.registry import WITHDRAWN, release_of
from wisp.container import CHECK_NUM_BYTES, FieldValue, header_fields, pack_header, read_header
from wisp.errors import UsageError
from wisp.imaging import encode_picture, format_of
from wisp.types import ImageInfo, Reconstruction


@dataclass(frozen=True)
class FileReport:
    """Everything that `wisp info` prints.

    Attributes:
        name: the file's name as it was given.
        is_text: the file is text armour; all sizes are those of the bytes inside.
        info: what `wisp.read_info` says.
        fields: the header's fields as stored.
        parts: bytes of each part of the file, in file order; they sum to the file.
    """

    name: str
    is_text: bool
    info: ImageInfo
    fields: tuple[FieldValue, ...]
    parts: dict[str, int]

    @property
    def mode(self) -> str:
        """Pillow's name for the channels that decompressing gives."""
        return ("L" if self.info.greyscale else "RGB") + ("A" if self.info.has_alpha else "")


def info_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A wisp file, or its text; - is stdin.")],
    as_json: JsonOption = False,
    grain_map: Annotated[
        str | None,
        typer.Option(
            metavar="PICTURE", help="Also draw how deep each region was sent, over the decoded picture."
        ),
    ] = None,
    grain_map_raw: Annotated[
        str | None,
        typer.Option(metavar="PNG", help="The same, a grey pixel a region, for `compress --grain-map`."),
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
) -> None:
    """Show what a file says of itself.

    Nothing is decoded, and no model is needed, but for the grain map; so a file that was cut or damaged behind its
    front is not found out; `wisp check` does that.
    """
    if reads_sequence([file]):
        refuse_for_frames(grain_map=grain_map, grain_map_raw=grain_map_raw)
        for line in sequence_lines(file, as_json):
            print(line) if as_json else show(line)
        return
    wanted = _wanted_maps(file, grain_map, grain_map_raw, force)
    data, is_text = read_wisp(file)
    report = report_of(file, data, is_text)
    if wanted:
        with naming(file):
            full = reconstruct(data, model=model, threads=threads)
        for path, draw in wanted.items():
            write_output(path, encode_picture(draw(full), format_of(path)))
    if as_json:
        print(json.dumps(as_table(report), indent=1))
        return
    for line in as_lines(report):
        show(line)


def _wanted_maps(
    file: str, grain_map: str | None, grain_map_raw: str | None, force: bool
) -> dict[str, Callable[[Reconstruction], Image.Image]]:
    """Places for pictures of the grain map, and what draws each; faults are told before the file is read."""
    wanted: dict[str, Callable[[Reconstruction], Image.Image]] = {}
    for path, draw in ((grain_map, overlay), (grain_map_raw, bare)):
        if path is None:
            continue
        if path == STREAM or same_file(path, file) or any(same_file(path, other) for other in wanted):
            raise UsageError(
                f"expected another name for the grain map, found {path!r}; it needs one of its own"
            )
        if draw is bare and format_of(path) != "png":
            raise UsageError(f"expected a name that ends in .png for the bare grain map, found {path!r}")
        format_of(path)
        check_output(path, force)
        wanted[path] = draw
    return wanted


def report_of(path: str, data: bytes, is_text: bool) -> FileReport:
    """What the front of a file says.

    Raises:
        BitstreamError: it is not a wisp file, or its front is damaged.
    """
    with naming(path):
        info = read_info(data)
        header, _, payload_num_bytes = read_header(data)
    header_num_bytes = len(pack_header(header))
    parts = {
        "header": header_num_bytes,
        "chunks": len(data) - header_num_bytes - payload_num_bytes - CHECK_NUM_BYTES,
        "payload": payload_num_bytes,
        "check": CHECK_NUM_BYTES,
    }
    return FileReport(path, is_text, info, header_fields(header), parts)


def as_table(report: FileReport) -> dict[str, Any]:
    """The report as plain JSON values."""
    info = report.info
    return {
        "file": report.name,
        "text": report.is_text,
        "num_bytes": info.num_bytes,
        "rate_bpp": info.rate_bpp,
        "width": info.width,
        "height": info.height,
        "mode": report.mode,
        "format_version": info.format_version,
        "model_number": info.model_number,
        "model_name": info.model_name,
        "scale_exponent": info.scale_exponent,
        "parts": report.parts,
        "chunks": [{"name": name, "num_bytes": num_bytes} for name, num_bytes in info.chunks],
        "fields": [
            {
                "name": v.field.name,
                "num_bits": v.field.num_bits,
                "stored": v.stored,
                "meaning": v.field.meaning,
            }
            for v in report.fields
        ],
    }


def as_lines(report: FileReport) -> list[str]:
    """The report for people."""
    info = report.info
    model = info.model_name or (
        "withdrawn" if info.model_number in WITHDRAWN else "not known to this version"
    )
    release = release_of(info.model_number)
    kept = f", {release}" if release else ""
    armour = ", as text" if report.is_text else ""
    lines = [
        f"{report.name}: {info.width}x{info.height} {report.mode}, {info.num_bytes} bytes{armour}",
        f"  rate      {info.rate_bpp:.4f} bits per pixel",
        f"  model     {info.model_number} ({model}{kept})",
        f"  scale     1/{1 << info.scale_exponent}",
        "",
        "  part        bytes",
    ]
    lines += [f"  {name:<10}{num_bytes:>7}" for name, num_bytes in report.parts.items()]
    if info.chunks:
        lines += ["", "  chunk       bytes of data"]
        lines += [f"  {name:<10}{num_bytes:>7}" for name, num_bytes in info.chunks]
    lines += ["", "  field           bits  stored  meaning"]
    lines += [
        f"  {v.field.name:<16}{v.field.num_bits:>4}{v.stored:>8}  {v.field.meaning}" for v in report.fields
    ]
    return lines
