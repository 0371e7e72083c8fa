"""What metrics and codecs are called before people, and what they mean in one sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricWords:
    """How a metric is spoken of.

    Attributes:
        label: its name in tables and charts.
        places: decimal places that mean something.
        meaning: one sentence for a reader who does not know it.
    """

    label: str
    places: int
    meaning: str


# In the order of the page: what people see first, what pixels say after it.
METRIC_WORDS: dict[str, MetricWords] = {
    "lpips_squeeze": MetricWords(
        "LPIPS-squeeze",
        3,
        "How different a small neural network (SqueezeNet) that was tuned on people's judgements finds the two "
        "pictures; 0 is no difference.",
    ),
    "feature_distance": MetricWords(
        "feature distance",
        3,
        "How far apart the two pictures lie for a network that recognises things (Darknet Tiny): a second "
        "opinion beside LPIPS; 0 is no difference.",
    ),
    "ssimulacra2": MetricWords(
        "SSIMULACRA2",
        1,
        "A score made for judging image codecs: 90 looks the same, 50 is a middling JPEG, below 0 is bad. It "
        "was tuned at higher rates than most of these.",
    ),
    "ms_ssim": MetricWords(
        "MS-SSIM",
        3,
        "How well light, contrast and structure agree at five scales; 1 is the same picture.",
    ),
    "psnr_db": MetricWords(
        "PSNR",
        2,
        "How close each pixel is to the original, in decibels. It prefers blur to invented detail.",
    ),
    "texture_distance": MetricWords(
        "texture distance",
        3,
        "How different the statistics of texture are, wherever in the picture it lies; 0 is no difference.",
    ),
    "dists": MetricWords(
        "DISTS",
        3,
        "Structure and texture compared inside a large network (VGG); it forgives texture that is moved, and 0 "
        "is no difference.",
    ),
    "lpips_alex": MetricWords(
        "LPIPS-alex", 3, "LPIPS with AlexNet inside; not to be compared with the other LPIPS."
    ),
    "lpips_vgg": MetricWords(
        "LPIPS-vgg", 3, "LPIPS with VGG inside; not to be compared with the other LPIPS."
    ),
    "class_agreement": MetricWords(
        "class agreement",
        2,
        "Of the five things that a recognising network sees first in the original, the share it still sees "
        "after decoding; 1 is all.",
    ),
}

_FORMATS = {
    "jpeg": "JPEG",
    "webp": "WebP",
    "avif": "AVIF",
    "jxl": "JPEG XL",
    "blurhash": "BlurHash",
    "thumbhash": "ThumbHash",
    "compressai": "CompressAI",
}


def metric_words(name: str) -> MetricWords:
    """The words for a metric; one that is not known is called by its column, to four places."""
    return METRIC_WORDS.get(name, MetricWords(name, 4, ""))


def metric_rank(name: str) -> tuple[int, str]:
    """Sorts metrics into the order of the page, unknown ones last by name."""
    known = list(METRIC_WORDS)
    return (known.index(name) if name in METRIC_WORDS else len(known), name)


def codec_label(codec: str) -> str:
    """A codec's name for people: ``avif@1/2`` is "AVIF 1/2", and wisp is wisp."""
    base, at, fraction = codec.partition("@")
    family, colon, model = base.partition(":")
    name = _FORMATS.get(family, family) + (f" {model}" if colon else "")
    return name + (f" {fraction}" if at else "")


def bpp_text(bpp: float) -> str:
    """A rate in bits per pixel as it was asked for: ``0.05``."""
    return f"{bpp:g}"


def number_text(value: float | None, places: int) -> str:
    """The number to so many places with a true minus, or a dash for None; no "-0.00"."""
    if value is None:
        return "-"
    text = f"{value:.{places}f}"
    if not text.strip("-0."):
        text = text.removeprefix("-")
    return text.replace("-", "−")


def count_text(count: int) -> str:
    """Digits in groups of three: ``2,457``."""
    return f"{count:,}"
