"""Detail: what a picture has beyond all of the model's tokens, as a frame of VP8 behind them (docs/format.md, 5.11).

    original - what the tokens show + 128, cut to 0..255 -> lossy WebP of the size that is left -> its VP8 frame

A model's tokens end at some rate; a larger budget would go unused. libwebp (through Pillow) codes the difference; its
format is fixed by RFC 6386. What the tokens show may differ by a grey level between machines, and so does the sum, no
more.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features
from PIL.WebPImagePlugin import WebPImageFile

from wisp.allocation.benefit import INVISIBLE, region_distortions
from wisp.codecs.large_detail import LARGE, sampled_detail
from wisp.errors import Corrupt, LimitExceeded, UsageError

MIN_ROOM = 64  # bytes; below, a frame of any size would say nothing
MAX_SIDE = 16383  # of a VP8 frame
CENTRE = 128
BEST_QUALITY = 100.0
HALVINGS = 7  # of the quality
STRENGTHS = 5  # halvings of the strength
TRIES, MEDIUM = 40, 1 << 20  # half as many for pictures of more pixels
AS_GOOD = 1.01  # times the error: a fuller frame may have so much
SHARE_LEFT = 0.002  # of the room may stay unused
METHOD, OTHER_METHODS = 2, (3, 4, 1, 5)  # of libwebp: each has other sizes, none is always best
LAST_HALVINGS = 10  # of the quality, by each of the others
BAND_ROWS = 256
_RIFF = struct.Struct("<4sI4s4sI")
_START = b"\x9d\x01\x2a"


def write_detail(
    original_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], room: int, wanted: int = 0
) -> bytes | None:
    """A frame of at most `room` bytes; None if there is none, or the picture is too large for one.

    The quality is the highest that fits, by bisection, or the lowest at which the error is invisible, or as at the
    very best; if it is visible,
    the next higher ones are then tried on a weaker difference, which comes as close to the room as is wanted. Of a
    large picture a sample is searched (wisp.codecs.large_detail).

    Args:
        original_u8, shown_u8: (H, W, 3).
        wanted: bytes; a visible error and a smaller frame are reason enough to try libwebp's other methods, up to a
            megapixel: .5 to 1.3 s at 768x512, where it is rare.
    """
    if room < MIN_ROOM or max(original_u8.shape[:2]) > MAX_SIDE:
        return None
    if original_u8[..., 0].size > LARGE:
        sampled = sampled_detail(original_u8, shown_u8, room, _encode_at)
        if sampled is not None and _error(original_u8, add_detail(shown_u8, sampled)) > INVISIBLE:
            return sampled
    enough = int(room * (1 - SHARE_LEFT))
    best: bytes | None = None
    unseen: bytes | None = None
    whole = _difference(original_u8, shown_u8, 1.0)
    low, high, limit = -1.0, BEST_QUALITY, INVISIBLE
    for first in (BEST_QUALITY, *[None] * HALVINGS):
        at = (max(low, 0.0) + high) / 2 if first is None else first
        frame = _encode(whole, at)
        if len(frame) > room:
            high = at
            continue
        error = _error(original_u8, add_detail(shown_u8, frame))
        if at == BEST_QUALITY:  # its rounding may be what is left: then less is as good
            limit = max(limit, AS_GOOD * error)
        if error <= limit:
            high, unseen = at, frame
        else:
            low, best = at, frame if best is None or len(frame) > len(best) else best
            if len(frame) >= enough:
                return best
    if unseen is not None:
        return unseen
    weak, strong = 0.0, 1.0
    for _ in range(STRENGTHS):
        strength = (weak + strong) / 2
        frame = _encode(_difference(original_u8, shown_u8, strength), high)
        if len(frame) <= room:
            weak, best = strength, frame if best is None or len(frame) > len(best) else best
        else:
            strong = strength
    if best is None:
        return None
    # Sizes jump where libwebp's segments change: some neighbour fills the gap, a little weaker at a quality that is too
    # good, or a little stronger at the one that fits.
    span = min(1.0, 2 * strong - weak) - weak
    tries = TRIES if original_u8[..., 0].size <= MEDIUM else TRIES // 2
    nearby = [(weak + k / (tries + 1) * span, high * (1 + k % 5 / 250)) for k in range(1, tries + 1)]
    nearby += [(1 + k / 200, max(low, 0.0) * (1 - k % 3 / 250)) for k in range(1, tries + 1)]
    for strength, quality in nearby:
        if len(best) >= enough:
            break
        frame = _encode(_difference(original_u8, shown_u8, strength), min(quality, BEST_QUALITY))
        if len(best) < len(frame) <= room:
            found = _error(original_u8, add_detail(shown_u8, frame))
            if found <= AS_GOOD * _error(original_u8, add_detail(shown_u8, best)):
                best = frame
    if len(best) >= wanted or original_u8[..., 0].size > MEDIUM:
        return best
    return _by_other_methods(original_u8, shown_u8, best, room, wanted)


def _by_other_methods(
    original_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], best: bytes, room: int, wanted: int
) -> bytes:
    """The first frame of at least `wanted` bytes, or the fullest; `best` where none is as good."""
    limit = AS_GOOD * _error(original_u8, add_detail(shown_u8, best))
    whole = _difference(original_u8, shown_u8, 1.0)
    for method in OTHER_METHODS:
        low, high = 0.0, BEST_QUALITY
        for _ in range(LAST_HALVINGS):
            at = (low + high) / 2
            frame = _encode(whole, at, method)
            if len(frame) > room:
                high = at
                continue
            low = at
            if len(frame) > len(best) and _error(original_u8, add_detail(shown_u8, frame)) <= limit:
                best = frame
            if len(best) >= wanted:
                return best
    return best


def add_detail(shown_u8: NDArray[np.uint8], frame: bytes) -> NDArray[np.uint8]:
    """What the tokens show (H, W, 3) with the difference added.

    Raises:
        as `open_detail`.
    """
    height, width = shown_u8.shape[:2]
    difference = open_detail(frame, height, width)
    out = np.empty_like(shown_u8)
    for top in range(0, height, BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        total = shown_u8[rows].astype(np.int16) + difference[rows] - CENTRE
        out[rows] = np.clip(total, 0, 255)
    return out


def open_detail(frame: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """The difference (H, W, 3) in a frame; 128 is none.

    Raises:
        Corrupt: the frame is of another size, or damaged.
        LimitExceeded: it has more pixels than the program allows Pillow.
        UsageError: the installed Pillow cannot read WebP.
    """
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != _START:
        raise Corrupt("expected detail as a VP8 key frame, found other bytes; the file is damaged")
    found = struct.unpack_from("<HH", frame, 6)  # the two highest bits of each are a scale, which must be 0
    if found != (width, height):
        raise Corrupt(
            f"expected detail of {width}x{height} pixels, found {found[0]}x{found[1]}; the file is damaged"
        )
    padded = frame + b"\0" * (len(frame) % 2)
    head = _RIFF.pack(b"RIFF", len(padded) + 12, b"WEBP", b"VP8 ", len(frame))
    if not features.check("webp"):
        raise UsageError(
            "expected a Pillow with WebP to show detail, found one without; install Pillow's wheel"
        )
    try:  # the plugin itself: Image.open would warn of sizes, and this one is known to be right
        with WebPImageFile(io.BytesIO(head + padded)) as opened:
            difference = np.asarray(opened.convert("RGB"))
    except MemoryError:
        raise
    except Image.DecompressionBombError:
        raise LimitExceeded(
            f"expected detail within this program's PIL.Image.MAX_IMAGE_PIXELS ({Image.MAX_IMAGE_PIXELS}), found "
            f"{width * height}; raise it"
        ) from None
    except Exception as fault:  # Pillow's decoder raises several kinds for damaged data
        text = " ".join(str(fault).split())
        raise Corrupt(f"expected detail as a VP8 frame, found: {text}; the file is damaged") from None
    return difference


def _error(original_u8: NDArray[np.uint8], found_u8: NDArray[np.uint8]) -> float:
    """Squared error of a pixel, of all channels together."""
    return float(region_distortions(original_u8, found_u8, 1).mean())


def _difference(
    original_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], strength: float
) -> NDArray[np.uint8]:
    out = np.empty_like(original_u8)
    for top in range(0, len(out), BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        here = original_u8[rows].astype(np.float32) - shown_u8[rows]
        out[rows] = np.clip(np.rint(strength * here) + CENTRE, 0, 255)
    return out


def _encode_at(
    original_u8: NDArray[np.uint8], shown_u8: NDArray[np.uint8], quality: float, strength: float
) -> bytes:
    return _encode(_difference(original_u8, shown_u8, strength), quality)


def _encode(difference_u8: NDArray[np.uint8], quality: float, method: int = METHOD) -> bytes:
    """The VP8 frame of a WebP file of one frame and nothing else."""
    buffer = io.BytesIO()
    Image.fromarray(difference_u8).save(buffer, "WEBP", quality=quality, method=method)
    data = buffer.getvalue()
    _, _, _, kind, length = _RIFF.unpack_from(data)
    assert kind == b"VP8 "
    return data[_RIFF.size : _RIFF.size + length]
