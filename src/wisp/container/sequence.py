"""A sequence of frames as bytes (docs/sequences.md): a table of all frames, then the frames.

    C77 | version 4 | count - 1 | frames | seconds | for each frame 2 x length + key | CRC-32 | frame | frame | ...

All numbers behind the version are spelled as lengths of chunks are; `frames` in `seconds` is the frame rate. A key
frame is a whole wisp file; what other frames hold is not this room's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from wisp.container.varint import MAX_VARINT, pack_varint, unpack_varint
from wisp.errors import (
    BitstreamError,
    Corrupt,
    LimitExceeded,
    NotWisp,
    Truncated,
    UnsupportedVersion,
    UsageError,
)

SIGNATURE = b"\xc7\x71"
MAX_NUM_FRAMES = 1 << 16
_VERSION = 1
_SIGNATURE_BITS = 0xF0  # of the second byte; the others are the version
_CRC_NUM_BYTES = 4


@dataclass(frozen=True)
class Frame:
    """One frame as it lies in a sequence.

    Attributes:
        data: its bytes.
        is_key: it is a whole wisp file, and needs no other frame.
    """

    data: bytes
    is_key: bool


@dataclass(frozen=True)
class FrameSequence:
    """The parts of a sequence: at least one frame, the first a key frame.

    Attributes:
        frames: in order.
        rate: (frames, seconds), whole numbers above 0: 30000, 1001 is 29.97 frames a second.
    """

    frames: tuple[Frame, ...]
    rate: tuple[int, int]

    def key_before(self, number: int) -> int:
        """The last key frame at or before a frame."""
        return max(i for i in range(number + 1) if self.frames[i].is_key)


def has_sequence_signature(data: bytes) -> bool:
    """Whether data begins like a sequence. Two bytes decide; it is a hint, not a proof."""
    return (
        len(data) >= 2
        and data[0] == SIGNATURE[0]
        and data[1] & _SIGNATURE_BITS == SIGNATURE[1] & _SIGNATURE_BITS
    )


def pack_sequence(frames: Sequence[Frame], rate: tuple[int, int]) -> bytes:
    """Join frames.

    Raises:
        UsageError: there is none, the first is no key frame, or the rate is not of whole numbers above 0.
        LimitExceeded: there are too many, or one is too long.
    """
    if not frames or not frames[0].is_key:
        raise UsageError("expected a sequence that begins with a key frame, found another or none")
    if len(frames) > MAX_NUM_FRAMES:
        raise LimitExceeded(
            f"expected at most {MAX_NUM_FRAMES} frames, found {len(frames)}; split the sequence"
        )
    if not all(0 < part <= MAX_VARINT for part in rate):
        raise UsageError(f"expected a frame rate of whole numbers above 0, found {rate}")
    if max(len(frame.data) for frame in frames) > MAX_VARINT // 2:
        raise LimitExceeded(f"expected frames of at most {MAX_VARINT // 2} bytes, found a longer one")
    numbers = [len(frames) - 1, *rate, *(2 * len(frame.data) + frame.is_key for frame in frames)]
    table = SIGNATURE + b"".join(map(pack_varint, numbers))
    check = crc32(table).to_bytes(_CRC_NUM_BYTES, "big")
    return b"".join([table, check, *(frame.data for frame in frames)])


def unpack_sequence(data: bytes) -> FrameSequence:
    """Take a sequence apart, without decoding a frame.

    Raises:
        NotWisp: another signature.
        UnsupportedVersion: another version.
        Truncated: bytes are missing at the end.
        LimitExceeded: more frames are declared than there may be.
        Corrupt: the table contradicts itself, its check, or the bytes behind it.
    """
    if len(data) >= 2 and not has_sequence_signature(data):
        what = (
            "one picture, for wisp.decompress"
            if data[:1] == b"\xc7" and data[1] >> 4 == 5
            else "not a wisp sequence"
        )
        raise NotWisp(f"expected the signature C7 7x, found {data[:2].hex(' ').upper()}; {what}")
    if len(data) < 2:
        raise Truncated(f"expected a sequence, found {len(data)} bytes; fetch the file again")
    if data[1] != SIGNATURE[1]:
        raise UnsupportedVersion(
            f"expected sequence version {_VERSION}, found {data[1] & 0xF}; "
            "read the file with the wisp that wrote it or a newer one, or compress the frames again"
        )
    count, offset = unpack_varint(data, 2)
    if count >= MAX_NUM_FRAMES:
        raise LimitExceeded(
            f"expected at most {MAX_NUM_FRAMES} frames, found {count + 1}; the file is damaged"
        )
    numbers = []
    for _ in range(count + 3):
        number, offset = unpack_varint(data, offset)
        numbers.append(number)
    check = data[offset : offset + _CRC_NUM_BYTES]
    if len(check) < _CRC_NUM_BYTES:
        raise Truncated("expected a table of frames with its check, found its beginning; the end is missing")
    if int.from_bytes(check, "big") != crc32(data[:offset]):
        raise Corrupt("expected another check of the table of frames; the file is damaged")
    if 0 in numbers[:2]:
        raise Corrupt("expected a frame rate above 0, found none; the file is damaged")
    return FrameSequence(_cut(data, offset + _CRC_NUM_BYTES, numbers[2:]), (numbers[0], numbers[1]))


def _cut(data: bytes, start: int, entries: Sequence[int]) -> tuple[Frame, ...]:
    lengths = [entry >> 1 for entry in entries]
    fault: BitstreamError | None = None
    if not entries[0] & 1:
        fault = Corrupt("expected a key frame at the beginning, found another; the file is damaged")
    elif start + sum(lengths) > len(data):
        fault = Truncated(f"expected {start + sum(lengths)} bytes, found {len(data)}; the end is missing")
    elif start + sum(lengths) < len(data):
        fault = Corrupt(f"expected {start + sum(lengths)} bytes, found {len(data)}; the file is damaged")
    if fault is not None:
        raise fault
    frames = []
    for entry, length in zip(entries, lengths, strict=True):
        frames.append(Frame(data[start : start + length], bool(entry & 1)))
        start += length
    return tuple(frames)
