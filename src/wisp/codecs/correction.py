"""What a moved region lacks: the difference to the frame as quantized cosine coefficients.

    difference -> brightness 8x8, two colours at half size 8x8 -> DCT -> whole levels of one step -> pixels

Everything from levels to pixels is in whole numbers, so that equal levels give equal pixels everywhere; the matrix is
that of the 8x8 transform of ITU-T H.265 (section 8.6.4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 8
NUM_STEPS = 32
LARGEST = 2047  # magnitude of a level
_MANTISSAS = (16, 19, 23, 27)  # of a step, in sixteenths of a grey level
_SOFTNESS = 7  # an edge may move by the step in sixteenths, shifted by so much: an eighth of a step
_ROUNDING = 0.2  # a level needs 0.8 of a step more: cheaper by more than it is worse
_SHIFT = 19  # of the two passes of the matrix (2 x 7.5 bits) and the sixteenths (4 bits)
_ODD = ((89, 75, 50, 18), (75, -18, -89, -50), (50, -89, 18, 75), (18, -50, 75, -89))
_EVEN = ((64, 64, 64, 64), (83, 36, -36, -83), (64, -64, -64, 64), (36, -83, 83, -36))


def _matrix() -> NDArray[np.int64]:
    rows = []
    for number in range(BLOCK):
        half = (_ODD if number % 2 else _EVEN)[number // 2]
        sign = -1 if number % 2 else 1
        rows.append([*half, *(sign * part for part in reversed(half))])
    return np.array(rows, np.int64)


MATRIX = _matrix()
ZIGZAG: NDArray[np.intp] = np.array(
    sorted(range(BLOCK * BLOCK), key=lambda i: (i // 8 + i % 8, i % 8 if (i // 8 + i % 8) % 2 else i // 8)),
    np.intp,
)


@dataclass(frozen=True, eq=False)
class Correction:
    """Levels of all blocks of a frame, padded to whole regions; zero where nothing is corrected.

    Attributes:
        step: index, 0..31; the step is 2^(step / 4) grey levels, for colours half as much again.
        luma: (h / 8, w / 8, 64) int16 in zigzag order.
        chroma: (h / 16, w / 16, 2, 64) int16, bluish and reddish.
    """

    step: int
    luma: NDArray[np.int16]
    chroma: NDArray[np.int16]

    def touched(self) -> NDArray[np.bool_]:
        """(h / 16, w / 16): where any level is not 0."""
        luma = (self.luma != 0).any(-1)
        rows, columns = luma.shape
        quarters = luma.reshape(rows // 2, 2, columns // 2, 2).any((1, 3))
        return np.asarray(quarters | (self.chroma != 0).any((-1, -2)))


def nearest_step(size: float) -> int:
    """The index whose step in grey levels is nearest to a positive size."""
    sizes = np.array([step_size(index) / 16 for index in range(NUM_STEPS)])
    return int(np.abs(np.log(sizes / size)).argmin())


def step_size(index: int) -> int:
    """A step in sixteenths of a grey level."""
    return _MANTISSAS[index % 4] << index // 4


def quantize(difference: NDArray[np.float32], step: int) -> Correction:
    """The levels of a difference (h, w, 3), h and w multiples of 16."""
    height, width = difference.shape[:2]
    brightness = difference @ np.array([0.299, 0.587, 0.114], np.float32)
    colours = np.stack(
        [0.564 * (difference[..., 2] - brightness), 0.713 * (difference[..., 0] - brightness)], 0
    )
    halved = colours.reshape(2, height // 2, 2, width // 2, 2).mean((2, 4))
    size = step_size(step) / 16
    luma = _levels(brightness, size)
    chroma = np.stack([_levels(plane, size * 1.5) for plane in halved], 2)
    return Correction(step, luma, chroma)


def _levels(plane: NDArray[np.float32], size: float) -> NDArray[np.int16]:
    matrix = (MATRIX / 2**7.5).astype(np.float32)
    found = matrix @ _split(plane) @ matrix.T / size
    levels = np.sign(found) * np.floor(np.abs(found) + np.float32(_ROUNDING))
    flat = np.clip(levels, -LARGEST, LARGEST).reshape(*levels.shape[:2], BLOCK * BLOCK)
    ordered: NDArray[np.int16] = flat[..., ZIGZAG].astype(np.int16)
    return ordered


def pixels_of(correction: Correction) -> NDArray[np.int32]:
    """(h, w, 3): what is to be added to red, green and blue."""
    size = step_size(correction.step)
    brightness = _plane(correction.luma, size)
    blue, red = (
        _plane(correction.chroma[:, :, part], size * 3 // 2).repeat(2, 0).repeat(2, 1) for part in (0, 1)
    )
    channels = [
        brightness + (359 * red + 128 >> 8),
        brightness - (88 * blue + 183 * red + 128 >> 8),
        brightness + (454 * blue + 128 >> 8),
    ]
    return np.stack(channels, -1)


def _plane(levels: NDArray[np.int16], size: int) -> NDArray[np.int32]:
    """(rows, columns, 64) levels -> (8 rows, 8 columns)."""
    rows, columns = levels.shape[:2]
    found = np.zeros((rows, BLOCK, columns, BLOCK), np.int32)
    for row in np.flatnonzero(levels.any((1, 2))):
        blocks = np.empty((columns, BLOCK * BLOCK), np.int64)
        blocks[:, ZIGZAG] = levels[row]
        square = size * blocks.reshape(columns, BLOCK, BLOCK)
        pixels = (MATRIX.T @ square @ MATRIX + (1 << _SHIFT - 1)) >> _SHIFT
        found[row] = pixels.swapaxes(0, 1)
    return found.reshape(rows * BLOCK, columns * BLOCK)


def _split(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) -> (h / 8, w / 8, 8, 8)."""
    height, width = plane.shape
    return plane.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2)


def add_correction(shown_u8: NDArray[np.uint8], correction: Correction) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 with a correction of that size, padded, added and the edges of its blocks softened."""
    height, width = shown_u8.shape[:2]
    rows, columns = (BLOCK * count for count in correction.luma.shape[:2])
    padded = np.pad(shown_u8, ((0, rows - height), (0, columns - width), (0, 0)), "edge")
    added = np.clip(padded + pixels_of(correction), 0, 255)
    _soften_edges(added, correction)
    out: NDArray[np.uint8] = added[:height, :width].astype(np.uint8)
    return out


def _soften_edges(pixels: NDArray[np.int32], correction: Correction) -> None:
    """Soften (h, w, 3) in place, across rows first, at edges of blocks one of which has levels of brightness.

    Of pixels a b | c d across an edge, b and c come nearer by (3 (c - b) + a - d) / 8, at most by an eighth of a step:
    what a step can have torn, and no more. They stay between what they were.
    """
    filled = (correction.luma != 0).any(-1)
    most = max(step_size(correction.step) >> _SOFTNESS, 1)
    for axis in (0, 1):
        lines, blocks = pixels.swapaxes(0, axis), filled.swapaxes(0, axis)  # views: edges run across
        beside = (blocks[1:] | blocks[:-1]).repeat(BLOCK, 1)[..., None]
        a, b, c, d = (lines[first::BLOCK][: len(beside)] for first in range(BLOCK - 2, BLOCK + 2))
        nearer = np.clip((3 * (c - b) + a - d + 4) >> 3, -most, most) * beside
        nearer = np.where(
            np.sign(nearer) == np.sign(c - b),
            np.sign(nearer) * np.minimum(np.abs(nearer), np.abs(c - b) >> 1),
            0,
        )
        b += nearer
        c -= nearer
