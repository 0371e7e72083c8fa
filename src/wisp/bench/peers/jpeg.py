"""JPEG by Pillow's libjpeg-turbo, with optimised Huffman tables, baseline and progressive."""

from __future__ import annotations

import io

from PIL import Image, features

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.package import require_pillow
from wisp.bench.peers.quality_search import Candidate, fit_by_quality


class JpegCodec(AbstractCodec):
    """4:2:0 JPEG; at every quality the smaller of the baseline and the progressive file."""

    def __init__(self) -> None:
        require_pillow("jpeg", "jpg")
        self._files: LastPicture[int, Candidate] = LastPicture()

    @property
    def name(self) -> str:
        return "jpeg"

    @property
    def version(self) -> str:
        return f"libjpeg-turbo {features.version('libjpeg_turbo')}, 4:2:0, optimised, baseline or progressive"

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        return fit_by_quality(self._files.remembering(image, _encode), 1, 100, budget_num_bytes)


def _encode(image: Image.Image, quality: int) -> Candidate:
    files = []
    for progressive in (False, True):
        sink = io.BytesIO()
        image.save(sink, "JPEG", quality=quality, optimize=True, progressive=progressive, subsampling="4:2:0")
        kind = "progressive" if progressive else "baseline"
        files.append(Candidate(sink.getvalue(), f"quality={quality} {kind}"))
    return min(files, key=lambda file: len(file.data))
