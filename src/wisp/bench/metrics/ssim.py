"""Structural similarity.

Range -1..1; higher is better, 1 for equal pictures. On sRGB code values, data range 255, for each of R, G, B by
itself and averaged. Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE TIP 2004, section 3: windows of 11 Gaussian weights (deviation 1.5) that lie wholly
inside the picture. By the package pytorch-msssim. Undefined (None) below 11 pixels a side.
"""

from __future__ import annotations

from wisp.bench.metrics.structural import Structural


class Ssim(Structural):
    """SSIM over RGB."""

    name = "ssim"
    function = "ssim"
    smallest_side = 11
