"""Hostile files, options, bundles and surroundings: a named error, soon, and without much memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.allocation.benefit import region_distortions, region_weights
from wisp.allocation.roi import roi_weights
from wisp.codecs import codec_for_model, decode_tokens
from wisp.codecs.pyramid_networks import synthesise
from wisp.container import Chunk, ChunkType, Header, pack_file, pack_header, token_check, unpack_file
from wisp.rate import Target, parse_size

# ---- files ----


@pytest.mark.parametrize("sides", [(16384, 10922), (1 << 24, 10), (1, 1 << 24)])
@pytest.mark.parametrize("scale_exponent", [0, 3])
@pytest.mark.parametrize("tail", [bytes(6), b"\xff" * 6, b"\x7f" * 40])
def test_a_giant_picture_in_a_dozen_bytes(
    sides: tuple[int, int], scale_exponent: int, tail: bytes, tiny_model: Path
) -> None:
    codec = codec_for_model(tiny_model)
    assert codec.entropy_model.grain_bits.min() > 0  # loaded, so that only the file's own memory is counted
    data = pack_header(Header(0, *sides, False, scale_exponent, False)) + tail
    tracemalloc.start()
    try:
        with pytest.raises(wisp.BitstreamError):
            decode_tokens(data, model=tiny_model)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_the_limit_is_the_callers(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = wisp.compress(photo_u8, size=600, model=tiny_model)
    assert wisp.reconstruct(data, model=tiny_model, max_pixels=60_000).image.size == (300, 200)
    assert wisp.decompress(data, model=tiny_model, max_pixels=60_000).size == (300, 200)
    with pytest.raises(wisp.LimitExceeded):
        wisp.reconstruct(data, model=tiny_model, max_pixels=59_999)


@pytest.mark.parametrize("data", ["photo.wisp", None, 7, Path("photo.wisp"), np.zeros(9, np.uint8)])
@pytest.mark.parametrize("call", [wisp.decompress, wisp.read_info, wisp.reconstruct, wisp.to_text])
def test_what_is_not_bytes(call: Callable[[Any], object], data: object) -> None:
    with pytest.raises(wisp.UsageError, match="bytes"):
        call(data)


def test_any_kind_of_bytes(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = wisp.compress(photo_u8, size=600, model=tiny_model)
    for kind in (bytearray, memoryview):
        assert wisp.read_info(kind(data)) == wisp.read_info(data)
        assert wisp.decompress(kind(data), model=tiny_model) == wisp.decompress(data, model=tiny_model)


def _png(alpha: Image.Image) -> bytes:
    buffer = io.BytesIO()
    alpha.save(buffer, "PNG")
    return buffer.getvalue()


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_of_depth(depth: int, width: int = 300, height: int = 200) -> bytes:
    head = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    rows = zlib.compress(bytes(min((1 + (width * depth + 7) // 8) * height, 1 << 20)))
    return b"\x89PNG\r\n\x1a\n" + head + _png_chunk(b"IDAT", rows) + _png_chunk(b"IEND", b"")


def _with_alpha(data: bytes, alpha: bytes, model: Path) -> bytes:
    """The same picture with an alpha chunk, and the right check."""
    file = unpack_file(data)
    old = file.header
    header = Header(old.model_number, old.width, old.height, old.greyscale, old.scale_exponent, True)
    payload = codec_for_model(model).entropy_model.write(decode_tokens(data, model=model))
    check = token_check(pack_header(header), *payload.checked)
    return pack_file(header, [Chunk(ChunkType.ALPHA, alpha)], file.payload, check)


def test_alpha_planes_of_strangers(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    data = wisp.compress(photo_u8, size=600, model=tiny_model)
    good = _png_of_depth(8)
    image = wisp.decompress(_with_alpha(data, good, tiny_model), model=tiny_model)
    assert image.mode == "RGBA"
    assert not np.asarray(image)[..., 3].any()
    jpeg = io.BytesIO()
    Image.new("L", (300, 200)).save(jpeg, "JPEG")
    for bad in (
        b"",
        b"\x89PNG\r\n\x1a\n",
        _png(Image.new("L", (200, 300))),
        _png(Image.new("RGB", (300, 200))),
        _png(Image.new("I;16", (300, 200))),
        _png_of_depth(1),
        _png_of_depth(2),
        _png_of_depth(4),
        _png_of_depth(8, 60_000, 60_000),
        _png_of_depth(8, 1 << 31, 1 << 31),
        jpeg.getvalue(),
        good[:60],
        good[:41] + bytes(len(good) - 41),
        good[: good.index(b"IDAT") - 4] + _png_chunk(b"IDAT", b"no deflate stream") + good[-12:],
    ):
        with pytest.raises(wisp.Corrupt, match="alpha"):
            wisp.decompress(_with_alpha(data, bad, tiny_model), model=tiny_model)


# ---- options ----

BAD_TARGETS: tuple[dict[str, Any], ...] = (
    {"size": float("nan")},
    {"size": float("inf")},
    {"size": []},
    {"size": 0},
    {"size": True},
    {"size": 2.5},
    {"bpp": float("nan")},
    {"bpp": float("inf")},
    {"bpp": "0.1"},
    {"quality": float("nan")},
    {"quality": "50"},
    {"quality": -0.001},
)


@pytest.mark.parametrize("options", BAD_TARGETS, ids=str)
def test_targets_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(wisp.UsageError):
        Target(**options)


def test_endless_sizes_mean_no_limit(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    assert parse_size("9" * 400 + "MB") == parse_size("9" * 30)
    wanted = wisp.compress(photo_u8, size=1_000_000, model=tiny_model)
    for size in (10**400, "9" * 400, 2.0**60):
        assert wisp.compress(photo_u8, size=size, model=tiny_model) == wanted


@pytest.mark.parametrize("strength", [float("nan"), -1, 0.99, 1001, "8", None])
def test_roi_strength_out_of_range(strength: Any) -> None:
    with pytest.raises(wisp.UsageError, match="strength"):
        roi_weights(np.zeros((4, 4), np.uint8), 64, 64, 32, strength)


def test_a_mask_is_refused_before_networks_run(
    photo_u8: NDArray[np.uint8], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "wisp.codecs.token_pyramid.propose", lambda *_: pytest.fail("analysed a picture in vain")
    )
    for mask in (np.zeros((300, 200), np.uint8), np.zeros((0, 0), np.uint8), np.zeros((1, 300), bool)):
        with pytest.raises(wisp.UsageError, match="mask"):
            wisp.compress(photo_u8, size=600, roi=mask, model=tiny_model)


@pytest.mark.parametrize("side", [32, 64, 256])
def test_a_mask_lies_where_the_picture_lies(side: int) -> None:
    """Regions are `side` pixels wide, whatever the padding at the right and the bottom."""
    mask = np.zeros((200, 300), np.uint8)
    mask[37, 299] = 255
    weights = roi_weights(mask, 200, 300, side, 5.0)
    assert weights.shape == (-(-200 // side), -(-300 // side))
    assert np.argwhere(weights > 1).tolist() == [[37 // side, 299 // side]]


def test_small_and_large_masks() -> None:
    assert roi_weights(np.full((1, 1), 255, np.uint8), 200, 300, 32, 3.0).tolist() == [[3.0] * 10] * 7
    large = np.zeros((800, 1200), np.uint8)
    large[-1, 0] = 51
    assert np.argwhere(roi_weights(large, 200, 300, 32, 6.0) == 2).tolist() == [[6, 0]]


def test_arrays_in_any_layout(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    wanted = wisp.compress(photo_u8, size=700, model=tiny_model)
    frozen = photo_u8.copy()
    frozen.flags.writeable = False
    wide = np.zeros((400, 300, 3), np.uint8)
    wide[::2] = photo_u8
    for array in (frozen, np.asfortranarray(photo_u8), wide[::2], photo_u8[::-1, ::-1].copy()[::-1, ::-1]):
        flags = array.flags.writeable
        assert wisp.compress(array, size=700, model=tiny_model) == wanted
        assert array.flags.writeable is flags


def test_many_threads_one_model(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    def there_and_back(size: int) -> bytes:
        data = wisp.compress(photo_u8, size=size, model=tiny_model, threads=1)
        return data + wisp.decompress(data, model=tiny_model, threads=1).tobytes()

    sizes = [500, 600, 700, 800]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(there_and_back, sizes)) == [there_and_back(size) for size in sizes]


# ---- memory ----


def test_sums_over_regions_need_no_second_picture() -> None:
    """Bands give the numbers of the whole, in far less memory than a picture of floats."""
    random = np.random.default_rng(5)
    one, other = (random.integers(0, 256, (2080, 640, 3), np.uint8) for _ in range(2))
    wanted = ((one.astype(np.float32) - other) ** 2).sum(2).reshape(65, 32, 20, 32).sum((1, 3))
    assert np.array_equal(region_distortions(one, other), wanted.astype(np.float64))
    tall = np.tile(one, (5, 1, 1))
    tracemalloc.start()
    region_distortions(tall, tall)
    region_weights(tall, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < tall.nbytes


def test_weights_of_a_picture_and_of_its_padding_are_one() -> None:
    pixels = np.random.default_rng(6).integers(0, 256, (1100, 77, 3), np.uint8)
    padded = np.pad(pixels, ((0, 20), (0, 19), (0, 0)), mode="edge")
    assert np.array_equal(region_weights(pixels, 0.5), region_weights(padded, 0.5))


def test_synthesis_allocates_what_is_asked_for(photo_u8: NDArray[np.uint8], tiny_model: Path) -> None:
    pyramid = decode_tokens(wisp.compress(photo_u8, size=600, model=tiny_model), model=tiny_model)
    bundle = codec_for_model(tiny_model).bundle
    whole = synthesise(bundle, pyramid)
    part = synthesise(bundle, pyramid, 200, 300)
    assert whole.shape == (224, 320, 3)
    assert np.array_equal(part, whole[:200, :300])
    assert part.flags.c_contiguous
