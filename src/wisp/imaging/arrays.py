"""Which numpy arrays are pictures, and how to say why one is not."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ImageError
from wisp.imaging.limits import check_size

EXPECTED_ARRAY: Final = "a uint8 array (H, W, 3) or (H, W)"
SIXTEEN_BIT_NOTE: Final = "16-bit samples (0 to 65535) were reduced to 8 bits"

_CHANNELS: Final = (1, 3, 4)


def array_samples(array: NDArray[Any], max_pixels: int, notes: list[str]) -> NDArray[np.uint8]:
    """Check a picture given as an array and return its 8-bit samples.

    Args:
        array: uint8 or uint16 (0-65535), shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with alpha last.
        max_pixels: largest H * W allowed.
        notes: a line is added if samples were reduced from 16 bits.

    Returns:
        uint8 array (H, W), (H, W, 3) or (H, W, 4); shares memory with `array` where nothing had to change.

    Raises:
        ImageError: another dtype or shape, or no pixels at all.
        LimitExceeded: more than `max_pixels` pixels.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in _CHANNELS):
        raise ImageError(f"expected {EXPECTED_ARRAY}, found {_describe(array)}; {_shape_advice(array)}")
    check_size(array.shape[0], array.shape[1], max_pixels)
    if array.dtype == np.uint8:
        samples = array
    elif array.dtype.kind == "u" and array.dtype.itemsize == 2:  # either byte order
        samples = reduce_16_to_8(array)
        notes.append(SIXTEEN_BIT_NOTE)
    else:
        raise ImageError(f"expected {EXPECTED_ARRAY}, found {_describe(array)}; {_dtype_advice(array)}")
    return samples[:, :, 0] if samples.ndim == 3 and samples.shape[2] == 1 else samples


def reduce_16_to_8(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Map 0..65535 to 0..255, rounded to the nearest: 65535 = 255 * 257."""
    reduced: NDArray[np.uint8] = ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return reduced


def _describe(array: NDArray[Any]) -> str:
    text = f"a {array.dtype} array {array.shape}"
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        text += " that holds NaN or infinity"
    return text


def _shape_advice(array: NDArray[Any]) -> str:
    if array.ndim == 3 and array.shape[0] in _CHANNELS:
        return "move the channels to the last axis: array.transpose(1, 2, 0)"
    if array.ndim == 4:
        return "give one picture at a time: array[0]"
    return "rearrange it to rows, columns, channels"


def _dtype_advice(array: NDArray[Any]) -> str:
    if array.dtype.kind == "f":
        return "replace NaN, scale to 0..255 and convert: (255 * array).round().clip(0, 255).astype('uint8')"
    if array.dtype.kind == "b":
        return "convert it: 255 * array.astype('uint8')"
    return "scale it to 0..255 and convert it with array.astype('uint8')"
