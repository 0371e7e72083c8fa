"""A price on shifted colours: what perceptual distances hardly see and MSE alone hardly pays.

A wall or a sky that is two grey levels too dark is nothing to a classifier's features and next to nothing in the mean
square of a picture with texture, but it is what an eye sees at once beside the original.
"""

from __future__ import annotations

from torch import Tensor

WINDOW = 64  # pixels: texture averages out, walls and skies stay


def shift_power(x: Tensor, x_hat: Tensor) -> Tensor:
    """Mean square of the residual's average over each window and channel: (B, C, H, W) twice -> (B,).

    H and W are multiples of 64. For white residuals of variance v the expectation is v / 4096.
    """
    b, c, height, width = x.shape
    windows = (x_hat.float() - x).view(b, c, height // WINDOW, WINDOW, width // WINDOW, WINDOW)
    return windows.mean((3, 5)).square().mean((1, 2, 3))
