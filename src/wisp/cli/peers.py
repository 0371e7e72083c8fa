"""What other codecs make of a picture in the same number of bytes, to be shown beside wisp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from wisp.bench.codec import AbstractCodec

DENOMINATORS = (1, 2, 4, 8)


@dataclass(frozen=True)
class PeerResult:
    """A peer's best file within a budget.

    Attributes:
        title: the format's name as people write it.
        image: its picture at the original size; None if there is no file that small, or no such codec here.
        num_bytes: size of the whole file; None without a picture.
        denominator: the picture was coded at 1 / denominator of its width and height.
    """

    title: str
    image: Image.Image | None
    num_bytes: int | None
    denominator: int

    @property
    def detail(self) -> str:
        """What to write under the picture."""
        if self.num_bytes is None:
            return "no file this small"
        scale = "" if self.denominator == 1 else f" at 1/{self.denominator} size"
        return f"{self.num_bytes:,} bytes{scale}"


def fit_peers(image: Image.Image, budget_num_bytes: int) -> list[PeerResult]:
    """AVIF, WebP and JPEG within a budget, each at the largest of 1/1, 1/2, 1/4 and 1/8 size that fits.

    Args:
        image: mode RGB.
        budget_num_bytes: the most bytes a whole file may have.

    Raises:
        UsageError: this Pillow was built without one of them.
    """
    # The benchmarks' own peers, so that what is shown is what is measured. Nothing else here needs that room.
    from wisp.bench.peers.avif import AvifCodec
    from wisp.bench.peers.jpeg import JpegCodec
    from wisp.bench.peers.webp import WebpCodec

    peers = (("AVIF", AvifCodec()), ("WebP", WebpCodec()), ("JPEG", JpegCodec()))
    return [_fit(title, codec, image, budget_num_bytes) for title, codec in peers]


def fit_jpeg_xl(image: Image.Image, budget_num_bytes: int) -> PeerResult | None:
    """The same of JPEG XL; None where its package is not installed."""
    from wisp.bench.codec import CodecUnavailable
    from wisp.bench.peers.jxl import JxlCodec

    try:
        codec = JxlCodec()
    except CodecUnavailable:
        return None
    return _fit("JPEG XL", codec, image, budget_num_bytes)


def _fit(title: str, codec: AbstractCodec, image: Image.Image, budget_num_bytes: int) -> PeerResult:
    from wisp.bench.codec import Encoded
    from wisp.bench.peers.scaled import ScaledCodec

    for denominator in DENOMINATORS:
        tried = codec if denominator == 1 else ScaledCodec(codec, denominator)
        found = tried.fit(image, budget_num_bytes)
        if isinstance(found, Encoded):
            return PeerResult(title, found.decoded, found.data_num_bytes, denominator)
    return PeerResult(title, None, None, DENOMINATORS[-1])
