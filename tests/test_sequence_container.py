"""Sequences as bytes: exact layout, every frame back, every damage a named error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.container.sequence import (
    MAX_NUM_FRAMES,
    Frame,
    FrameSequence,
    has_sequence_signature,
    pack_sequence,
    unpack_sequence,
)
from wisp.errors import (
    BitstreamError,
    Corrupt,
    LimitExceeded,
    NotWisp,
    Truncated,
    UnsupportedVersion,
    UsageError,
)

FRAMES = (Frame(b"key frame", True), Frame(b"moved", False), Frame(b"", False), Frame(b"k" * 200, True))


@st.composite
def sequences(draw: st.DrawFn) -> tuple[tuple[Frame, ...], tuple[int, int]]:
    frames = [
        Frame(draw(st.binary(max_size=40)), draw(st.booleans())) for _ in range(draw(st.integers(0, 9)))
    ]
    first = Frame(draw(st.binary(max_size=300)), True)
    numbers = st.integers(1, (1 << 28) - 1)
    return (first, *frames), (draw(numbers), draw(numbers))


def test_the_layout_by_hand() -> None:
    data = pack_sequence(FRAMES[:2], (25, 1))
    #  C771 | 1 frame more | 25 in 1 | 2 x 9 + 1, 2 x 5 | CRC-32 | frames
    assert data[:7].hex() == "c771011901130a"
    assert data[7:11].hex() == "c4215301"
    assert data[11:] == b"key framemoved"


@given(sequences())
def test_sequences_come_back(sequence: tuple[tuple[Frame, ...], tuple[int, int]]) -> None:
    frames, rate = sequence
    data = pack_sequence(frames, rate)
    assert has_sequence_signature(data)
    assert unpack_sequence(data) == FrameSequence(frames, rate)


@given(sequences(), st.data())
def test_every_cut_is_truncated(
    sequence: tuple[tuple[Frame, ...], tuple[int, int]], data: st.DataObject
) -> None:
    whole = pack_sequence(*sequence)
    with pytest.raises(Truncated):
        unpack_sequence(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(Corrupt):
        unpack_sequence(whole + b"\0")


def test_every_changed_byte_of_the_table_is_found() -> None:
    data = pack_sequence(FRAMES, (30000, 1001))
    table = len(data) - sum(len(frame.data) for frame in FRAMES)
    for place in range(table):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(BitstreamError):
                unpack_sequence(bytes(changed))


def test_other_signatures_and_versions() -> None:
    data = pack_sequence(FRAMES, (25, 1))
    with pytest.raises(NotWisp):
        unpack_sequence(b"\xc7\x51" + data[2:])
    for version in (0, 2, 15):
        with pytest.raises(UnsupportedVersion, match=f"found {version};"):
            unpack_sequence(bytes([0xC7, 0x70 + version]) + data[2:])
    assert not has_sequence_signature(b"\xc7\x51")


def test_what_cannot_be_packed() -> None:
    with pytest.raises(UsageError):
        pack_sequence([], (25, 1))
    with pytest.raises(UsageError):
        pack_sequence([Frame(b"", False)], (25, 1))
    with pytest.raises(UsageError):
        pack_sequence(FRAMES, (0, 1))
    with pytest.raises(LimitExceeded):
        pack_sequence([FRAMES[0]] * (MAX_NUM_FRAMES + 1), (25, 1))


def test_too_many_frames_are_refused_before_they_are_read() -> None:
    with pytest.raises(LimitExceeded):
        unpack_sequence(b"\xc7\x71\xff\xff\xff\x7f")


def test_the_key_frame_before() -> None:
    sequence = FrameSequence(FRAMES, (25, 1))
    assert [sequence.key_before(number) for number in range(4)] == [0, 0, 0, 3]
