"""Lossy WebP by Pillow's libwebp at its slowest method."""

from __future__ import annotations

import io

from PIL import Image, features

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.package import require_pillow
from wisp.bench.peers.quality_search import Candidate, fit_by_quality

METHOD = 6
# libwebp's quality is a real number and its lowest whole step is coarse (9 to 15 kB on a Kodak picture).
STEPS_PER_QUALITY = 100


class WebpCodec(AbstractCodec):
    """Lossy WebP, method 6, quality 0..100 in hundredths."""

    def __init__(self) -> None:
        require_pillow("webp", "webp")
        self._files: LastPicture[int, Candidate] = LastPicture()

    @property
    def name(self) -> str:
        return "webp"

    @property
    def version(self) -> str:
        return f"libwebp {features.version('webp')}, method {METHOD}, quality in hundredths"

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        encode = self._files.remembering(image, _encode)
        return fit_by_quality(encode, 0, 100 * STEPS_PER_QUALITY, budget_num_bytes)


def _encode(image: Image.Image, step: int) -> Candidate:
    quality = step / STEPS_PER_QUALITY
    sink = io.BytesIO()
    image.save(sink, "WEBP", quality=quality, method=METHOD, lossless=False)
    return Candidate(sink.getvalue(), f"quality={quality:g}")
