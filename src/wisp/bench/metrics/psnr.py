"""Peak signal-to-noise ratio.

Range 0 dB and up; higher is better. Computed on sRGB code values 0..255, over all three channels at once, from one
mean squared error for the whole picture. Source: as in Wang et al., "Image quality assessment: from error visibility
to structural similarity", IEEE TIP 2004, section I; in RGB, as learned codecs report it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wisp.bench.metrics.metric import AbstractMetric, Comparison, Direction, Picture
from wisp.errors import ImageError


def psnr_db(original_u8: NDArray[np.uint8], decoded_u8: NDArray[np.uint8]) -> float:
    """10 log10(255² / MSE) in dB over all channels of two 8-bit pictures; higher is better.

    Args:
        original_u8: (H, W, 3) or (H, W), uint8.
        decoded_u8: same shape and dtype.

    Returns:
        Decibels; infinity for equal pictures.

    Raises:
        ImageError: shapes differ, a dtype is not uint8, or there are no pixels.
    """
    for what, array in (("original", original_u8), ("decoded", decoded_u8)):
        if array.dtype != np.uint8:
            raise ImageError(f"psnr: expected uint8 pixels, found {what} {array.dtype}; convert to 8 bits")
    if original_u8.shape != decoded_u8.shape or original_u8.size == 0:
        raise ImageError(
            f"psnr: expected two pictures of one size, found {original_u8.shape} and {decoded_u8.shape}"
        )
    difference = original_u8.astype(np.int32) - decoded_u8
    mse_u8 = float(np.mean(np.square(difference), dtype=np.float64))
    return math.inf if mse_u8 == 0.0 else 10.0 * math.log10(255.0**2 / mse_u8)


class Psnr(AbstractMetric):
    """`psnr_db` as a metric of the bench; None for equal pictures, whose ratio is infinite."""

    name = "psnr_db"
    direction = Direction.HIGHER
    unit = "dB"
    version = "rgb"
    smallest_side = 1

    def prepare(self, original_u8: Picture) -> Comparison:
        def compare(decoded_u8: Picture) -> float | None:
            decibels = psnr_db(original_u8, decoded_u8)
            return decibels if math.isfinite(decibels) else None

        return compare
