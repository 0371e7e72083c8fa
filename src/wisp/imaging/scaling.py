"""The working scale: a smaller picture for the network, and the way back to the original size.

Both ways map the whole of one grid onto the whole of the other, so that a picture whose sides are no
multiples of the factor comes back without a shift. The filter is Lanczos with three lobes (Duchon 1979), as
Pillow implements it; it widens with the factor when shrinking, which is what prevents aliasing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.errors import UsageError

MAX_EXPONENT: Final = 3
"""The header has two bits for the exponent: factors 1, 2, 4 and 8."""

# Above twice this factor, Pillow first averages whole blocks of pixels and leaves at least a factor of three
# to the Lanczos filter; the difference cannot be seen, and large pictures shrink several times faster.
_REDUCING_GAP: Final = 3.0


def scaled_size(height: int, width: int, exponent: int) -> tuple[int, int]:
    """(height, width) at a working scale: each side divided by 2^exponent and rounded up.

    Raises:
        UsageError: the exponent is not 0, 1, 2 or 3.
    """
    if not 0 <= exponent <= MAX_EXPONENT:
        raise UsageError(
            f"expected a scale exponent from 0 to {MAX_EXPONENT}, found {exponent}; choose another"
        )
    return -(-height >> exponent), -(-width >> exponent)


def downscale_u8(pixels_u8: NDArray[np.uint8], exponent: int) -> NDArray[np.uint8]:
    """Shrink uint8 pixels (H, W, 3) or (H, W) to (ceil(H / 2^exponent), ceil(W / 2^exponent)).

    Exponent 0 returns the array itself.
    """
    height, width = pixels_u8.shape[:2]
    return _resize(pixels_u8, scaled_size(height, width, exponent), _REDUCING_GAP)


def upscale_u8(pixels_u8: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring uint8 pixels (h, w, 3) or (h, w) back to `size`, which is (height, width); clipped to 0-255."""
    if min(size) < 1:
        raise UsageError(f"expected a size from 1x1, found {size[1]}x{size[0]}; give the original size")
    return _resize(pixels_u8, size, None)


def _resize(
    pixels_u8: NDArray[np.uint8], size: tuple[int, int], reducing_gap: float | None
) -> NDArray[np.uint8]:
    height, width = size
    if pixels_u8.shape[:2] == (height, width):
        return pixels_u8
    image = Image.fromarray(np.ascontiguousarray(pixels_u8))
    return np.array(image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=reducing_gap))
