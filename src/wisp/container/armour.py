"""Bytes as text that survives being pasted (docs/format.md, section 10).

Only letters and digits follow the prefix `wisp:`: nothing that Markdown, HTML, a shell, a link detector or a
keyboard's smart punctuation would change. Groups of 32 bytes become 43 digits in base 62 (62^43 > 256^32),
which wastes less than 0.02 % over the ideal and takes linear time. 200 bytes become 274 characters.
"""

from __future__ import annotations

import string

from wisp.errors import Corrupt, NotWisp, UsageError

PREFIX = "wisp:"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

_BASE = len(ALPHABET)
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_GROUP_NUM_BYTES = 32
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))  # inserted by pages to let long words break


def _count_digits(num_bytes: int) -> int:
    """How many digits the largest value of num_bytes bytes needs."""
    limit = 256**num_bytes
    num_digits = 0
    while _BASE**num_digits < limit:
        num_digits += 1
    return num_digits


_NUM_DIGITS = tuple(_count_digits(num_bytes) for num_bytes in range(_GROUP_NUM_BYTES + 1))
_NUM_BYTES = {num_digits: num_bytes for num_bytes, num_digits in enumerate(_NUM_DIGITS)}
_GROUP_NUM_DIGITS = _NUM_DIGITS[_GROUP_NUM_BYTES]


def wrap_text(data: bytes) -> str:
    """Write bytes as one line of text.

    Args:
        data: any bytes, in practice a whole file.

    Returns:
        the prefix `wisp:` and letters and digits, without white space.
    """
    groups = [data[start : start + _GROUP_NUM_BYTES] for start in range(0, len(data), _GROUP_NUM_BYTES)]
    return PREFIX + "".join(_wrap_group(group) for group in groups)


def unwrap_text(text: str) -> bytes:
    """Read bytes back from text.

    White space and invisible break marks are ignored anywhere; the prefix may be in any case.

    Args:
        text: what `wrap_text` wrote, however it was broken into lines.

    Raises:
        NotWisp: the prefix is missing.
        Corrupt: a foreign character, characters missing or too many, or a group out of range.
        UsageError: it is no text.
    """
    if not isinstance(text, str):
        raise UsageError(f"expected text, found {type(text).__name__}; decode it as ASCII first")
    compact = "".join(text.split()).translate(_INVISIBLE)
    prefix, digits = compact[: len(PREFIX)], compact[len(PREFIX) :]
    if prefix.lower() != PREFIX:
        raise NotWisp(f"expected text that begins with {PREFIX}, found {prefix!a}; not a wisp text")
    groups = [digits[start : start + _GROUP_NUM_DIGITS] for start in range(0, len(digits), _GROUP_NUM_DIGITS)]
    return b"".join(_unwrap_group(group) for group in groups)


def _wrap_group(group: bytes) -> str:
    """1 to 32 bytes as digits, the most significant first."""
    value = int.from_bytes(group, "big")
    digits = []
    for _ in range(_NUM_DIGITS[len(group)]):
        value, digit = divmod(value, _BASE)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def _unwrap_group(digits: str) -> bytes:
    """The 1 to 32 bytes that 2 to 43 digits stand for."""
    value = 0
    for digit in digits:
        if digit not in _VALUES:
            raise Corrupt(f"expected letters and digits only, found {digit!a}; copy the text again")
        value = value * _BASE + _VALUES[digit]
    num_bytes = _NUM_BYTES.get(len(digits))
    if num_bytes is None:
        raise Corrupt(
            f"expected a last group of a possible length, found {len(digits)} characters; "
            "copy the whole text again"
        )
    if value >> 8 * num_bytes:
        raise Corrupt(f"expected {num_bytes} bytes in group {digits}, found more; copy the text again")
    return value.to_bytes(num_bytes, "big")
