"""`wisp packets`: a picture to numbered packets, and whatever arrived of them back to the picture."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from wisp.api import from_text, open_image
from wisp.cli.console import say
from wisp.cli.decompress import check_map, confidence_map
from wisp.cli.files import STREAM, armoured, as_utf8, check_output, read_wisp, same_file, write_output
from wisp.cli.options import ForceOption, ModelOption, QuietOption, ThreadsOption
from wisp.container import has_signature, read_header
from wisp.container.packet import has_packet_signature, unpack_packet
from wisp.errors import BitstreamError, CodecError, UsageError, WispError
from wisp.imaging import Picture, encode_picture, format_of
from wisp.packets import DEFAULT_MTU, MAX_MTU, packetize, unpacketize
from wisp.rate import parse_size
from wisp.types import PacketReconstruction

SUFFIX = ".wpk"
TEXT_SUFFIX = ".txt"
LONGER = 1.25  # times a file's bytes: packets so much longer are worth a word
MOST_SHOWN = 8  # dropped packets told of one by one

_NUMBERED = re.compile(r"\d{4,}\.(wpk|txt)")
_MOST_READ = 16 << 20  # bytes of one file: many packets as text
_TEXT = re.compile(rb"(?i)wisp:")


def packets_command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="A picture or wisp file, then a directory; with --join packets or directories of them, "
            "then a picture.",
        ),
    ],
    join: Annotated[bool, typer.Option("--join", help="From packets back to the picture.")] = False,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="BYTES", help="The most bytes of all packets of a picture together (default: 2kB)."
        ),
    ] = None,
    mtu: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            help=f"The most bytes of one packet (default: {DEFAULT_MTU}), before --text makes letters of them.",
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Write letters and digits that can be pasted.")
    ] = False,
    picture: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="With --join: which picture, if several are mixed.")
    ] = None,
    confidence: Annotated[
        str | None,
        typer.Option(metavar="MAP", help="With --join: also write how much of each region was received."),
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Send a picture in packets, any of which decode.

    `wisp packets photo.jpg DIR` writes DIR/0001.wpk and so on; `wisp packets --join DIR photo.png` shows what has
    arrived. Packets may be missing, mixed up, damaged or there twice.
    """
    if len(paths) < 2:
        raise UsageError(f"expected an input and an output, found {paths[0]!r} alone; name both")
    *sources, target = paths
    if join:
        given = {"--size": size is not None, "--mtu": mtu is not None, "--text": text}
        if any(given.values()):
            names = " and ".join(name for name, is_given in given.items() if is_given)
            raise UsageError(f"expected {names} without --join, found both; leave one out")
        full, origins = _join(sources, target, picture, confidence, model, threads, force)
        if not quiet:
            _report(full, origins, target)
        return
    if picture is not None or confidence is not None:
        raise UsageError("expected --join with --picture and --confidence, found none; add it")
    if len(sources) > 1:
        raise UsageError(
            f"expected one picture and a directory, found {len(paths)} names; do one after the other"
        )
    if STREAM in paths:
        raise UsageError("expected the names of a picture and a directory, found -; packets are many files")
    if size is not None:
        parse_size(size)  # told before a picture is read
    old = _check_directory(target, force, sources[0])
    source = _load(sources[0])
    mtu = DEFAULT_MTU if mtu is None else mtu
    packets = packetize(source, size=size, mtu=mtu, model=model, threads=threads)
    if isinstance(source, bytes) and not quiet and read_header(source)[0].has_detail:
        say(f"note: {sources[0]}: the detail behind its tokens is not sent")
    _write(packets, target, old, text)
    if not quiet:
        total, longest = sum(map(len, packets)), max(map(len, packets))
        if isinstance(source, bytes) and total > LONGER * len(source):
            say(
                f"note: the file has {len(source)} bytes; packets of the picture itself, with --size, "
                "would have no more than are asked for"
            )
        count = f"{len(packets)} packet{'s' if len(packets) > 1 else ''}"
        say(f"{target}: {total} bytes in {count} of at most {longest}")


