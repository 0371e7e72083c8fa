"""JPEG XL by pillow-jxl-plugin, which brings its own libjxl."""

from __future__ import annotations

import io

from PIL import Image

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.package import open_package
from wisp.bench.peers.quality_search import Candidate, fit_by_quality

# libjxl's default. Effort 9 takes seven times as long and gains nothing at equal bytes on Kodak, by PSNR.
EFFORT = 7
STEPS_PER_QUALITY = 10
# Up to quality 18.0, a distance of 10 and more, libjxl codes the picture at half its size; from 18.1 whole.
FIRST_WHOLE_STEP = 181
# Quality 100 asks for a lossless file, which is another dial.
LAST_STEP = 999


class JxlCodec(AbstractCodec):
    """Lossy JPEG XL, effort 7, quality 0..99.9 in tenths.

    The dial has two ranges. Where libjxl begins to code at half the size by itself, Kodak's files become 10 to
    25 % larger and 0.7 to 1.3 dB worse, so the lower range only counts where no file of the upper one fits.
    """

    def __init__(self) -> None:
        # The import registers the format with Pillow.
        self._label = open_package("jxl", "pillow_jxl", "pillow-jxl-plugin").label
        self._files: LastPicture[int, Candidate] = LastPicture()

    @property
    def name(self) -> str:
        return "jxl"

    @property
    def version(self) -> str:
        return (
            f"{self._label}, effort {EFFORT}, quality in tenths, whole size before libjxl's half, one thread"
        )

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        encode = self._files.remembering(image, _encode)
        whole = fit_by_quality(encode, FIRST_WHOLE_STEP, LAST_STEP, budget_num_bytes)
        if isinstance(whole, Encoded):
            return whole
        half = fit_by_quality(encode, 0, FIRST_WHOLE_STEP - 1, budget_num_bytes)
        return min(whole, half, key=_smallest) if isinstance(half, Unreachable) else half


def _encode(image: Image.Image, step: int) -> Candidate:
    quality = step / STEPS_PER_QUALITY
    sink = io.BytesIO()
    # Here 0 threads means the calling one alone.
    image.save(sink, "JXL", quality=quality, effort=EFFORT, num_threads=0)
    return Candidate(sink.getvalue(), f"quality={quality:g}")


def _smallest(refusal: Unreachable) -> int:
    return refusal.smallest_num_bytes
