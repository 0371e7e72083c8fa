"""A price on periodic error: the cure for the lattice that pixel shuffles leave.

A pixel shuffle gives every position of a 4x4 or 8x8 block filters of its own, and nothing makes them agree on
flat ground. Folding the residual over a window at the block's period averages the picture's own errors away
and leaves what repeats; its power is the loss.
"""

from __future__ import annotations

from torch import Tensor

PERIOD = 8  # pixels; a pattern of period 4 or 2 repeats with 8 too
WINDOW = 64  # pixels: small enough to see a lattice that comes and goes over the picture


def lattice_power(x: Tensor, x_hat: Tensor) -> Tensor:
    """Mean square of the folded residual of each crop, without its mean: (B, C, H, W) twice -> (B,).

    H and W are multiples of 64. For white residuals of variance v the expectation is about v / 64.
    """
    b, c, height, width = x.shape
    rows, columns, n = height // WINDOW, width // WINDOW, WINDOW // PERIOD
    residual = (x_hat.float() - x).view(b, c, rows, n, PERIOD, columns, n, PERIOD)
    folded = residual.mean((3, 6))  # (B, C, rows, PERIOD, columns, PERIOD)
    folded = folded - folded.mean((3, 5), keepdim=True)
    return folded.square().mean((1, 2, 3, 4, 5))
