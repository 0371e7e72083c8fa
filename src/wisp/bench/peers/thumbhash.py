"""ThumbHash by thumbhash-rs, the author's own Rust code for Python.

Source: Evan Wallace's ThumbHash, https://evanw.github.io/thumbhash/
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from wisp.bench.codec import AbstractCodec, CodecUnavailable, Encoded, Unreachable
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.package import open_package
from wisp.bench.peers.placeholder_size import size_within

PACKAGE = "thumbhash-rs"
LONG_SIDE = 100  # the format's own limit


class ThumbhashCodec(AbstractCodec):
    """A ThumbHash: 17 to 24 bytes by the picture's shape alone, 21 of a 3:2 photograph.

    It has no dial: it fits the budget or does not, and a larger budget changes nothing. It decodes to 32 pixels
    on the long side. The picture's own size is not in it; a page that shows one knows it already.
    """

    def __init__(self) -> None:
        package = open_package("thumbhash", "thumbhash", PACKAGE)
        self._library: Any = package.module
        self._label = package.label
        self._made: LastPicture[None, tuple[int, Image.Image]] = LastPicture()
        self._require_pictures()

    @property
    def name(self) -> str:
        return "thumbhash"

    @property
    def version(self) -> str:
        return f"{self._label}, Lanczos to {LONG_SIDE} pixels (long side) and from its 32"

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        num_bytes, small = self._made.remembering(image, self._code)(None)
        if num_bytes > budget_num_bytes:
            return Unreachable(smallest_num_bytes=num_bytes)
        full = small.resize(image.size, Image.Resampling.LANCZOS)
        return Encoded(data_num_bytes=num_bytes, decoded=full, setting="fixed size")

    def _code(self, image: Image.Image, _: None) -> tuple[int, Image.Image]:
        small = image.resize(size_within(image.size, LONG_SIDE), Image.Resampling.LANCZOS).convert("RGBA")
        data = bytes(self._library.rgba_to_thumb_hash(small.width, small.height, small.tobytes()))
        width, height, rgba = self._library.thumb_hash_to_rgba(data)
        return len(data), Image.frombytes("RGBA", (width, height), bytes(rgba)).convert("RGB")

    def _require_pictures(self) -> None:
        """Refuse other packages' modules of the same name: thumbhash 0.1.2 decodes everything to one colour."""
        halves = Image.new("RGB", (8, 4), (255, 255, 255))
        halves.paste((0, 0, 0), (0, 0, 4, 4))
        try:
            decoded = self._code(halves, None)[1]
            contrast = int(np.ptp(np.asarray(decoded).astype(np.int64)))
        except (AttributeError, TypeError, ValueError):
            contrast = 0
        if contrast < 128:
            raise CodecUnavailable(
                f"thumbhash: expected the module thumbhash of {PACKAGE}, found another package's, which cannot "
                f"decode; pip uninstall thumbhash, then pip install --force-reinstall {PACKAGE}"
            )
