"""Principal components of faces as a codec: the floor that every latent of faces must pass.

Components of training faces (Turk and Pentland 1991), coefficients in uniform steps, range coded under the Gaussians
that the training faces have; the finest step that fits. It is charged the bytes that a wisp file of a latent vector
has beside its levels.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.codec import AbstractCodec, Encoded, Unreachable
from wisp.entropy.gaussian_levels import nearest_scale, write_levels
from wisp.entropy.gaussian_tables import NUM_SCALES
from wisp.entropy.level_rows import LARGEST
from wisp.errors import UsageError
from wisp.train.dataset import load_photographs

COMPONENTS = 400
FACES = 2000
OVERHEAD = 9  # bytes: header, index of the step, check
STEPS_PER_OCTAVE = 8
FIRST_STEP, NUM_STEPS = 8.0, 96  # coefficients are in grey levels


class EigenfaceCodec(AbstractCodec):
    """Fitted to a folder of faces of one size; codes pictures of that size."""

    def __init__(self, faces: Path) -> None:
        """
        Raises:
            UsageError: the faces are of several sizes, or too few.
        """
        pictures = load_photographs(faces, 1, FACES)
        self.shape = pictures[0].shape
        if len(pictures) <= COMPONENTS or {p.shape for p in pictures} != {self.shape}:
            raise UsageError(f"expected more than {COMPONENTS} faces of one size under {faces}, found others")
        rows = np.stack(pictures).reshape(len(pictures), -1).astype(np.float32)
        self.mean = rows.mean(0)
        rows -= self.mean
        values, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64))
        leading = np.argsort(values)[::-1][:COMPONENTS]
        components = vectors[:, leading].T.astype(np.float32) @ rows
        self.components = components / np.linalg.norm(components, axis=1, keepdims=True)
        self.spreads = np.sqrt(values[leading] / len(rows))
        self._digest = hashlib.sha256(self.mean.tobytes()).hexdigest()[:12]

    @property
    def name(self) -> str:
        return "pca"

    @property
    def version(self) -> str:
        return f"{COMPONENTS} components of {FACES} faces {self._digest}"

    def fit(self, image: Image.Image, budget_num_bytes: int) -> Encoded | Unreachable:
        pixels = np.asarray(image.convert("RGB"))
        if pixels.shape != self.shape:
            raise UsageError(f"expected a face of shape {self.shape}, found {pixels.shape}")
        coefficients = self.components @ (pixels.reshape(-1).astype(np.float32) - self.mean)
        first, last = 0, NUM_STEPS - 1
        while first < last:
            middle = (first + last) // 2
            if self._num_bytes(coefficients, middle) <= budget_num_bytes:
                last = middle
            else:
                first = middle + 1
        found = self._num_bytes(coefficients, first)
        if found > budget_num_bytes:
            return Unreachable(found)
        levels = self._levels(coefficients, first)
        # the mean of a Gaussian inside a wide interval is nearer to zero: shrink as its variance says
        step = _step(first)
        shrink = self.spreads**2 / (self.spreads**2 + step**2 / 12)
        flat = self.mean + (levels * step * shrink).astype(np.float32) @ self.components
        shown = np.clip(np.rint(flat), 0, 255).astype(np.uint8).reshape(self.shape)
        return Encoded(found, Image.fromarray(shown), f"step={step:.4g}")

    def _levels(self, coefficients: NDArray[np.floating], index: int) -> NDArray[np.int16]:
        return np.clip(np.rint(coefficients / _step(index)), -LARGEST, LARGEST).astype(np.int16)

    def _num_bytes(self, coefficients: NDArray[np.floating], index: int) -> int:
        scales = np.array([nearest_scale(max(s / _step(index), 1e-3)) for s in self.spreads])
        assert scales.max() < NUM_SCALES
        return OVERHEAD + len(write_levels(self._levels(coefficients, index), scales))


def _step(index: int) -> float:
    return FIRST_STEP * 2 ** (index / STEPS_PER_OCTAVE)
