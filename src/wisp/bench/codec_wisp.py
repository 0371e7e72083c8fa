"""wisp on the bench, through its public interface only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.errors import BudgetError

PROBE_QUALITY = 20  # not everything is sent, so that it shows where bits go
PROBE_SIZE = 120  # bytes; the way to a size is another than to a quality


def probe_picture() -> Image.Image:
    """A fixed 96x64 RGB picture with slopes, an edge and noise, made of integers alone."""
    y, x = np.mgrid[0:64, 0:96]
    noise = (x * 7919 + y * 104729 + x * y * 31) % 61
    planes = (x * 2 + noise % 23, y * 3 + noise % 17, np.where(x > y, 180, 40) + noise)
    return Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))


class WispCodec(AbstractCodec):
    """wisp with the default model, or with `model`, a name or a bundle's path."""

    def __init__(self, model: str | None = None) -> None:
        self._options: dict[str, Any] = {} if model is None else {"model": model}
        self._version: str | None = None

    @property
    def name(self) -> str:
        return "wisp"

    @property
    def version(self) -> str:
        """wisp's version and a fingerprint of what it does: of two files of a probe, bytes and decoded pixels.

        The fingerprint changes with the model, the allocation and the networks' arithmetic, so that rows of
        an earlier wisp are not taken for rows of this one. What shows on large pictures alone, it cannot see.
        """
        if self._version is None:
            from importlib.metadata import PackageNotFoundError, version

            try:
                release = version("wisp-codec")
            except PackageNotFoundError:
                release = "uninstalled"
            digest = hashlib.sha256()
            for data in self._probe_files():
                digest.update(data + self.decompress(data).tobytes())
            self._version = f"wisp {release}, probe {digest.hexdigest()[:12]}"
        return self._version

    def _probe_files(self) -> Iterator[bytes]:
        yield self.compress(probe_picture(), quality=PROBE_QUALITY)
        with suppress(BudgetError):  # of a model without so small a file
            yield self.compress(probe_picture(), size=PROBE_SIZE)

    def compress(self, image: Image.Image, *, size: int | None = None, quality: int | None = None) -> bytes:
        """wisp.compress to a byte budget or at a quality; exactly one of the two is given."""
        import wisp

        dial: dict[str, Any] = {"quality": quality} if size is None else {"size": size}
        return wisp.compress(image, **dial, **self._options)

    def decompress(self, data: bytes) -> Image.Image:
        """wisp.decompress, as 8-bit RGB."""
        import wisp

        decoded: Image.Image = wisp.decompress(data, **self._options)
        return decoded if decoded.mode == "RGB" else decoded.convert("RGB")

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        try:
            data = self.compress(image, size=budget_num_bytes)
        except BudgetError as refusal:
            return Unreachable(smallest_num_bytes=refusal.smallest_num_bytes)
        return Encoded(
            data_num_bytes=len(data), decoded=self.decompress(data), setting=f"size={budget_num_bytes}"
        )
