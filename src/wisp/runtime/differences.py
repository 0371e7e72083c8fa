"""A file as its difference from another of the same length: what an older release keeps of a network trained on since.

The bytes of one less those of the other, modulo 256, as an xz stream (https://tukaani.org/xz/xz-file-format.txt). Of
8-bit weights that were trained on for two hours half is left. It is a way of storing and no format that has to stay:
what is promised is the hash of the file that comes out.
"""

from __future__ import annotations

import numpy as np

DIFFERENCE_SUFFIX = ".difference"


def make_difference(data: bytes, base: bytes) -> bytes:
    """What makes `data` of `base`.

    Raises:
        ValueError: they have not the same length.
    """
    if len(data) != len(base):
        raise ValueError(f"{len(data)} bytes, and {len(base)} to differ from")
    import lzma

    return lzma.compress((_bytes(data) - _bytes(base)).tobytes(), check=lzma.CHECK_NONE)


def apply_difference(difference: bytes, base: bytes) -> bytes:
    """The file that differs from `base` by `difference`.

    Raises:
        ValueError: `difference` is none of a file as long as `base`, or this Python has no lzma.
    """
    try:
        import lzma  # which some builds of Python lack, and most models do without
    except ImportError as fault:
        raise ValueError(f"a Python without lzma ({fault})") from None
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        found = stream.decompress(difference, len(base) + 1)
    except (lzma.LZMAError, EOFError) as fault:
        raise ValueError(str(fault)) from None
    if len(found) != len(base) or not stream.eof or stream.unused_data:
        raise ValueError(f"{len(found)} bytes or more, where the other file has {len(base)}")
    return (_bytes(base) + _bytes(found)).tobytes()


def _bytes(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(data, np.uint8)
