"""The 16-bit check at the end of a file (docs/format.md, section 6).

It covers what was *decoded*, so it also finds a decoder, model or machine that went astray on sound bytes.
"""

from __future__ import annotations

from binascii import crc_hqx

_INITIAL = 0xFFFF  # not 0, so that leading zero bytes count


def token_check(header_bytes: bytes, *parts: bytes) -> int:
    """CRC-16 (polynomial 0x1021, initial value 0xFFFF) of header, grain map and tokens.

    Args:
        header_bytes: the header as it lies in the file, without chunks.
        parts: grain map (one byte a region, raster order), then the sent tokens in coding order (one byte
            each). Where the bytes are divided into parts makes no difference.

    Returns:
        the check, 0..65535.
    """
    check = crc_hqx(header_bytes, _INITIAL)
    for part in parts:
        check = crc_hqx(part, check)
    return check
