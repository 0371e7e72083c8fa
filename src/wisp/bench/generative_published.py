"""What Generative Compression published, and what stands behind the figures.

Sources: the paper's Tables 1 and 2 (Vineeth S 2020, "Generative Compression"), and an inspection of its two public
repositories' artefacts: committed latents, bit streams and metric files. See docs/generative.md.
"""

from __future__ import annotations

from wisp.bench.markdown import table

TABLE_1 = (
    # way, ratio printed, SSIM, PSNR printed, bytes of the code itself, PSNR in the repository
    ("latent, float32", "176", ".79", "26.48", "2048", "26.49"),
    ("QSGD 8 bits", "412.5", ".77", "25.06", "468-472", "25.06"),
    ("QSGD 6 bits", "495", ".67", "25.06", "250-252", "20.18"),
    ("QSGD 4 bits", "559", ".46", "25.06", "135-136", "14.13"),
    ("JPEG quality 1", "99", ".51", "19.96", "5287", "22.7"),
)
TABLE_2 = (
    # channels, ratio printed, PSNR, SSIM, bits a pixel if a latent had 8 bits
    ("28", "1.75", "24.80", ".838", "13.7"),
    ("16", "3.06", "24.37", ".806", "7.8"),
    ("8", "6.12", "24.06", ".811", "3.9"),
    ("4", "12.25", "23.57", ".791", "1.96"),
    ("2", "24.50", "21.58", ".719", ".98"),
)


def published_faces() -> list[str]:
    """Table 1, with what is known of it."""
    header = ["way", "ratio printed", "SSIM", "PSNR printed", "bytes of the code", "PSNR in the repository"]
    return [
        *table(header, TABLE_1),
        "",
        "Measured on pictures that the generator itself had drawn, not on photographs; two runs are kept. Ratios are "
        "an RGBA PNG of 495 kB over the size of a pickled tensor. Three PSNRs are one figure copied. The Elias code "
        "has no word for level 0, so that zeros come back as 1. JPEG was fed differently stretched pixels: coded "
        "properly its quality 1 gives 22.7 dB, and WebP 27 dB in 2,728 bytes.",
    ]


def published_photographs() -> list[str]:
    """Table 2, with what is known of it."""
    header = ["channels", "ratio printed", "PSNR", "SSIM", "bpp at 8 bits a number"]
    return [
        *table(header, TABLE_2),
        "",
        "Ratios count numbers, not bits: latents were float32 and neither quantised nor coded. Ten pictures of 218x178 "
        "pixels out of the training set. In bits, 28 channels are larger than the picture.",
    ]
