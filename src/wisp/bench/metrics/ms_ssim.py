"""Multi-scale structural similarity.

Range 0..1; higher is better, 1 for equal pictures. Computed on sRGB code values, data range 255, for each of
R, G, B by itself and averaged, as learned codecs report it. Source: Wang, Simoncelli and Bovik, "Multiscale
structural similarity for image quality assessment", Asilomar 2003, section 3: five scales with the exponents
0.0448, 0.2856, 0.3001, 0.2363, 0.1333, windows of 11 Gaussian weights (deviation 1.5) that lie wholly inside
the picture, halving by means of 2x2. Negative contrast terms count as 0. By the package pytorch-msssim, which
sets a border of zeros around a scale with an odd side before it halves it.

Undefined (None) below 161 pixels a side: the fifth scale is 1/16 of the size, and there the window of 11
pixels no longer fits. Fewer scales would be another metric under the same name.
"""

from __future__ import annotations

from wisp.bench.metrics.structural import Structural


class MsSsim(Structural):
    """MS-SSIM over RGB."""

    name = "ms_ssim"
    function = "ms_ssim"
    smallest_side = 161
