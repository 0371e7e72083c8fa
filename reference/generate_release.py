"""Writes reference/releases/NAME: what a released model made, and what that decodes to. Run once for each, by hand.

    python reference/generate_release.py wisp-1

What is there is never written again: a release's tokens stay (docs/format.md, section 9). Tests only read.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import release_reading as reading
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.codecs import ENTRIES, codec_for_model, decode_tokens
from wisp.codecs.pyramid_networks import pyramid_shape
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import MAX_PIXELS, Header, unpack_file
from wisp.container.header import PRIOR_VERSION, TABLES_VERSION
from wisp.tokens.pyramid import TokenPyramid

SHALLOW = 3  # places; all that most regions of the large random file have


def random_file(codec: TokenPyramidCodec, width: int, height: int, exponent: int, version: int) -> bytes:
    """Tokens and depths that no photograph has, read back before they are believed."""
    random = np.random.default_rng([width, height, exponent])
    header = Header(codec.bundle.config.model_number, width, height, False, exponent, False, version)
    shape = pyramid_shape(codec.bundle.config, header.working_height, header.working_width)
    grain = random.integers(1, shape.num_groups + 1, (shape.rows, shape.columns))
    if grain.size > 1000:
        grain = np.where(random.random(grain.shape) < 0.02, grain, np.minimum(grain, SHALLOW))
    planes = tuple(
        random.integers(0, 256, (groups, *shape.plane_shape(level))).astype(np.uint8)
        for level, groups in enumerate(shape.groups)
    )
    pyramid = TokenPyramid(shape, planes, grain.astype(np.uint8)).cut_to_map()
    data = codec.write_tokens(pyramid, header, ())
    if decode_tokens(data) != pyramid:
        sys.exit("expected the tokens that were written, found others")
    return data


def files(codec: TokenPyramidCodec, photograph: Image.Image, model: str) -> Iterator[tuple[str, bytes]]:
    """Files by name: each version of the format that the model writes, each scale, each kind of picture."""
    for size in (200, 1000, 5000):
        data = wisp.compress(photograph, size=size, model=model)
        yield f"photograph_{size}", data
        if size == 1000:
            file = unpack_file(data, MAX_PIXELS)
            header = replace(file.header, version=TABLES_VERSION)
            yield "photograph_tables", codec.write_tokens(codec.decode_tokens(file), header, ())
    yield "grey", wisp.compress(photograph.convert("L"), size=600, model=model)
    yield "detail", wisp.compress(photograph.crop((100, 80, 356, 272)), size=8000, model=model)
    yield "narrow", wisp.compress(photograph.crop((100, 0, 101, 400)), quality=30, model=model)
    see_through = photograph.crop((200, 100, 328, 196)).convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(see_through.size))
    see_through.getexif()[0x010E] = "a reference file"
    yield "alpha_exif", wisp.compress(see_through, quality=40, model=model, alpha="keep", keep_exif=True)
    for exponent in range(4):
        yield (
            f"random_{exponent}",
            random_file(codec, 250 << exponent, 181 << exponent, exponent, PRIOR_VERSION),
        )
    yield "random_tables", random_file(codec, 200, 150, 0, TABLES_VERSION)
    yield "random_large", random_file(codec, 1601, 1090, 0, PRIOR_VERSION)


def frames(photograph: Image.Image) -> list[NDArray[np.uint8]]:
    """A camera that moves over the photograph, becomes lighter, and sees something that was not there."""
    pixels = np.asarray(photograph)
    out = []
    for number in range(6):
        frame = pixels[100 + 2 * number : 260 + 2 * number, 150 + 5 * number : 390 + 5 * number].copy()
        if number >= 3:
            frame[40:104, 100:164] = pixels[300:364, 60:124]
        lighter = frame[:, 180:].astype(int) + 4 * number
        frame[:, 180:] = np.minimum(lighter, 255).astype(np.uint8)
        out.append(frame)
    return out


def make(release: str, folder: Path) -> None:
    """Everything of a release, into a folder that is there."""
    source = importlib.resources.files("wisp.cli") / "photograph" / "coffee.png"
    with importlib.resources.as_file(source) as path, Image.open(path) as opened:
        photograph = opened.convert("RGB")
    codec = codec_for_model(release)
    found: dict[str, object] = {
        "model_number": codec.bundle.config.model_number,
        "frozen": reading.frozen_parts(release),
    }
    made = dict(files(codec, photograph, release))
    for name, data in made.items():
        (folder / f"{name}.wisp").write_bytes(data)
    found["files"] = {name: reading.in_file(data, release) for name, data in made.items()}
    seen = {unpack_file(data, MAX_PIXELS).header.version for data in made.values()}
    if seen != {0, 1, 3}:
        sys.exit(f"expected files of versions 0, 1 and 3, found {seen}; choose other sizes")
    found["drawn_and_cut"] = reading.drawn_and_cut(made["photograph_1000"], release)
    packets = wisp.packetize(photograph, size=1500, mtu=200, model=release)
    (folder / "packets").mkdir()
    for number, packet in enumerate(packets):
        (folder / "packets" / f"{number}.wpk").write_bytes(packet)
    found["packets"] = reading.in_packets(packets, release)
    clip = wisp.compress_sequence(frames(photograph), quality=30, model=release)
    (folder / "clip.wisps").write_bytes(clip)
    found["clip"] = reading.in_clip(clip, release)
    for path in sorted(folder.iterdir()):
        picture = reading.pictures_of(path)
        path.with_suffix(".png").write_bytes(reading.as_png(reading.patches(picture)))
    (folder / "found.json").write_text(json.dumps(found, indent=1) + "\n")


def main(release: str) -> None:
    """Make a release's folder, or say why not."""
    folder = Path(__file__).parent / "releases" / release
    if release not in {entry.release for entry in ENTRIES if entry.release}:
        sys.exit(f"expected the name of a release in the registry, found {release!r}")
    if os.environ.get("WISP_MODEL_PATH"):
        sys.exit("expected no WISP_MODEL_PATH, so that the bundle is the package's; unset it")
    if folder.exists():
        sys.exit(f"expected no {folder.name}, found it; what a release decodes to is written once")
    unfinished = folder.with_name(f"{release}.unfinished")
    unfinished.mkdir(parents=True)
    make(release, unfinished)
    unfinished.rename(folder)


if __name__ == "__main__":
    main(sys.argv[1])
