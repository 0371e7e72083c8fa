"""AVIF by Pillow's libavif."""

from __future__ import annotations

import io

from PIL import Image, features

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.package import require_pillow
from wisp.bench.peers.quality_search import Candidate, fit_by_quality

SPEED = 6


class AvifCodec(AbstractCodec):
    """4:2:0 AVIF, speed 6, quality 0..100."""

    def __init__(self) -> None:
        require_pillow("avif", "avif")
        self._files: LastPicture[int, Candidate] = LastPicture()

    @property
    def name(self) -> str:
        return "avif"

    @property
    def version(self) -> str:
        return f"libavif {features.version('avif')}, speed {SPEED}, 4:2:0, one thread"

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        return fit_by_quality(self._files.remembering(image, _encode), 0, 100, budget_num_bytes)


def _encode(image: Image.Image, quality: int) -> Candidate:
    sink = io.BytesIO()
    # One thread: libavif splits a picture into tiles by the number of threads, which costs bytes.
    image.save(sink, "AVIF", quality=quality, speed=SPEED, subsampling="4:2:0", max_threads=1)
    return Candidate(sink.getvalue(), f"quality={quality}")
