"""Does a periodic pattern remain where nothing should: the spectrum of decoded minus original.

Networks that up-sample by a fixed step leave a lattice with that step as its period, seen first in flat sky
and skin. How much power a lattice has says little beside noise of any strength, so the power at each lattice
frequency is compared with that of the frequencies around it. A ratio of 1 is no lattice; in white noise one
picture's ratio is 1 within a third or so, that of the mean spectrum of 24 pictures much closer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ImageError

BLOCK = 128  # pixels; a multiple of every period, so that a lattice falls on whole frequencies
STEP = BLOCK // 2
PERIODS = (4, 8, 16, 32)
FLATTEST = 0.25
LUMA = (0.299, 0.587, 0.114)

# Steps along the line through the origin. A lattice of any of these periods has power at multiples of 4 only,
# and a periodic Hann window spreads that over direct neighbours only: 2 and 6 steps away hear nothing of it.
# They lie on the line since pictures, and so residuals, have more power along the axes than beside them.
NEIGHBOURS = (-6, -2, 2, 6)


@dataclass(frozen=True)
class PeriodRatio:
    """Power at one period over the median power of its neighbours; 1 is no lattice.

    Attributes:
        period_px: pixels.
        horizontal: the wave runs across, that is vertical stripes.
        vertical: the wave runs down.
        diagonal: the mean of both diagonals, `period_px` along each axis.
    """

    period_px: int
    horizontal: float
    vertical: float
    diagonal: float


@dataclass(frozen=True)
class LatticeRatios:
    """Ratios of one residual, or of the mean spectrum of many.

    Attributes:
        periods: one entry for each of 4, 8, 16 and 32 pixels.
        num_blocks: 128x128 blocks averaged.
    """

    periods: tuple[PeriodRatio, ...]
    num_blocks: int

    @property
    def worst(self) -> float:
        """The largest ratio of all."""
        return max(max(p.horizontal, p.vertical, p.diagonal) for p in self.periods)


@dataclass(frozen=True, eq=False)
class ResidualSpectrum:
    """Power of the residual by frequency.

    Attributes:
        power: (128, 128) float64, [v, u], summed over blocks, each block's mean power being 1.
        num_blocks: how many were summed.
    """

    power: NDArray[np.float64]
    num_blocks: int

    def __add__(self, other: ResidualSpectrum) -> ResidualSpectrum:
        return ResidualSpectrum(self.power + other.power, self.num_blocks + other.num_blocks)


def luma(pixels_u8: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W, 3) or (H, W) uint8 -> (H, W) float64 in 0..255."""
    if pixels_u8.ndim == 2:
        return pixels_u8.astype(np.float64)
    return pixels_u8.astype(np.float64) @ np.array(LUMA)


def _blocks(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W) -> (n, 128, 128), half overlapping."""
    windows = np.lib.stride_tricks.sliding_window_view(plane, (BLOCK, BLOCK))[::STEP, ::STEP]
    return windows.reshape(-1, BLOCK, BLOCK)


def residual_spectrum(
    original_u8: NDArray[np.uint8], decoded_u8: NDArray[np.uint8], flattest: float | None = FLATTEST
) -> ResidualSpectrum:
    """Mean-free, windowed power spectrum of decoded minus original luma.

    Args:
        original_u8: (H, W, 3) or (H, W) uint8, both sides at least 128.
        decoded_u8: the same shape.
        flattest: the share of blocks to keep, those of least variance in the original; None keeps all.

    Raises:
        ImageError: shapes differ, or a side is shorter than 128 pixels.
    """
    if original_u8.shape != decoded_u8.shape:
        raise ImageError(
            f"lattice: expected two pictures of one size, found {original_u8.shape} and {decoded_u8.shape}"
        )
    if min(original_u8.shape[:2]) < BLOCK:
        raise ImageError(
            f"lattice: expected sides of at least {BLOCK} pixels, found {original_u8.shape[:2]}; "
            "measure a larger picture"
        )
    originals = _blocks(luma(original_u8))
    residuals = _blocks(luma(decoded_u8) - luma(original_u8))
    kept = np.arange(len(originals))
    if flattest is not None:
        count = max(1, round(flattest * len(originals)))
        kept = np.argsort(originals.var(axis=(1, 2)), kind="stable")[:count]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(BLOCK) / BLOCK)
    window = np.outer(hann, hann)
    total, num_blocks = np.zeros((BLOCK, BLOCK)), 0
    for block in residuals[kept]:
        # The window's own mean is taken out, else DC would leak into the lowest frequencies.
        windowed = (block - np.sum(block * window) / window.sum()) * window
        power = np.abs(np.fft.fft2(windowed)) ** 2
        mean = power.mean()
        if mean > 0.0:
            total += power / mean
            num_blocks += 1
    return ResidualSpectrum(total, num_blocks)


def _ratio(power: NDArray[np.float64], frequency: int, down: int, across: int) -> float:
    """Power at `frequency` steps of (down, across) over the median, of logarithms, along the same line."""
    around = [power[(frequency + step) * down, (frequency + step) * across] for step in NEIGHBOURS]
    if min(around) <= 0.0:
        return 1.0
    middle = float(np.exp(np.median(np.log(around))))
    return float(power[frequency * down, frequency * across]) / middle


def ratios_of(spectrum: ResidualSpectrum) -> LatticeRatios:
    """The ratios of a spectrum; all 1 where there is no residual at all."""
    periods = []
    for period in PERIODS:
        k = BLOCK // period
        diagonals = (_ratio(spectrum.power, k, 1, 1), _ratio(spectrum.power, k, 1, -1))
        periods.append(
            PeriodRatio(
                period_px=period,
                horizontal=_ratio(spectrum.power, k, 0, 1),
                vertical=_ratio(spectrum.power, k, 1, 0),
                diagonal=sum(diagonals) / 2,
            )
        )
    return LatticeRatios(tuple(periods), spectrum.num_blocks)


def lattice_ratios(
    original_u8: NDArray[np.uint8], decoded_u8: NDArray[np.uint8], flattest: float | None = FLATTEST
) -> LatticeRatios:
    """Ratios of one pair of pictures; arguments and errors as in `residual_spectrum`."""
    return ratios_of(residual_spectrum(original_u8, decoded_u8, flattest))
