"""Where people look first, guessed without a trained network: the spectral residual of a small copy.

The logarithm of a picture's amplitude spectrum is nearly the same smooth curve for all pictures; what sticks out of it,
turned back into a picture with the phases, is where something unusual is (Hou and Zhang, CVPR 2007). Done for lightness
and two differences of colours, added, blurred, and scaled so that the strongest place is 255.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64  # pixels along the longer side of the small copy
SMOOTH = 3  # frequencies averaged along each axis: the smooth curve
BLUR = 2.5  # pixels of the small copy, standard deviation
PERCENTILE = 98  # of the blurred residual that is shown as white: one spot must not dim all others
CALM = 1e-3  # keeps the logarithm finite where a spectrum is empty


def saliency(pixels_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> (h, w) uint8 of its shape, reduced: 0 nothing unusual, 255 most."""
    height, width = pixels_u8.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(pixels_u8).resize(size, Image.Resampling.BOX), np.float64)
    red, green, blue = np.moveaxis(small, -1, 0)
    planes = ((red + green + blue) / 3, red - green, (red + green) / 2 - blue)
    total = sum(_residual(plane) for plane in planes)
    found = _blurred(np.asarray(total))
    top = np.percentile(found, PERCENTILE)
    shown: NDArray[np.uint8] = np.rint(255 * np.clip(found / max(top, 1e-12), 0, 1)).astype(np.uint8)
    return shown


def _residual(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """What sticks out of a plane's spectrum, as a picture of energies, times how much contrast the plane has."""
    spectrum = np.fft.fft2(plane - plane.mean())
    amplitude = np.log(np.abs(spectrum) + CALM)
    padded = np.pad(amplitude, SMOOTH // 2, mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SMOOTH, SMOOTH))
    unusual = np.exp(amplitude - windows.mean((2, 3)) + 1j * np.angle(spectrum))
    energy: NDArray[np.float64] = np.abs(np.fft.ifft2(unusual)) ** 2
    share = energy / max(float(energy.sum()), 1e-12)
    return share * float(plane.std())


def _blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian blur; beyond its edges a plane is repeated."""
    reach = int(3 * BLUR)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / BLUR) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        spread = [(reach, reach) if axis == i else (0, 0) for i in (0, 1)]
        padded = np.pad(plane, spread, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis)
        plane = windows @ kernel
    return plane
