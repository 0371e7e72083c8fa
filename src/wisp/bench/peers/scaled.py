"""What people do below 0.1 bpp today: code a smaller picture and scale it up again."""

from __future__ import annotations

from PIL import Image

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable


class ScaledCodec(AbstractCodec):
    """Any codec on the picture at 1/`denominator` of its width and height, Lanczos both ways."""

    def __init__(self, inner: AbstractCodec, denominator: int) -> None:
        self._inner = inner
        self._denominator = denominator

    @property
    def name(self) -> str:
        return f"{self._inner.name}@1/{self._denominator}"

    @property
    def version(self) -> str:
        return f"{self._inner.version}, Lanczos 1/{self._denominator}"

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        small_size = (-(-image.width // self._denominator), -(-image.height // self._denominator))
        small = image.resize(small_size, Image.Resampling.LANCZOS)
        found = self._inner.fit(small, budget_num_bytes)
        if isinstance(found, Unreachable):
            return found
        full = found.decoded.resize(image.size, Image.Resampling.LANCZOS)
        return Encoded(data_num_bytes=found.data_num_bytes, decoded=full, setting=found.setting)
