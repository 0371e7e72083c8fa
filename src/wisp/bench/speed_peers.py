"""The peers as people call them, one file at one setting: what the speed bench times.

The options are those of the adapters in peers/, but for threads, of which the speed bench allows as many as it
measures with; the adapters' search for a size is not part of what is timed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from wisp.bench.codec import Encoded
from wisp.bench.peers import jxl, webp
from wisp.bench.peers.avif import SPEED
from wisp.bench.peers.package import open_package, require_pillow
from wisp.bench.peers.quality_search import Candidate, decode_with_pillow, fit_by_quality
from wisp.errors import UsageError

HIGHEST = 99  # of the qualities that are searched; 100 is another dial in JPEG XL


@dataclass(frozen=True)
class PeerDial:
    """How Pillow is asked for a format.

    Attributes:
        pillow_format: Pillow's name of it.
        lowest: the quality that makes the smallest file.
        options: what else is passed, always.
        steps_per_quality: how finely the quality is searched.
        threads_option: the name under which the encoder is told its threads; None if it uses one.
    """

    pillow_format: str
    lowest: int
    options: Mapping[str, Any]
    steps_per_quality: int = 1
    threads_option: str | None = None

    def quality(self, step: int) -> float:
        """The quality of a step of the search; an int where whole steps are taken, as Pillow then wants one."""
        return step if self.steps_per_quality == 1 else step / self.steps_per_quality


DIALS: dict[str, PeerDial] = {
    "jpeg": PeerDial("JPEG", 1, {"optimize": True, "progressive": True, "subsampling": "4:2:0"}),
    "webp": PeerDial("WEBP", 0, {"method": webp.METHOD, "lossless": False}, webp.STEPS_PER_QUALITY),
    "avif": PeerDial("AVIF", 0, {"speed": SPEED, "subsampling": "4:2:0"}, threads_option="max_threads"),
    "jxl": PeerDial("JXL", 0, {"effort": jxl.EFFORT}, jxl.STEPS_PER_QUALITY, "num_threads"),
}
_PILLOW_FEATURES = {"jpeg": "jpg", "webp": "webp", "avif": "avif"}


def require(name: str) -> None:
    """Make sure that the peer can be used in this process.

    Raises:
        UsageError: no such peer.
        CodecUnavailable: what it needs is not installed.
    """
    if name not in DIALS:
        raise UsageError(f"--codecs: expected wisp or one of {', '.join(DIALS)}, found {name!r}")
    if name == "jxl":
        open_package("jxl", "pillow_jxl", "pillow-jxl-plugin")  # teaches Pillow the format
    else:
        require_pillow(name, _PILLOW_FEATURES[name])


def encode(name: str, image: Image.Image, quality: float, threads: int) -> bytes:
    """One file of an 8-bit RGB picture."""
    dial = DIALS[name]
    options = dict(dial.options)
    if dial.threads_option is not None:
        options[dial.threads_option] = (
            threads if name != "jxl" or threads > 1 else 0
        )  # 0: the calling one alone
    sink = io.BytesIO()
    image.save(sink, dial.pillow_format, quality=quality, **options)
    return sink.getvalue()


def decode(data: bytes) -> Image.Image:
    """The file's picture as 8-bit RGB, pixels loaded."""
    return decode_with_pillow(data)


def quality_for(name: str, image: Image.Image, budget_num_bytes: int) -> float:
    """The quality whose file is the largest within the budget; the lowest if none is."""
    dial = DIALS[name]

    def candidate(step: int) -> Candidate:
        return Candidate(encode(name, image, dial.quality(step), 1), str(step))

    steps = (dial.lowest * dial.steps_per_quality, HIGHEST * dial.steps_per_quality)
    found = fit_by_quality(candidate, *steps, budget_num_bytes)
    return dial.quality(int(found.setting) if isinstance(found, Encoded) else steps[0])
