"""From whatever has arrived to the packets of one picture: sound, of one kind, each once (docs/packets.md).

Nothing that arrives is an error by itself: what cannot be used is named and left out. It is an error if nothing is
left, or if two pictures are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wisp.container.limits import MAX_PIXELS, is_whole
from wisp.container.packet import Packet, unpack_packet
from wisp.errors import BitstreamError, MixedPackets, UsageError
from wisp.types import DroppedPacket


@dataclass(frozen=True)
class PacketSet:
    """Packets of one picture.

    Attributes:
        packets: by rising index, each index at most once, at least one; with their places among what was given.
        num_bytes: of these packets, as they arrived.
        dropped: what was left out, and why.
        num_duplicates: exact copies of packets, which are not counted as dropped.
    """

    packets: tuple[tuple[int, Packet], ...]
    num_bytes: int
    dropped: tuple[DroppedPacket, ...]
    num_duplicates: int


def sort_packets(
    given: Iterable[bytes], max_pixels: int = MAX_PIXELS, picture_id: int | None = None
) -> PacketSet:
    """The packets of one picture among those given, in any order.

    Args:
        given: packets, and perhaps other things.
        max_pixels: the largest lawful width * height.
        picture_id: which picture is meant; None if there should be one only.

    Raises:
        UsageError: nothing was given, or `picture_id` is no whole number from 0 to 65535.
        MixedPackets: sound packets of more than one picture, and `picture_id` does not choose one.
        BitstreamError: no packet is sound; the kind of the first fault.
    """
    if picture_id is not None and (not is_whole(picture_id) or not 0 <= picture_id <= 0xFFFF):
        raise UsageError(f"expected picture_id as a whole number from 0 to 65535, found {picture_id!r}")
    sound: dict[bytes, tuple[int, Packet]] = {}
    faults: list[tuple[int, BitstreamError]] = []
    dropped: list[DroppedPacket] = []
    total = 0
    for place, data in enumerate(given):
        total += 1
        if data in sound:
            continue
        try:
            sound[data] = (place, unpack_packet(data, max_pixels))
        except BitstreamError as fault:
            faults.append((place, fault))
    num_duplicates = total - len(sound) - len(faults)
    if not total:
        raise UsageError("expected at least one packet, found none")
    if not sound:
        raise none_left(total, faults)
    groups: dict[object, dict[bytes, tuple[int, Packet]]] = {}
    for data, (place, packet) in sound.items():
        groups.setdefault((packet.header, packet.picture_id, packet.count), {})[data] = (place, packet)
    wanted = [g for key, g in groups.items() if picture_id is None or _identity(g) == picture_id]
    if len(wanted) != 1:
        raise MixedPackets(
            _describe(list(groups.values()), picture_id), sorted(map(_identity, groups.values()))
        )
    dropped += [drop(place, fault) for place, fault in faults]
    by_index: dict[int, tuple[int, Packet]] = {}
    num_bytes = 0
    for data, (place, packet) in sound.items():
        if data not in wanted[0]:
            dropped.append(DroppedPacket(place, "MixedPackets", f"of picture {packet.picture_id:04x}"))
        elif packet.index in by_index:
            dropped.append(
                DroppedPacket(place, "Corrupt", f"another packet {packet.index} of the same picture")
            )
        else:
            by_index[packet.index] = (place, packet)
            num_bytes += len(data)
    packets = tuple(by_index[index] for index in sorted(by_index))
    return PacketSet(packets, num_bytes, tuple(sorted(dropped, key=lambda d: d.place)), num_duplicates)


def drop(place: int, fault: BitstreamError) -> DroppedPacket:
    """A fault as an entry of the list of what was left out."""
    return DroppedPacket(place, type(fault).__name__, str(fault))


def none_left(total: int, faults: list[tuple[int, BitstreamError]]) -> BitstreamError:
    """What to raise when every one of `total` packets is at fault: the first fault's kind."""
    place, first = faults[0]
    return type(first)(f"expected a sound packet, found none among {total}; number {place + 1}: {first}")


def _identity(group: dict[bytes, tuple[int, Packet]]) -> int:
    return next(iter(group.values()))[1].picture_id


def _describe(groups: list[dict[bytes, tuple[int, Packet]]], picture_id: int | None) -> str:
    found = ", ".join(f"{_identity(g):04x} ({len(g)})" for g in groups[:8])
    more = ", ..." if len(groups) > 8 else ""
    wanted = "one picture" if picture_id is None else f"picture {picture_id:04x}"
    return f"expected packets of {wanted}, found pictures {found}{more}; choose one by its number"
