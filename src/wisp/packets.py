"""The door for packets: a picture in parts, of which any will do (docs/packets.md)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.codecs import ENTRIES, codec_for_file, codec_for_model
from wisp.codecs.by_hand import greys_of_depths
from wisp.codecs.packet_reading import complete, read_packets, show_packets
from wisp.codecs.packet_writing import split_file, write_packets
from wisp.container import MAX_PIXELS, unpack_file
from wisp.container.packet import MIN_PACKET_NUM_BYTES, PACKET_VERSION
from wisp.container.packet_set import sort_packets
from wisp.errors import UsageError
from wisp.imaging import Picture, to_picture
from wisp.rate import make_target
from wisp.types import ImageInfo, PacketReconstruction

ImageLike = Image.Image | NDArray[Any]

DEFAULT_MTU = 200  # bytes: what LoRa, Meshtastic and Iridium short bursts all carry
DEFAULT_NUM_BYTES = 2000
MAX_MTU = 65_535


def packetize(
    source: ImageLike | Picture | bytes,
    *,
    size: int | str | None = None,
    mtu: int = DEFAULT_MTU,
    model: str | Path | None = None,
    threads: int | None = None,
) -> list[bytes]:
    """A picture as packets, any of which decode to the whole picture; more packets, more of it.

    Args:
        source: a PIL image or a uint8 array (H, W, 3) or (H, W), put on white where it is transparent; or the bytes of
            a wisp file, whose tokens are then sent as they are, without its metadata, alpha plane and detail.
        size: the most bytes that all packets together may have, such as 2000 or "2kB" (the default): a promise. A
            file keeps its own size, so that nothing is given here.
        mtu: the most bytes that one packet may have.
        model: name of a model, or path of a bundle.
        threads: for the networks; default WISP_THREADS or all processors, at most 8.

    Raises:
        ImageError: the picture cannot be used.
        BudgetError: no packets are that small; it carries the smallest size that works.
        ModelError: the model is unknown, missing or broken.
        BitstreamError: the file is at fault.
        UsageError: an option is out of range.
    """
    mtu = _settle_mtu(mtu)
    if isinstance(source, bytes | bytearray | memoryview):
        if size is not None:
            raise UsageError(
                "expected no size with a wisp file, which keeps its own; give the picture to change it"
            )
        file = unpack_file(bytes(source))
        codec = codec_for_file(file.header.model_number, model, threads)
        return split_file(codec, file.header, codec.decode_tokens(file), mtu)
    num_bytes = _settle_size(size)
    picture = source if isinstance(source, Picture) else to_picture(source)
    return write_packets(codec_for_model(model, threads), picture, num_bytes, mtu)


def unpacketize(
    packets: Iterable[bytes],
    *,
    picture_id: int | None = None,
    model: str | Path | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
) -> PacketReconstruction:
    """The picture that packets hold, from as many of them as there are, in any order.

    Copies, damaged packets and other things among them do no harm: what was not used is in the result's `dropped`.
    Regions that did not arrive are filled with tokens made up from those that did, and their confidence is 0.

    Args:
        packets: at least one sound packet.
        picture_id: which picture, where packets of several are mixed.
        model: name of a model, or path of a bundle; default the one that the packets name.
        max_pixels: larger pictures are refused before anything is allocated.
        threads: for the networks; default WISP_THREADS or all processors, at most 8.

    Raises:
        MixedPackets: sound packets of several pictures, and `picture_id` does not choose one.
        BitstreamError: no packet is sound; the first one's fault.
        ModelError: the packets' model is unknown, missing or broken.
        UsageError: there are no packets, or one is not bytes.
    """
    given = sort_packets(_as_packets(packets), max_pixels, picture_id)
    first = given.packets[0][1]
    header = first.header
    codec = codec_for_file(header.model_number, model, threads)
    received = read_packets(codec, given)
    shown = complete(codec, received)
    image = Image.fromarray(show_packets(codec, header, shown.pyramid))
    payload_num_bytes = sum(len(packet.payload) for packet in received.packets)
    return PacketReconstruction(
        image=image.convert("L") if header.greyscale else image,
        confidence=codec.confidence(received.pyramid),
        info=ImageInfo(
            width=header.width,
            height=header.height,
            greyscale=header.greyscale,
            model_number=header.model_number,
            model_name={entry.number: entry.name for entry in ENTRIES}.get(header.model_number),
            scale_exponent=header.scale_exponent,
            format_version=PACKET_VERSION,
            num_bytes=given.num_bytes,
            payload_num_bytes=payload_num_bytes,
            header_num_bytes=given.num_bytes - payload_num_bytes,
            chunks=(),
            has_alpha=False,
        ),
        grain_map=greys_of_depths(received.pyramid.grain_map, received.pyramid.shape.num_depths),
        region_side=codec.bundle.config.strides[0],
        partial=len(received.packets) < first.count,
        num_generated=shown.num_generated,
        picture_id=first.picture_id,
        received=tuple(packet.index for packet in received.packets),
        count=first.count,
        dropped=tuple(sorted((*given.dropped, *received.dropped), key=lambda d: d.place)),
        num_duplicates=given.num_duplicates,
    )


def _settle_mtu(mtu: object) -> int:
    number = int(mtu) if isinstance(mtu, int | np.integer) and not isinstance(mtu, bool) else 0
    if not MIN_PACKET_NUM_BYTES <= number <= MAX_MTU:
        raise UsageError(f"expected an mtu of {MIN_PACKET_NUM_BYTES} to {MAX_MTU} bytes, found {mtu!r}")
    return number


def _settle_size(size: int | str | None) -> int:
    if size is None:
        return DEFAULT_NUM_BYTES
    num_bytes = make_target(size, None, None).budget(1, 1)
    assert num_bytes is not None
    return num_bytes


def _as_packets(packets: object) -> Iterable[bytes]:
    if isinstance(packets, bytes | bytearray | memoryview | str) or not isinstance(packets, Iterable):
        raise UsageError(f"expected a list of packets, found {type(packets).__name__}; put it into a list")
    for packet in packets:
        if not isinstance(packet, bytes | bytearray | memoryview):
            raise UsageError(
                f"expected packets as bytes, found {type(packet).__name__}; read the files first"
            )
        yield bytes(packet)
