"""What a reader finds in the files of a release: hashes of all that is whole numbers, and some of the pixels.

`generate_release.py` writes it down once; `tests/test_releases.py` finds it again.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import codec_for_model
from wisp.codecs.generation import generate, make_generation
from wisp.codecs.moved_frame import Past, read_frame
from wisp.codecs.packet_reading import complete, read_packets
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import MAX_PIXELS, unpack_file
from wisp.container.packet_set import sort_packets
from wisp.container.sequence import unpack_sequence
from wisp.tokens.pyramid import TokenPyramid

FROZEN = (
    "analysis.onnx",
    "synthesis.onnx",
    "tables.npz",
    "prior.npz",
    "grain.npz",
)  # sequences are read with the analysis too
WRITERS = (
    "allocation",
    "summary",
    "files",
    "shared_with",
)  # entries of config.json that decide nothing that is read
DEFAULT_NAME = "wisp_small"  # a default bundle's, before and after another takes its place
PATCH = 16  # pixels
PLACES = ((0, 0), (1, 2), (2, 1), (3, 3))  # of patches, down and right, in thirds
DRAWN = {  # `--fill generate`, by name: seed, temperature, top-p, depth
    "likeliest": (0, 0.0, 1.0, 12),
    "usual": (7, 1.0, 1.0, None),
    "cool": (2**64 - 1, 0.6, 1.0, 8),
    "cut_off": (1, 1.0, 0.8, 4),
}
CUTS = (0.4, 0.7, 0.95)  # of a file's bytes
SUBSETS = ((0, 1, 2, 3, 4, 5, 6, 7), (1, 2, 4, 7), (5,))  # packets that arrive


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def frozen_parts(release: str) -> dict[str, str]:
    """Hashes of a bundle's files, and of what its configuration says of reading."""
    bundle = codec_for_model(release).bundle
    config = json.loads((bundle.folder / "config.json").read_text()) | {"name": DEFAULT_NAME}
    read = json.dumps({key: config[key] for key in sorted(config) if key not in WRITERS})
    return {name: sha256(bundle.content(name)) for name in FROZEN if name in bundle.config.files} | {
        "config": sha256(read.encode())
    }


def tokens_hash(pyramid: TokenPyramid) -> str:
    """Of the grain map, and of all planes, the coarsest first."""
    return sha256(b"".join([pyramid.grain_map.tobytes(), *(plane.tobytes() for plane in pyramid.planes)]))


def in_file(data: bytes, release: str) -> dict[str, Any]:
    """What is in a picture's file."""
    file = unpack_file(data, MAX_PIXELS)
    pyramid, detail = _codec(release).decode(file)
    shown = wisp.reconstruct(data)
    return {
        "sha256": sha256(data),
        "header": [file.header.version, file.header.scale_exponent, file.header.width, file.header.height],
        "chunks": [[chunk.name, sha256(chunk.data)] for chunk in file.chunks],
        "tokens": tokens_hash(pyramid),
        "detail": sha256(detail),
        "mode": shown.image.mode,
    }


def drawn_and_cut(data: bytes, release: str) -> dict[str, str]:
    """Tokens that are drawn from the prior, and those of the beginning of a file."""
    codec = _codec(release)
    assert codec.prior_model is not None
    pyramid = codec.decode_tokens(unpack_file(data, MAX_PIXELS))
    found = {
        name: tokens_hash(generate(codec.prior_model, pyramid, make_generation(*options)).pyramid)
        for name, options in DRAWN.items()
    }
    for share in CUTS:
        cut = unpack_file(data[: int(share * len(data))], MAX_PIXELS)
        found[f"cut at {share}"] = tokens_hash(codec.decode_arrived(cut)[0])
    return found


def in_packets(packets: list[bytes], release: str) -> dict[str, Any]:
    """Tokens of some of a picture's packets, the others' filled in."""
    found: dict[str, Any] = {"sha256": sha256(b"".join(packets))}
    for subset in SUBSETS:
        given = sort_packets([packets[i] for i in subset], MAX_PIXELS, None)
        codec = _codec(release)
        received = read_packets(codec, given)
        found[" ".join(map(str, subset))] = tokens_hash(complete(codec, received).pyramid)
    return found


def in_clip(data: bytes, release: str) -> list[dict[str, str]]:
    """What is in the frames of a sequence."""
    codec, found = _codec(release), []
    past: Past | None = None
    for frame in unpack_sequence(data).frames:
        if frame.is_key:
            file = unpack_file(frame.data, MAX_PIXELS)
            past = Past(file)
            found.append({"tokens": tokens_hash(codec.decode_tokens(file))})
            continue
        assert past is not None
        moved = read_frame(codec, past, frame.data)
        assert moved.tokens is not None
        levels = [moved.correction.luma, moved.correction.chroma]
        found.append(
            {
                "vectors": sha256(moved.vectors.astype("<i2").tobytes()),
                "corrected": sha256(moved.corrected.tobytes()),
                "levels": sha256(b"".join(part.astype("<i2").tobytes() for part in levels)),
                "tokens": tokens_hash(moved.tokens),
            }
        )
    return found


def patches(picture: Image.Image) -> NDArray[np.uint8]:
    """(16, 64, 3): four squares of a picture from its start to its end, black where it is smaller."""
    pixels = np.asarray(picture.convert("RGB"))
    out = np.zeros((PATCH, len(PLACES) * PATCH, 3), np.uint8)
    for i, (down, right) in enumerate(PLACES):
        top, left = (
            max(side - PATCH, 0) * at // 3 for side, at in zip(pixels.shape, (down, right), strict=False)
        )
        square = pixels[top : top + PATCH, left : left + PATCH]
        out[: square.shape[0], i * PATCH : i * PATCH + square.shape[1]] = square
    return out


def pictures_of(path: Path) -> Image.Image:
    """The picture of a file, the last of a sequence, or that of all packets in a folder."""
    if path.is_dir():
        return wisp.unpacketize(read_packets_of(path)).image
    data = path.read_bytes()
    return list(wisp.decompress_sequence(data))[-1] if path.suffix == ".wisps" else wisp.decompress(data)


def read_packets_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _codec(release: str) -> TokenPyramidCodec:
    return codec_for_model(release)
