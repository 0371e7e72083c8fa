"""The bytes of packets: the page's examples, every flipped byte, limits, and what is left of a heap of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wisp.container import Header, token_check
from wisp.container.packet import (
    MAX_OVERHEAD_NUM_BYTES,
    Packet,
    has_packet_signature,
    pack_packet,
    packet_overhead,
    unpack_packet,
)
from wisp.container.packet_set import sort_packets
from wisp.errors import (
    BitstreamError,
    Corrupt,
    LimitExceeded,
    MixedPackets,
    NotWisp,
    Truncated,
    UnsupportedVersion,
    UsageError,
)

PAGE = (Path(__file__).parents[1] / "docs" / "packets.md").read_text(encoding="utf-8")
SMALL = Header(1, 96, 64, False, 0, False)
PAYLOADS = (bytes.fromhex("0A1DA6E3"), bytes.fromhex("C80D6AB0"))


def examples(name: str) -> list[bytes]:
    block = re.search(rf"<!-- example: {name} -->\n((?: {{4}}.*\n)+)", PAGE)
    assert block is not None
    return [bytes.fromhex(line) for line in block[1].splitlines()]


def packet(index: int = 0, count: int = 3, picture_id: int = 7, header: Header = SMALL) -> bytes:
    return pack_packet(Packet(header, picture_id, index, count, bytes([index % 256, 1, 2])))


def with_check(body: bytes) -> bytes:
    return body + token_check(body).to_bytes(2, "big")


def test_the_page_shows_what_is_written() -> None:
    picture_id = token_check(b"", *PAYLOADS)
    written = [pack_packet(Packet(SMALL, picture_id, i, 2, payload)) for i, payload in enumerate(PAYLOADS)]
    assert written == examples("packets")
    many = Packet(Header(20, 5000, 64, True, 2, False), 0xABCD, 300, 4000, b"\x01")
    assert [pack_packet(many)] == examples("packet_of_many")


@given(
    st.integers(0, 254),
    st.integers(1, 1 << 13),
    st.integers(1, 1 << 13),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 65535),
    st.tuples(st.integers(1, 4096), st.integers(0, 4095)),
    st.binary(min_size=1, max_size=40),
)
@settings(max_examples=100, deadline=None)
def test_what_is_packed_is_unpacked(
    model: int,
    width: int,
    height: int,
    grey: bool,
    scale: int,
    identity: int,
    place: tuple[int, int],
    payload: bytes,
) -> None:
    count, index = place[0], place[1] % place[0]
    wanted = Packet(Header(model, width, height, grey, scale, False), identity, index, count, payload)
    data = pack_packet(wanted)
    assert unpack_packet(data) == wanted
    assert has_packet_signature(data)
    assert len(data) - len(payload) == packet_overhead(wanted.header, count) <= MAX_OVERHEAD_NUM_BYTES


def test_an_ordinary_packet_spends_eleven_bytes() -> None:
    header = Header(1, 768, 512, False, 0, False)
    assert [packet_overhead(header, count) for count in (1, 16, 17, 4096)] == [11, 11, 13, 13]


def test_every_changed_byte_is_noticed() -> None:
    data = packet(1)
    for place in range(len(data)):
        for flip in range(1, 256):
            changed = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
            with pytest.raises(BitstreamError):
                unpack_packet(changed)


def test_every_cut_is_noticed() -> None:
    data = packet(1)
    for length in range(len(data)):
        with pytest.raises((Truncated, Corrupt)):
            unpack_packet(data[:length])


FAULTS = {
    "foreign": (b"\x89PNG\r\n\x1a\n0000", NotWisp),
    "a file": (bytes.fromhex("C751 0005F03F 0AC54BC91A4543B53A"), NotWisp),
    "text": (b"wisp:1T5RhgcwFRIjdsqjRZDCc", NotWisp),
    "empty": (b"", Truncated),
    "later version": (with_check(bytes.fromhex("C761 40 05F03F 0007 02 01")), UnsupportedVersion),
    "size class 3": (with_check(bytes.fromhex("C761 03 05F03F 0007 02 01")), Corrupt),
    "too wide a size class": (with_check(bytes.fromhex("C761 01 005F003F 0007 02 01")), Corrupt),
    "index beyond count": (with_check(bytes.fromhex("C761 00 05F03F 0007 32 01")), Corrupt),
    "many of few": (with_check(bytes.fromhex("C761 20 05F03F 0007 001002 01")), Corrupt),
    "no payload": (with_check(bytes.fromhex("C761 20 05F03F 0007 001FFF")), Truncated),
    "too many pixels": (with_check(bytes.fromhex("C761 02 FFFFFFFFFFFF 0007 02 01")), LimitExceeded),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_error(name: str) -> None:
    data, error = FAULTS[name]
    with pytest.raises(error) as caught:
        unpack_packet(data)
    assert "\n" not in str(caught.value)
    with pytest.raises(error):
        sort_packets([data])


def test_what_a_file_says_of_itself_is_not_sent() -> None:
    of_file = Packet(Header(1, 96, 64, False, 0, has_chunks=True), 7, 0, 3, b"x")
    assert unpack_packet(pack_packet(of_file)).header == SMALL


def test_a_writer_refuses_what_does_not_fit() -> None:
    for index, count, payload in ((3, 3, b"x"), (-1, 3, b"x"), (0, 4097, b"x"), (0, 1, b"")):
        with pytest.raises(UsageError):
            pack_packet(Packet(SMALL, 0, index, count, payload))
    with pytest.raises(UsageError):
        pack_packet(Packet(SMALL, 1 << 16, 0, 1, b"x"))


def test_what_cannot_be_used_is_named_and_left_out() -> None:
    damaged = packet(1)[:-1] + b"\0"
    found = sort_packets([b"noise", packet(2), damaged, packet(2), packet(0)])
    assert [(place, p.index) for place, p in found.packets] == [(4, 0), (1, 2)]
    assert [(d.place, d.error) for d in found.dropped] == [(0, "NotWisp"), (2, "Corrupt")]
    assert found.num_duplicates == 1
    assert found.num_bytes == len(packet(0)) + len(packet(2))


def test_another_packet_of_the_same_index_is_left_out() -> None:
    other = pack_packet(Packet(SMALL, 7, 2, 3, b"other"))
    found = sort_packets([packet(2), other])
    assert [(place, p.payload) for place, p in found.packets] == [(0, bytes([2, 1, 2]))]
    assert [(d.place, d.error) for d in found.dropped] == [(1, "Corrupt")]


def test_two_pictures_are_never_mixed() -> None:
    mixed = [packet(0), packet(1, picture_id=0xABC), packet(2)]
    with pytest.raises(MixedPackets, match=r"0007 \(2\), 0abc \(1\)") as caught:
        sort_packets(mixed)
    assert caught.value.picture_ids == (7, 0xABC)
    found = sort_packets(mixed, picture_id=0xABC)
    assert [place for place, _ in found.packets] == [1]
    assert [(d.place, d.error) for d in found.dropped] == [(0, "MixedPackets"), (2, "MixedPackets")]
    with pytest.raises(MixedPackets, match="picture 0005"):
        sort_packets(mixed, picture_id=5)
    for other in (packet(1, count=4), packet(1, header=Header(1, 96, 65, False, 0, False))):
        with pytest.raises(MixedPackets):
            sort_packets([packet(0), other], picture_id=7)


def test_nothing_is_an_error_of_its_own() -> None:
    with pytest.raises(UsageError):
        sort_packets([])
