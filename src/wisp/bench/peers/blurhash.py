"""BlurHash by the pure-Python package blurhash: a few cosines in linear light.

Source: Wolt's BlurHash, https://github.com/woltapp/blurhash/blob/master/Algorithm.md
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.bench.peers.last_picture import LastPicture
from wisp.bench.peers.package import open_package
from wisp.bench.peers.placeholder_size import size_within

# Pure Python takes pixels x components steps. Larger sizes change a Kodak picture by less than 0.03 dB.
CODED_LONG_SIDE = 128
DECODED_LONG_SIDE = 64
MOST_COMPONENTS = 9
HEADER_NUM_BYTES = 6  # with the mean colour, the first component
COMPONENT_NUM_BYTES = 2


class BlurhashCodec(AbstractCodec):
    """A BlurHash string, counted as its ASCII bytes: 4 + 2 x components, at least 6 and at most 166.

    Above 166 bytes the budget does not matter: the file is the largest there is, and stays far below it.
    The picture's own size is not in the string; a page that shows one knows it already.
    """

    def __init__(self) -> None:
        package = open_package("blurhash", "blurhash", "blurhash")
        self._library: Any = package.module
        self._label = package.label
        self._made: LastPicture[tuple[int, int], tuple[str, Image.Image]] = LastPicture()

    @property
    def name(self) -> str:
        return "blurhash"

    @property
    def version(self) -> str:
        return (
            f"{self._label}, coded at {CODED_LONG_SIDE} pixels on the long side, decoded at {DECODED_LONG_SIDE}, "
            "Lanczos from there"
        )

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        components = components_within(image.size, budget_num_bytes)
        if components is None:
            return Unreachable(smallest_num_bytes=HEADER_NUM_BYTES)
        text, small = self._made.remembering(image, self._code)(components)
        return Encoded(
            data_num_bytes=len(text.encode("ascii")),
            decoded=small.resize(image.size, Image.Resampling.LANCZOS),
            setting=f"components={components[0]}x{components[1]}",
        )

    def _code(self, image: Image.Image, components: tuple[int, int]) -> tuple[str, Image.Image]:
        thumbnail = _linear_thumbnail(image, size_within(image.size, CODED_LONG_SIDE))
        text: str = self._library.encode(thumbnail.tolist(), *components, linear=True)
        decoded = self._library.decode(text, *size_within(image.size, DECODED_LONG_SIDE))
        pixels_u8 = np.array(decoded, dtype=np.uint8)
        return text, Image.fromarray(pixels_u8)


def components_within(size: tuple[int, int], budget_num_bytes: int) -> tuple[int, int] | None:
    """How many cosines across and down, 1..9 each; None when not even one of each fits.

    Of all pairs that fit, the one that resolves the picture finest in its coarser direction; of several such
    pairs the one with most components, and of those the squarest.

    Args:
        size: the picture's width and height in pixels.
        budget_num_bytes: upper bound of the string, in bytes.
    """
    width, height = size
    counts = range(1, MOST_COMPONENTS + 1)
    fitting = [
        (across, down)
        for across in counts
        for down in counts
        if HEADER_NUM_BYTES + COMPONENT_NUM_BYTES * (across * down - 1) <= budget_num_bytes
    ]
    return max(
        fitting,
        # across / width and down / height, made whole by width x height.
        key=lambda pair: (min(pair[0] * height, pair[1] * width), pair[0] * pair[1], -abs(pair[0] - pair[1])),
        default=None,
    )


def _linear_thumbnail(image: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """The picture's mean over areas as linear RGB, shape (height, width, 3), 0..1.

    Source of the curve: IEC 61966-2-1.
    """
    encoded_unit = np.asarray(image, dtype=np.float32) / 255
    linear = np.where(encoded_unit <= 0.04045, encoded_unit / 12.92, ((encoded_unit + 0.055) / 1.055) ** 2.4)
    planes = [
        np.asarray(Image.fromarray(linear[:, :, channel]).resize(size, Image.Resampling.BOX))
        for channel in range(3)
    ]
    return np.stack(planes, axis=-1)
