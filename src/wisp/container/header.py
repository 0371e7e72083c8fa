"""The header: what a reader must know before it decodes anything (docs/format.md, section 3).

    C75 | model 4 | version 2 | chunks 1 | grey 1 | scale 2 | class 2 | [version 8] | width - 1 | height - 1 | [model 8]

Numbers are bits. The sizes have 12, 16 or 24 bits each, by class; the second version is there if the first is 3, the
last field if model is 15.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

from wisp.container.fields import BitField, FieldValue, pack_fields, unpack_fields
from wisp.container.limits import MAX_PIXELS, MAX_SIDE, check_pixels
from wisp.errors import Corrupt, NotWisp, Truncated, UnsupportedVersion, UsageError

TABLES_VERSION = 0
PRIOR_VERSION = 1
HUFFMAN_VERSION = 2
DETAIL_VERSION = 3
SIGNATURE = 0xC75
MAX_MODEL_NUMBER = 254
MAX_SCALE_EXPONENT = 3

_EXTENDED = 15  # in the model field: the number follows in a byte of its own
_SIZE_BITS = (12, 16, 24)  # by size class; class 3 is reserved

_PREFIX_FIELDS = (
    BitField("signature", 12, "C75: this is a wisp file"),
    BitField("model", 4, "0..14: the model's number; 15: see extended_model"),
    BitField(
        "version", 2, "tokens coded with 0: tables, 1: the masked prior, 2: a Huffman code; 3: see below"
    ),
    BitField("has_chunks", 1, "1: metadata chunks follow the header"),
    BitField("greyscale", 1, "1: the picture has one grey channel"),
    BitField("scale_exponent", 2, "s: coded at 1 / 2^s of its width and height"),
    BitField("size_class", 2, "0, 1, 2: the sizes have 12, 16, 24 bits"),
)
_SIZE_FIELDS = tuple(
    (
        BitField("width_minus_1", num_bits, "width of the picture in pixels, less one"),
        BitField("height_minus_1", num_bits, "height of the picture in pixels, less one"),
    )
    for num_bits in _SIZE_BITS
)
_EXTENDED_VERSION_FIELD = BitField("extended_version", 8, "3: as version 1, with detail behind the tokens")
_EXTENDED_MODEL_FIELD = BitField("extended_model", 8, "the model's number, 15..254")


@dataclass(frozen=True)
class Header:
    """What the first bytes of a file say. Numbers and flags of any type are kept as `int` and `bool`.

    Attributes:
        model_number: 0..254, from the registry of models.
        width: pixels across of the original picture, 1..2^24.
        height: pixels down of the original picture, 1..2^24.
        greyscale: the decoded picture has one grey channel.
        scale_exponent: s in 0..3; the network saw ceil(width / 2^s) x ceil(height / 2^s) pixels.
        has_chunks: metadata chunks follow the header.
        version: format version: 0 if the tokens are coded with tables, 1 if with the masked prior, 2 if with the
            model's Huffman code, 3 if with the masked prior and detail follows them.

    Raises:
        UsageError: a value does not fit its field.
    """

    model_number: int
    width: int
    height: int
    greyscale: bool
    scale_exponent: int
    has_chunks: bool
    version: int = TABLES_VERSION

    def __post_init__(self) -> None:
        self._settle_number("model_number", 0, MAX_MODEL_NUMBER)
        self._settle_number("width", 1, MAX_SIDE)
        self._settle_number("height", 1, MAX_SIDE)
        self._settle_flag("greyscale")
        self._settle_number("scale_exponent", 0, MAX_SCALE_EXPONENT)
        self._settle_flag("has_chunks")
        self._settle_number("version", TABLES_VERSION, DETAIL_VERSION)

    def _settle_number(self, name: str, minimum: int, maximum: int) -> None:
        """Check one value against its range and keep it as a plain `int`."""
        found = getattr(self, name)
        try:
            number = operator.index(found)
        except TypeError:
            raise UsageError(f"expected a whole number for {name}, found {found!r}") from None
        if not minimum <= number <= maximum:
            raise UsageError(f"expected {name} in {minimum}..{maximum}, found {number}")
        object.__setattr__(self, name, number)

    def _settle_flag(self, name: str) -> None:
        """Check that one value is true or false and keep it as a plain `bool`."""
        found = getattr(self, name)
        if found not in (False, True):
            raise UsageError(f"expected True or False for {name}, found {found!r}")
        object.__setattr__(self, name, bool(found))

    @property
    def uses_prior(self) -> bool:
        """Whether the tokens are coded with the masked prior."""
        return self.version in (PRIOR_VERSION, DETAIL_VERSION)

    @property
    def has_detail(self) -> bool:
        """Whether detail lies behind the tokens."""
        return self.version == DETAIL_VERSION

    @property
    def working_width(self) -> int:
        """Pixels across that the network saw, before padding."""
        return -(-self.width >> self.scale_exponent)

    @property
    def working_height(self) -> int:
        """Pixels down that the network saw, before padding."""
        return -(-self.height >> self.scale_exponent)


def header_fields(header: Header) -> tuple[FieldValue, ...]:
    """The stored fields of a header in file order: what `pack_header` writes and `wisp info` lists."""
    size_class = _smallest_size_class(header.width, header.height)
    is_extended = header.model_number >= _EXTENDED
    prefix = (
        SIGNATURE,
        _EXTENDED if is_extended else header.model_number,
        header.version,
        int(header.has_chunks),
        int(header.greyscale),
        header.scale_exponent,
        size_class,
    )
    values = [FieldValue(field, stored) for field, stored in zip(_PREFIX_FIELDS, prefix, strict=True)]
    if header.version == DETAIL_VERSION:
        values.append(FieldValue(_EXTENDED_VERSION_FIELD, DETAIL_VERSION))
    width_field, height_field = _SIZE_FIELDS[size_class]
    values += [FieldValue(width_field, header.width - 1), FieldValue(height_field, header.height - 1)]
    if is_extended:
        values.append(FieldValue(_EXTENDED_MODEL_FIELD, header.model_number))
    return tuple(values)


def pack_header(header: Header) -> bytes:
    """The header as 6 to 11 bytes, in its one canonical spelling."""
    return pack_fields(header_fields(header))


def has_signature(data: bytes) -> bool:
    """Whether data begins like a wisp file. Two bytes decide; it is a hint, not a proof."""
    return len(data) >= 2 and data[0] << 4 | data[1] >> 4 == SIGNATURE


def unpack_header(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[Header, int]:
    """Read the header at the beginning of data.

    Args:
        data: a whole file, or at least its first 11 bytes.
        max_pixels: the largest lawful width * height.

    Returns:
        the header, and its length in bytes.

    Raises:
        NotWisp: data has another signature.
        Truncated: data ends inside the header.
        UnsupportedVersion: a format version that is not known.
        Corrupt: a reserved value, or a spelling that is not the canonical one.
        LimitExceeded: the picture has more than `max_pixels` pixels.
    """
    _check_signature_and_version(data)
    prefix, offset = unpack_fields(_PREFIX_FIELDS, data, 0)
    _, model, version, has_chunks, greyscale, scale_exponent, size_class = (value.stored for value in prefix)
    if size_class == len(_SIZE_BITS):
        raise Corrupt("expected a size class of 0, 1 or 2, found the reserved 3; the header is damaged")
    if version == DETAIL_VERSION:
        _, offset = unpack_fields((_EXTENDED_VERSION_FIELD,), data, offset)
    sizes, offset = unpack_fields(_SIZE_FIELDS[size_class], data, offset)
    width, height = (value.stored + 1 for value in sizes)
    if model == _EXTENDED:
        (extended,), offset = unpack_fields((_EXTENDED_MODEL_FIELD,), data, offset)
        model = extended.stored
        if not _EXTENDED <= model <= MAX_MODEL_NUMBER:
            raise Corrupt(
                f"expected an extended model number in {_EXTENDED}..{MAX_MODEL_NUMBER}, found {model}; "
                "the header is damaged"
            )
    if size_class != _smallest_size_class(width, height):
        raise Corrupt(
            f"expected {width} x {height} in the smallest size class that fits, found class {size_class}; "
            "the header is damaged"
        )
    check_pixels(width, height, max_pixels)
    header = Header(model, width, height, bool(greyscale), scale_exponent, bool(has_chunks), version)
    return header, offset


def _smallest_size_class(width: int, height: int) -> int:
    """The first size class with room for both sides."""
    needed_bits = (max(width, height) - 1).bit_length()
    return next(size_class for size_class, num_bits in enumerate(_SIZE_BITS) if needed_bits <= num_bits)


def _check_signature_and_version(data: bytes) -> None:
    """Look at the first bytes as far as they are there, so that a cut file is Truncated, not NotWisp."""
    if data[:1] not in (b"", b"\xc7") or (len(data) >= 2 and not has_signature(data)):
        what = (
            "a sequence, for wisp.decompress_sequence"
            if data[:1] == b"\xc7" and data[1] >> 4 == 7
            else "not a wisp file"
        )
        raise NotWisp(f"expected the signature C7 5x, found {data[:2].hex(' ').upper()}; {what}")
    if len(data) < 3:
        raise Truncated(f"expected a header of at least 6 bytes, found {len(data)}; fetch the file again")
    if data[2] >> 6 < DETAIL_VERSION:
        return
    if len(data) < 4:
        raise Truncated(f"expected a header of at least 7 bytes, found {len(data)}; fetch the file again")
    if data[3] != DETAIL_VERSION:
        raise UnsupportedVersion(
            f"expected a format version from {TABLES_VERSION} to {DETAIL_VERSION}, found {data[3]}; "
            "read the file with a newer wisp"
        )
