"""Packets, as many as have arrived, to tokens (docs/packets.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.borrowed_detail import BorrowDetail
from wisp.codecs.generation import Filled
from wisp.codecs.prior_repair import PriorRepair
from wisp.codecs.pyramid_networks import pyramid_shape, synthesise
from wisp.codecs.repair import BlendNeighbours, LeaveOut, Repair
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import CHECK_NUM_BYTES, Header
from wisp.container.packet import Packet
from wisp.container.packet_set import PacketSet, drop, none_left
from wisp.errors import BitstreamError, Corrupt, Truncated
from wisp.imaging import upscale_u8
from wisp.runtime.codebooks import read_codebooks
from wisp.tokens.interleave import column_shape, interleave, put_regions
from wisp.tokens.pyramid import PyramidShape, TokenPyramid
from wisp.types import DroppedPacket


@dataclass(frozen=True, eq=False)
class Received:
    """What the packets hold.

    Attributes:
        header: of the picture.
        pyramid: tokens; the grain map is 0 where nothing arrived.
        arrived: (rows, columns), the regions that did.
        packets: those that were sound, by rising index.
        dropped: those that turned out not to be.
    """

    header: Header
    pyramid: TokenPyramid
    arrived: NDArray[np.bool_]
    packets: tuple[Packet, ...]
    dropped: tuple[DroppedPacket, ...]


def read_packets(codec: TokenPyramidCodec, given: PacketSet) -> Received:
    """Decode what there is.

    Raises:
        BitstreamError: no packet decodes, the kind of the first fault; or the model's grain allows none.
    """
    if codec.is_uniform or codec.is_routed:
        raise Corrupt(
            f"expected packets of a model with a grain map of depths, found {codec.bundle.config.name}; "
            "they are damaged"
        )
    header, count = given.packets[0][1].header, given.packets[0][1].count
    shape = pyramid_shape(codec.bundle.config, header.working_height, header.working_width)
    if count > shape.num_regions:
        raise Corrupt(
            f"expected at most {shape.num_regions} packets, one a region, found a count of {count}; they are damaged"
        )
    planes = tuple(np.zeros((g, *shape.plane_shape(i)), np.uint8) for i, g in enumerate(shape.groups))
    pyramid = TokenPyramid(shape, planes, np.zeros((shape.rows, shape.columns), np.uint8))
    owners = interleave(shape.rows, shape.columns, count)
    sound: list[Packet] = []
    faults: list[tuple[int, BitstreamError]] = []
    for place, packet in given.packets:
        chosen = np.flatnonzero(owners.ravel() == packet.index)
        try:
            put_regions(_decode(codec, packet, column_shape(shape, len(chosen))), chosen, pyramid)
            sound.append(packet)
        except BitstreamError as fault:
            faults.append((place, fault))
    if not sound:
        raise none_left(len(faults), faults)
    arrived = pyramid.grain_map > 0
    return Received(header, pyramid, arrived, tuple(sound), tuple(drop(*fault) for fault in faults))


def repair_of(codec: TokenPyramidCodec) -> Repair:
    """The best repair that the codec's bundle allows."""
    books = read_codebooks(codec.bundle)
    if books is None:
        return LeaveOut()
    if codec.prior_model is None:
        return BorrowDetail(BlendNeighbours(books[0]))
    return BorrowDetail(PriorRepair(codec.prior_model, books[0]))


def complete(codec: TokenPyramidCodec, received: Received, repair: Repair | None = None) -> Filled:
    """What is to be shown: the tokens received, and those that `repair`, by default the best, puts where none are.

    Raises:
        ModelMismatch: the bundle's prior is needed, and computes other logits here than where it was made.
    """
    if received.arrived.all():
        return Filled(received.pyramid, 0)
    return repair_regions(codec, received.pyramid, received.arrived, repair)


def repair_regions(
    codec: TokenPyramidCodec, pyramid: TokenPyramid, arrived: NDArray[np.bool_], repair: Repair | None = None
) -> Filled:
    """Tokens for the regions that did not arrive, at least one of which (rows, columns) did."""
    shown = (repair or repair_of(codec)).fill(pyramid, arrived)
    return Filled(shown, _num_tokens(shown) - _num_tokens(pyramid))


def show_packets(codec: TokenPyramidCodec, header: Header, pyramid: TokenPyramid) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 at the original size."""
    working = synthesise(codec.bundle, pyramid, header.working_height, header.working_width)
    return upscale_u8(working, (header.height, header.width))


def _num_tokens(pyramid: TokenPyramid) -> int:
    return sum(int(pyramid.sent(place, level).sum()) for place, level, _ in pyramid.shape.order())


def _decode(codec: TokenPyramidCodec, packet: Packet, shape: PyramidShape) -> TokenPyramid:
    """One packet's regions as a column."""
    behind = bytes(CHECK_NUM_BYTES)  # the coder reads ahead; what it finds there changes nothing
    column, wanted, _ = codec.entropy_model.read(packet.payload + behind, shape)
    found = len(packet.payload)
    if found < wanted:
        raise Truncated(f"expected {wanted} bytes of payload, found {found}; the end is missing")
    if found > wanted:
        raise Corrupt(f"expected {wanted} bytes of payload, found {found}; the packet is damaged")
    return column