def _load(path: str) -> bytes | Picture:
    """The bytes of a wisp file, or a picture."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise UsageError(
            f"expected a file that can be read twice, found a pipe or device at {path!r}; save it first"
        )
    try:
        data, _ = read_wisp(path)
    except BitstreamError:
        raise  # a packet, or damaged text: no picture either
    except CodecError:
        return open_image(path)  # which says what is wrong with the name
    return data if has_signature(data) else open_image(path)


def _check_directory(path: str, force: bool, source: str) -> list[Path]:
    """Packets that are in the output directory already, to be replaced. Other files are not touched."""
    folder = Path(path)
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"expected a directory for the packets, found the file {path!r}; name another")
    named = sorted(p for p in folder.glob("*") if _NUMBERED.fullmatch(p.name)) if folder.is_dir() else []
    for place in named:
        if same_file(str(place), source):
            raise UsageError(f"expected a directory without the input, found {source!r} in it; name another")
        if not _holds_packets(place):
            raise UsageError(
                f"expected a directory without other files named like packets, found {place.name!r} in {path!r}, which "
                "is none; name another"
            )
    if named and not force:
        raise UsageError(
            f"expected a directory without packets, found {named[0].name!r} in {path!r}; name another, or replace "
            "them with -f"
        )
    return named


def _holds_packets(path: Path) -> bool:
    return path.is_file() and all(has_packet_signature(data) for data in _read(path))


def _write(packets: list[bytes], folder: str, old: list[Path], text: bool) -> None:
    """Write all packets; then remove old ones that would stay among them."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as fault:
        raise UsageError(
            f"expected a directory to write to, found: {fault.strerror} at {folder!r}; choose another"
        ) from fault
    written = set()
    for number, packet in enumerate(packets, 1):
        name = f"{number:04}{TEXT_SUFFIX if text else SUFFIX}"
        write_output(str(Path(folder) / name), armoured(packet) if text else packet)
        written.add(name)
    for path in old:
        if path.name not in written:
            try:
                path.unlink()
            except OSError as fault:
                raise CodecError(
                    f"cannot remove the old packet {str(path)!r}: {fault.strerror}; remove it yourself"
                ) from fault


def _join(
    sources: list[str],
    target: str,
    picture: str | None,
    confidence: str | None,
    model: str | None,
    threads: int | None,
    force: bool,
) -> tuple[PacketReconstruction, list[str]]:
    """What the packets show, and the name of the file that each of them was in."""
    kind = "png" if target == STREAM else format_of(target)
    check_output(target, force)
    if confidence is not None:
        check_map(confidence, target, force)
    found = [(file.name, packet) for source in sources for file in _files(source) for packet in _read(file)]
    origins, packets = [name for name, _ in found], [packet for _, packet in found]
    full = unpacketize(packets, picture_id=_number(picture), model=model, threads=threads)
    outputs = [(target, encode_picture(full.image, kind, generated=full.generated, partial=full.partial))]
    if confidence is not None:
        map_kind = "png" if confidence == STREAM else format_of(confidence)
        outputs.append((confidence, encode_picture(confidence_map(full), map_kind)))
    for path, data in outputs:
        write_output(path, data)
    return full, origins


def _number(picture: str | None) -> int | None:
    if picture is None:
        return None
    if not re.fullmatch(r"[0-9a-fA-F]{1,4}", picture):
        raise UsageError(f"expected --picture as up to four hexadecimal digits, found {picture!r}")
    return int(picture, 16)


def _files(source: str) -> list[Path]:
    """The packet files of a directory, or a file by itself."""
    path = Path(source)
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in (SUFFIX, TEXT_SUFFIX) and p.is_file())
    if not files:
        raise CodecError(f"{source!r}: expected packets named like 0001{SUFFIX}, found none; check the name")
    return files


def _read(path: Path) -> list[bytes]:
    """The packets of one file: one as it is, or any number as text."""
    try:
        with path.open("rb") as stream:
            data = as_utf8(stream.read(_MOST_READ))
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise CodecError(
            f"{str(path)!r}: expected a packet to read, found: {reason}; check the name"
        ) from fault
    starts = [found.start() for found in _TEXT.finditer(data)]
    if not starts or not _is_text(data):
        return [data[: MAX_MTU + 1]]
    return [_unwrapped(data[a:b]) for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def _is_text(data: bytes) -> bool:
    """Whether it is text: what a chat or mail program saved, perhaps with names and times between the packets."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unwrapped(text: bytes) -> bytes:
    """What a text holds; a damaged one stays as it is, and is dropped with the damaged packets.

    The text goes on to the next packet: through line breaks, which armour may have, or a chat's other words, which
    are no part of it. So what makes a sound packet is taken: all of it, or its first line.
    """
    found = []
    for part in (text, text.split(b"\n", 1)[0]):
        try:
            found.append(from_text(part.decode("utf-8", errors="replace")))
            unpack_packet(found[-1])
        except WispError:
            continue
        return found[-1]
    return found[0] if found else text


def _report(full: PacketReconstruction, origins: list[str], target: str) -> None:
    for dropped in full.dropped[:MOST_SHOWN]:
        name = origins[dropped.place]
        if origins.count(name) > 1:  # many packets in one text
            name = f"{name}, packet {dropped.place - origins.index(name) + 1},"
        say(f"note: {name} was left out: {dropped.error}: {dropped.reason}")
    if len(full.dropped) > MOST_SHOWN:
        say(f"note: {len(full.dropped) - MOST_SHOWN} more were left out")
    name = "stdout" if target == STREAM else target
    shown = f"{len(full.received)} of {full.count} packets"
    line = f"{name}: {full.info.width}x{full.info.height}, {shown} of picture {full.picture_id:04x}"
    say(f"{line}, {full.num_generated} tokens were made up" if full.generated else line)
