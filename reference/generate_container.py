"""Write reference/container/*.json, the frozen byte vectors of docs/format.md.

    python reference/generate_container.py

Every reader of the format, in whatever language, must agree with these files. They are truth: run this only
when the format itself is meant to change, look at the difference, and mind the compatibility law (section 9).
Tests read the files and never write them. Vectors of faults are spelled out here byte by byte, because no
writer makes them.
"""

from __future__ import annotations

import json
from binascii import crc32
from pathlib import Path
from typing import Any

from wisp.container import (
    Chunk,
    Header,
    header_fields,
    pack_chunks,
    pack_file,
    pack_header,
    token_check,
    wrap_text,
)

FOLDER = Path(__file__).parent / "container"

HEADERS = [
    # model, width, height, greyscale, scale exponent, chunks
    (0, 1, 1, False, 0, False),
    (1, 768, 512, False, 0, False),
    (1, 768, 512, True, 0, False),
    (1, 768, 512, False, 3, False),
    (1, 768, 512, False, 0, True),
    (14, 4096, 4096, False, 1, False),
    (1, 4097, 1, False, 0, False),
    (1, 1, 4097, False, 0, False),
    (1, 65_536, 2_730, False, 2, False),
    (1, 65_537, 2, False, 0, False),
    (1, 1, 16_777_216, False, 0, False),
    (15, 768, 512, False, 0, False),
    (254, 6000, 4000, True, 2, True),
    (200, 16_777_216, 10, True, 3, True),
]

CHUNK_LISTS = [
    [Chunk(3, b"")],
    [Chunk(3, "A hedge in the mist, Öland".encode())],
    [Chunk(1, b"II*\0\x08\0\0\0\0\0"), Chunk(2, bytes(range(128))), Chunk(3, b"hi"), Chunk(0x84, b"\x89PNG")],
    [Chunk(77, b"later"), Chunk(3, b"now"), Chunk(77, b"later again"), Chunk(127, b"")],
    [Chunk(1, bytes(127))],
    [Chunk(1, bytes(128))],
]

MESSAGES = [
    b"",
    b"\0",
    b"\xff",
    b"\0\0",
    bytes(31),
    bytes(32),
    b"\xff" * 32,
    bytes(range(33)),
    bytes(range(200)),
]


def chunk(chunk_type: int, length: bytes, data: bytes) -> bytes:
    """A chunk with a right CRC, whatever else is wrong with it."""
    front = bytes([chunk_type]) + length + data
    return front + crc32(front).to_bytes(4, "big")


SMALL = bytes.fromhex("C75100007005")  # 8 x 6 pixels, no chunks
WITH_CHUNKS = bytes.fromhex("C75120007005")
TAIL = b"\x42\x12\x34"  # payload and check
COMMENT = chunk(3, b"\x02", b"hi")

FAULTS: list[tuple[str, bytes, str]] = [
    ("no data", b"", "Truncated"),
    ("half a signature", b"\xc7", "Truncated"),
    ("signature only", b"\xc7\x51", "Truncated"),
    ("wrong first byte", b"\xc6" + SMALL[1:] + TAIL, "NotWisp"),
    ("wrong first byte alone", b"\x89", "NotWisp"),
    ("wrong half of the second byte", b"\xc7\x61" + SMALL[2:] + TAIL, "NotWisp"),
    ("wrong second byte at the end", b"\xc7\x89", "NotWisp"),
    ("version 3, extended version 4", SMALL[:2] + b"\xc0\x04" + SMALL[3:] + TAIL, "UnsupportedVersion"),
    ("version 3, header cut", SMALL[:2] + b"\xc0", "Truncated"),
    ("size class 3", SMALL[:2] + b"\x03" + bytes(6) + TAIL, "Corrupt"),
    ("size class 1 for 4096 x 4096", SMALL[:2] + b"\x01\x0f\xff\x0f\xff" + TAIL, "Corrupt"),
    ("size class 2 for 4097 x 1", SMALL[:2] + b"\x02\0\x10\0\0\0\0" + TAIL, "Corrupt"),
    ("extended model 14", b"\xc7\x5f" + SMALL[2:] + b"\x0e" + TAIL, "Corrupt"),
    ("extended model 255", b"\xc7\x5f" + SMALL[2:] + b"\xff" + TAIL, "Corrupt"),
    ("extended model missing", b"\xc7\x5f" + SMALL[2:], "Truncated"),
    ("sizes cut", SMALL[:5], "Truncated"),
    ("16777216 x 16777216 pixels", SMALL[:2] + b"\x02" + b"\xff" * 6 + TAIL, "LimitExceeded"),
    ("178956971 pixels", SMALL[:2] + b"\x02\xaa\xaa\xaa\0\0\x0f" + TAIL, "LimitExceeded"),
    ("nothing behind the header", SMALL, "Truncated"),
    ("no payload", SMALL + TAIL[:2], "Truncated"),
    ("chunks announced, data ends", WITH_CHUNKS, "Truncated"),
    ("chunks announced, none there", WITH_CHUNKS + b"\0" + TAIL, "Corrupt"),
    ("chunk type 128", WITH_CHUNKS + chunk(128, b"\0", b"") + b"\0" + TAIL, "Corrupt"),
    ("length missing", WITH_CHUNKS + b"\x03", "Truncated"),
    ("length cut", WITH_CHUNKS + b"\x03\x80", "Truncated"),
    ("length of 5 bytes", WITH_CHUNKS + b"\x03\x80\x80\x80\x80\x01" + TAIL, "Corrupt"),
    ("length spelled too long", WITH_CHUNKS + chunk(3, b"\x82\0", b"hi") + b"\0" + TAIL, "Corrupt"),
    ("16 MiB declared, 3 bytes there", WITH_CHUNKS + b"\x03\x80\x80\x80\x08" + TAIL, "Truncated"),
    ("16 MiB + 1 declared", WITH_CHUNKS + b"\x03\x81\x80\x80\x08" + TAIL, "LimitExceeded"),
    ("256 MiB - 1 declared", WITH_CHUNKS + b"\x03\xff\xff\xff\x7f" + TAIL, "LimitExceeded"),
    ("data without CRC", WITH_CHUNKS + COMMENT[:4], "Truncated"),
    ("CRC cut", WITH_CHUNKS + COMMENT[:-1], "Truncated"),
    ("chunks not ended", WITH_CHUNKS + COMMENT, "Truncated"),
    ("no payload behind chunks", WITH_CHUNKS + COMMENT + b"\0" + TAIL[:2], "Truncated"),
    ("wrong CRC", WITH_CHUNKS + COMMENT[:-1] + b"\0\0" + TAIL, "Corrupt"),
    ("two comments", WITH_CHUNKS + COMMENT + COMMENT + b"\0" + TAIL, "Corrupt"),
    ("comment not UTF-8", WITH_CHUNKS + chunk(3, b"\x01", b"\xff") + b"\0" + TAIL, "Corrupt"),
    ("unknown critical chunk", WITH_CHUNKS + chunk(0x85, b"\0", b"") + b"\0" + TAIL, "UnsupportedVersion"),
    ("EXIF marked critical", WITH_CHUNKS + chunk(0x81, b"\0", b"") + b"\0" + TAIL, "UnsupportedVersion"),
    ("damaged unknown critical chunk", WITH_CHUNKS + b"\x85\0\0\0\0\0\0" + TAIL, "Corrupt"),
    ("65 chunks", WITH_CHUNKS + chunk(77, b"\0", b"") * 65 + b"\0" + TAIL, "LimitExceeded"),
]

