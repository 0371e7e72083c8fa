"""A small picture for the peers' tests, and the peers themselves where their packages are installed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wisp.bench.catalogue import codec_named
from wisp.bench.codec import AbstractCodec, CodecUnavailable


def photo(width: int = 96, height: int = 64, seed: int = 5) -> Image.Image:
    """Random colours, softened: 8-bit RGB with slopes and no sharp edges; sides of at least 4."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def peer(name: str) -> AbstractCodec:
    """The codec, or a skipped test."""
    try:
        return codec_named(name)
    except CodecUnavailable as reason:
        pytest.skip(str(reason))
