"""MS-SSIM: by hand on flat pictures, and against computations that share no code with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from metric_pictures import blurred, noisy, picture
from numpy.typing import NDArray

from wisp.bench.metrics.ms_ssim import MsSsim

pytest.importorskip("pytorch_msssim")

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def windowed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian mean of every 11x11 window inside the picture, by the plain sum."""
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()
    windows = np.lib.stride_tricks.sliding_window_view(plane, (11, 11))
    return np.asarray(np.einsum("hwij,i,j->hw", windows, window, window, optimize=True))


def halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 2x2; a side that is odd first gets zeros at both ends."""
    odd = tuple((side % 2, side % 2) for side in plane.shape)
    padded = np.pad(plane, odd)
    height, width = (side // 2 * 2 for side in padded.shape)
    blocks = padded[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3)))


def similarity(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the full index, and of its contrast and structure alone, of one channel at one scale."""
    mean_x, mean_y = windowed(x), windowed(y)
    variance_x, variance_y = windowed(x * x) - mean_x**2, windowed(y * y) - mean_y**2
    covariance = windowed(x * y) - mean_x * mean_y
    contrast = (2 * covariance + C2) / (variance_x + variance_y + C2)
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return float((luminance * contrast).mean()), float(contrast.mean())


def ms_ssim(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    values = []
    for channel in range(3):
        x, y = original[..., channel].astype(float), decoded[..., channel].astype(float)
        product = 1.0
        for scale, exponent in enumerate(EXPONENTS):
            full, contrast = similarity(x, y)
            product *= max(0.0, full if scale == len(EXPONENTS) - 1 else contrast) ** exponent
            x, y = halved(x), halved(y)
        values.append(product)
    return float(np.mean(values))


@pytest.mark.parametrize(("height", "width"), [(161, 161), (176, 208), (200, 165)])
def test_agrees_with_the_definition(height: int, width: int) -> None:
    original = noisy(picture(0, 208, 208)[:height, :width], 6)
    compare = MsSsim().reference(original)
    for decoded in (noisy(original, 25), blurred(original, 3), original // 16 * 16, 255 - original):
        assert compare(decoded) == pytest.approx(ms_ssim(original, decoded), abs=1e-5)


def test_agrees_with_scikit_image() -> None:
    """Its index of one scale; an immense K1 leaves contrast and structure alone."""
    metrics = pytest.importorskip("skimage.metrics")
    original = noisy(picture(0, 176, 208), 6)
    decoded = noisy(blurred(original, 2), 9)
    values = []
    for channel in range(3):
        x, y = original[..., channel].astype(float), decoded[..., channel].astype(float)
        product = 1.0
        for scale, exponent in enumerate(EXPONENTS):
            settings = {"K1": 0.01} if scale == len(EXPONENTS) - 1 else {"K1": 1e8}
            product *= (
                metrics.structural_similarity(
                    x, y, data_range=255, gaussian_weights=True, use_sample_covariance=False, **settings
                )
                ** exponent
            )
            x, y = halved(x), halved(y)
        values.append(product)
    assert MsSsim().reference(original)(decoded) == pytest.approx(float(np.mean(values)), abs=1e-4)


def test_flat_pictures_by_hand() -> None:
    """Without any contrast only the luminance of the last scale is left."""
    dark, light = np.full((176, 176, 3), 60, np.uint8), np.full((176, 176, 3), 200, np.uint8)
    luminance = (2 * 60 * 200 + C1) / (60**2 + 200**2 + C1)
    assert MsSsim().reference(dark)(light) == pytest.approx(math.pow(luminance, 0.1333), abs=1e-4)


def test_equal_pictures_are_alike() -> None:
    original = noisy(picture(0, 176, 176), 6)
    assert MsSsim().reference(original)(original) == pytest.approx(1.0, abs=1e-6)


def test_is_undefined_below_161_pixels() -> None:
    metric = MsSsim()
    assert metric.smallest_side == 161
    small = np.zeros((160, 400, 3), np.uint8)
    assert metric.reference(small)(small) is None
    enough = np.zeros((161, 400, 3), np.uint8)
    assert metric.reference(enough)(enough) == pytest.approx(1.0)
