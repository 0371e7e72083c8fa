"""The header: sizes, canonical spelling, limits, and one test an error."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.container import (
    BitField,
    FieldValue,
    Header,
    check_pixels,
    has_signature,
    header_fields,
    pack_header,
    unpack_header,
)
from wisp.container.fields import pack_fields, unpack_fields
from wisp.container.limits import MAX_PIXELS, MAX_SIDE
from wisp.errors import (
    BitstreamError,
    Corrupt,
    LimitExceeded,
    NotWisp,
    Truncated,
    UnsupportedVersion,
    UsageError,
)

PHOTO = Header(1, 768, 512, greyscale=False, scale_exponent=0, has_chunks=False)
WIDEST = Header(254, MAX_SIDE, 10, greyscale=True, scale_exponent=3, has_chunks=True)
ANY_SIZE = MAX_SIDE * MAX_SIDE

sides = st.integers(1, MAX_SIDE) | st.sampled_from([1, 2, 4095, 4096, 4097, 65_535, 65_536, 65_537, MAX_SIDE])
headers = st.builds(
    Header,
    model_number=st.integers(0, 254),
    width=sides,
    height=sides,
    greyscale=st.booleans(),
    scale_exponent=st.integers(0, 3),
    has_chunks=st.booleans(),
)


@given(headers, st.binary(max_size=12))
def test_round_trip_whatever_follows(header: Header, tail: bytes) -> None:
    data = pack_header(header)
    assert unpack_header(data + tail, ANY_SIZE) == (header, len(data))


@given(headers)
def test_length_is_the_least_that_the_format_allows(header: Header) -> None:
    side = max(header.width, header.height)
    size_bytes = 3 if side <= 4096 else 4 if side <= 65_536 else 6
    assert len(pack_header(header)) == 3 + size_bytes + (header.model_number >= 15)


def test_an_ordinary_photo_spends_six_bytes() -> None:
    assert len(pack_header(PHOTO)) == 6
    assert len(pack_header(replace(PHOTO, width=4096, height=4096, greyscale=True, scale_exponent=3))) == 6


@given(st.binary(max_size=12))
def test_a_header_that_reads_writes_the_same_bytes(tail: bytes) -> None:
    data = b"\xc7" + tail
    try:
        header, num_bytes = unpack_header(data, ANY_SIZE)
    except BitstreamError:
        return
    assert pack_header(header) == data[:num_bytes]


@given(headers)
def test_every_cut_is_truncated(header: Header) -> None:
    data = pack_header(header)
    for length in range(len(data)):
        with pytest.raises(Truncated):
            unpack_header(data[:length], ANY_SIZE)


@given(headers)
def test_working_size_is_rounded_up(header: Header) -> None:
    assert header.working_width == ceil(header.width / 2**header.scale_exponent)
    assert header.working_height == ceil(header.height / 2**header.scale_exponent)


@given(headers)
def test_declared_fields_are_what_is_written(header: Header) -> None:
    values = header_fields(header)
    bits = "".join(f"{value.stored:0{value.field.num_bits}b}" for value in values)
    assert pack_header(header) == int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert all(value.field.meaning for value in values)


def test_integers_of_any_type_are_kept_as_int() -> None:
    header = Header(np.uint8(1), np.int64(768), np.uint16(512), np.bool_(False), np.int8(0), 0)
    assert header == PHOTO
    assert {type(header.width), type(header.height), type(header.model_number)} == {int}
    assert {type(header.greyscale), type(header.has_chunks)} == {bool}
    assert pack_header(header) == pack_header(PHOTO)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model_number", -1),
        ("model_number", 255),
        ("width", 0),
        ("width", MAX_SIDE + 1),
        ("height", 0),
        ("height", -5),
        ("height", MAX_SIDE + 1),
        ("scale_exponent", 4),
        ("scale_exponent", -1),
        ("greyscale", 2),
        ("has_chunks", -1),
        ("version", 4),
        ("width", 3.0),
        ("width", "3"),
        ("greyscale", None),
    ],
)
def test_values_that_do_not_fit_are_usage_errors(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        replace(PHOTO, **{name: value})


@pytest.mark.parametrize("data", [b"RIFF", b"\x89PNG\r\n", b"\xc7\x41", b"\xc6\x51", b"\0", b"\xc7\x00\xff"])
def test_other_files_are_not_wisp(data: bytes) -> None:
    assert not has_signature(data)
    with pytest.raises(NotWisp):
        unpack_header(data)


def test_signature() -> None:
    assert has_signature(pack_header(PHOTO))
    assert not has_signature(pack_header(PHOTO)[:1])
    with pytest.raises(UnicodeDecodeError):
        pack_header(PHOTO)[:2].decode("utf-8")


@pytest.mark.parametrize("version", [0, 1, 2, 4, 255])
def test_other_versions_are_unsupported_whatever_else_they_say(version: int) -> None:
    for rest in range(64):
        with pytest.raises(UnsupportedVersion, match=f"found {version}"):
            unpack_header(b"\xc7\x51" + bytes([3 << 6 | rest, version]))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_headers_of_every_version_come_back(version: int) -> None:
    header = replace(PHOTO, version=version)
    data = pack_header(header)
    assert len(data) == (7 if version == 3 else 6)
    assert unpack_header(data + b"more") == (header, len(data))
    assert (header.uses_prior, header.has_detail) == (version in (1, 3), version == 3)
    with pytest.raises(Truncated):
        unpack_header(data[:-1])
    with pytest.raises(Truncated):
        unpack_header(data[:3])


@pytest.mark.parametrize("length", [3, 6, 12])
def test_reserved_size_class_is_corrupt(length: int) -> None:
    with pytest.raises(Corrupt, match="size class"):
        unpack_header((b"\xc7\x51\x03" + bytes(9))[:length])


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("C75101 0FFF 0FFF"),  # 4096 x 4096 in 16 bits
        bytes.fromhex("C75102 000FFF 000000"),  # 4096 x 1 in 24 bits
        bytes.fromhex("C75102 00FFFF 001000"),  # 65536 x 4097 in 24 bits
    ],
)
def test_larger_size_class_than_needed_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt, match="smallest"):
        unpack_header(data, ANY_SIZE)


@pytest.mark.parametrize("model", [*range(15), 255])
def test_extended_model_out_of_range_is_corrupt(model: int) -> None:
    with pytest.raises(Corrupt, match="model"):
        unpack_header(b"\xc7\x5f\x00\x00\x00\x00" + bytes([model]))


def test_pixel_limit_comes_from_the_header_alone() -> None:
    data = pack_header(WIDEST)
    assert len(data) == 10
    with pytest.raises(LimitExceeded, match="max_pixels"):
        unpack_header(pack_header(replace(WIDEST, height=MAX_SIDE)))
    assert unpack_header(data)[0].width == MAX_SIDE
    with pytest.raises(LimitExceeded):
        unpack_header(data, max_pixels=MAX_SIDE * 10 - 1)
    assert unpack_header(data, max_pixels=MAX_SIDE * 10)[0] == WIDEST


def test_pixel_limit_is_exact() -> None:
    check_pixels(MAX_PIXELS, 1)
    check_pixels(10, 10, max_pixels=100)
    with pytest.raises(LimitExceeded):
        check_pixels(MAX_PIXELS + 1, 1)
    with pytest.raises(LimitExceeded):
        check_pixels(101, 1, max_pixels=100)


def test_fields_refuse_what_does_not_fit() -> None:
    nibble = BitField("nibble", 4, "four bits")
    assert nibble.maximum == 15
    assert pack_fields([FieldValue(nibble, 10), FieldValue(nibble, 5)]) == b"\xa5"
    assert unpack_fields((nibble, nibble), b"\0\xa5", 1) == (
        (FieldValue(nibble, 10), FieldValue(nibble, 5)),
        2,
    )
    for stored in (-1, 16):
        with pytest.raises(UsageError, match="nibble"):
            pack_fields([FieldValue(nibble, stored), FieldValue(nibble, 0)])
    with pytest.raises(UsageError, match="whole bytes"):
        pack_fields([FieldValue(nibble, 1)])
    with pytest.raises(Truncated, match="nibble"):
        unpack_fields((nibble, nibble), b"\xa5", 1)