TEXT_FAULTS = [
    ("empty", "", "NotWisp"),
    ("no prefix", "1T5RhgcwFRIjdsqjRZDCc", "NotWisp"),
    ("another prefix", "wasp:00", "NotWisp"),
    ("prefix without colon", "wisp00", "NotWisp"),
    ("sign in the digits", "wisp:0-0", "Corrupt"),
    ("digit that is not ASCII", "wisp:0\u0661", "Corrupt"),
    ("letter with a mark", "wisp:0\u00e9", "Corrupt"),
    ("one digit", "wisp:0", "Corrupt"),
    ("four digits", "wisp:0000", "Corrupt"),
    ("256 in the group of one byte", "wisp:48", "Corrupt"),
    ("a full group out of range", "wisp:" + "z" * 43, "Corrupt"),
    ("one digit behind a full group", "wisp:" + "0" * 44, "Corrupt"),
]


def header_vectors() -> list[dict[str, Any]]:
    vectors = []
    for model, width, height, greyscale, scale_exponent, has_chunks in HEADERS:
        header = Header(model, width, height, greyscale, scale_exponent, has_chunks)
        vectors.append(
            {
                "model_number": model,
                "width": width,
                "height": height,
                "greyscale": greyscale,
                "scale_exponent": scale_exponent,
                "has_chunks": has_chunks,
                "fields": {value.field.name: value.stored for value in header_fields(header)},
                "bytes": pack_header(header).hex(),
            }
        )
    return vectors


def chunk_vectors() -> list[dict[str, Any]]:
    return [
        {
            "chunks": [{"type": chunk.type, "data": chunk.data.hex()} for chunk in chunks],
            "bytes": pack_chunks(chunks).hex(),
        }
        for chunks in CHUNK_LISTS
    ]


def check_vectors() -> list[dict[str, Any]]:
    inputs = [b"123456789", b"", b"\0", b"\0\0", bytes.fromhex("C7510005F03F010101010101 0AC81E28FF00")]
    return [{"input": data.hex(), "check": token_check(data)} for data in inputs]


def file_vectors() -> list[dict[str, Any]]:
    vectors = []
    for chunks in [[], *CHUNK_LISTS[:4]]:
        header = Header(1, 768, 512, False, 1, bool(chunks))
        payload = bytes(range(1, 42))
        check = token_check(pack_header(header), payload)
        vectors.append(
            {
                "header": pack_header(header).hex(),
                "chunks": [{"type": chunk.type, "data": chunk.data.hex()} for chunk in chunks],
                "payload": payload.hex(),
                "check": check,
                "bytes": pack_file(header, chunks, payload, check).hex(),
            }
        )
    return vectors


def armour_vectors() -> list[dict[str, Any]]:
    return [{"bytes": data.hex(), "text": wrap_text(data)} for data in MESSAGES]


def main() -> None:
    files: dict[str, list[dict[str, Any]]] = {
        "headers": header_vectors(),
        "chunks": chunk_vectors(),
        "checks": check_vectors(),
        "files": file_vectors(),
        "armour": armour_vectors(),
        "faults": [{"name": name, "bytes": data.hex(), "error": error} for name, data, error in FAULTS],
        "text_faults": [{"name": name, "text": text, "error": error} for name, text, error in TEXT_FAULTS],
    }
    for name, vectors in files.items():
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")
        print(f"{path.name}: {len(vectors)} vectors")


if __name__ == "__main__":
    main()
