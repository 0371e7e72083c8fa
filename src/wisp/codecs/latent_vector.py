"""A latent vector: follow one face through a generator that draws it from a few hundred numbers.

compress:    pixels -> the generator's square -> analysis -> z -> levels at the finest step that fits -> file
decompress:  file -> levels -> generator -> original size

The first approach of Generative Compression (Vineeth S 2020). Here the analysis network guesses the vector; looking for
a better one by gradients is the business of wisp.train.inversion, which writes files through `write_levels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.codecs.latent_file import (
    LatentPicture,
    array_of,
    check_version,
    latent_file,
    latent_header,
    levels_as_bytes,
    number_of,
    verify_latent,
    whole_number_of,
)
from wisp.container import Chunk, WispFile
from wisp.entropy.gaussian_levels import read_levels, write_levels
from wisp.entropy.gaussian_tables import NUM_SCALES
from wisp.entropy.latent_bytes import read_latent
from wisp.entropy.level_rows import LARGEST
from wisp.entropy.qsgd import QsgdVector, most
from wisp.errors import BudgetError, Corrupt, LimitExceeded, ModelMismatch, UsageError
from wisp.imaging import Picture, upscale_u8
from wisp.rate import Target
from wisp.runtime import Bundle

STEPS_PER_OCTAVE = 8
FIRST_STEP = 2.0**-4
NUM_STEPS = 128  # byte 0 of a payload below this is the index of a step
BEYOND = (
    16  # indices above the coarsest step of training, for budgets that need them; the generator is not told
)
PUBLISHED = 128  # byte 0 of a payload whose vector is coded as docs/latents.md says


@dataclass(frozen=True)
class VectorLatent:
    """What the generator is given.

    Attributes:
        values: (n,) float32.
        step: between neighbouring values; as the generator is told.
        checked: what the file's check covers.
    """

    values: NDArray[np.float32]
    step: float
    checked: bytes


def step_of(index: int) -> float:
    """2^(index / 8 - 4)."""
    return float(FIRST_STEP * 2 ** (index / STEPS_PER_OCTAVE))


class LatentVectorCodec:
    """Runs one bundle. Holds no state but the loaded model; safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.dimensions = whole_number_of(bundle, "dimensions", 1, 1 << 16)
        self.side = whole_number_of(bundle, "side", 32, 4096)
        self.finest = whole_number_of(bundle, "finest_step", 0, NUM_STEPS - 1)
        self.coarsest = whole_number_of(bundle, "coarsest_step", self.finest, NUM_STEPS - 1)
        self.usual_error = number_of(bundle, "usual_error", 1e-3, 255.0**2)

    @cached_property
    def scales(self) -> NDArray[np.int64]:
        """(n,) scale index of each dimension at step index 0.

        Raises:
            ModelMismatch: the bundle's are not such.
        """
        found = array_of(self.bundle, "scales", (self.dimensions,))
        if not ((found >= 0) & (found < 2 * NUM_SCALES)).all():
            raise ModelMismatch(
                f"expected scales below {2 * NUM_SCALES} in {self.bundle.folder}, found others; reinstall the model"
            )
        return found

    def scales_at(self, index: int) -> NDArray[np.int64]:
        """(n,) scale indices at a step: both count eighths of an octave, so a coarser step is a smaller scale."""
        shifted: NDArray[np.int64] = np.clip(self.scales - index, 0, NUM_SCALES - 1)
        return shifted

    @property
    def last_index(self) -> int:
        """The coarsest step that is written."""
        return min(self.coarsest + BEYOND, NUM_STEPS - 1)

    # ---- compress ----

    def compress(self, picture: Picture, target: Target, chunks: Sequence[Chunk] = ()) -> bytes:
        """The file with the analysis network's vector, at the finest step whose file fits.

        Raises:
            BudgetError: no file of that size exists; it carries the smallest size that works.
        """
        latent = self.analyse(self.square(picture.pixels_u8))
        budget = target.budget(picture.width, picture.height)
        if budget is None:
            assert target.quality is not None
            share = 1 - target.quality / 100
            return self.at_step(
                picture, latent, self.finest + round(share * (self.coarsest - self.finest)), chunks
            )
        return self.fit(picture, latent, budget, chunks)

    def fit(
        self, picture: Picture, latent: NDArray[np.floating], budget: int, chunks: Sequence[Chunk] = ()
    ) -> bytes:
        """A vector's file at the finest step that fits. Errors as `compress`."""
        first, last = self.finest, self.last_index
        while first < last:  # bytes fall as steps grow, but for a byte here and there
            middle = (first + last) // 2
            if len(self.at_step(picture, latent, middle, chunks)) <= budget:
                last = middle
            else:
                first = middle + 1
        data = self.at_step(picture, latent, first, chunks)
        if len(data) > budget:
            least = len(data)
            raise BudgetError(
                f"expected a budget of at least {least} bytes for this picture, found {budget}; ask for {least}",
                least,
            )
        return data

    def at_step(
        self, picture: Picture, latent: NDArray[np.floating], index: int, chunks: Sequence[Chunk] = ()
    ) -> bytes:
        """A vector's file at one step, each number at its nearest level."""
        levels = np.clip(np.rint(latent / step_of(index)), -LARGEST, LARGEST).astype(np.int16)
        return self.write_levels(picture, levels, index, chunks)

    def write_levels(
        self, picture: Picture, levels: NDArray[np.int16], index: int, chunks: Sequence[Chunk] = ()
    ) -> bytes:
        """The file of (n,) levels at a step."""
        payload = bytes([index]) + write_levels(levels, self.scales_at(index))
        header = latent_header(self.bundle, picture, 0, bool(chunks))
        return latent_file(header, chunks, payload, bytes([index]) + levels_as_bytes(levels))

    def write_published(self, picture: Picture, vector: bytes) -> bytes:
        """The file of a vector that is coded as docs/latents.md says, of QSGD and Elias codes for instance."""
        payload = bytes([PUBLISHED]) + vector
        return latent_file(latent_header(self.bundle, picture, 0, False), (), payload, payload)

    def square(self, pixels_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 -> (S, S, 3), the whole picture on the generator's square."""
        if pixels_u8.shape[:2] == (self.side, self.side):
            return pixels_u8
        image = Image.fromarray(np.ascontiguousarray(pixels_u8))
        return np.array(image.resize((self.side, self.side), Image.Resampling.LANCZOS))

    def analyse(self, square_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(S, S, 3) uint8 -> (n,) float32."""
        found = self.bundle.analysis.run({"image": square_u8[None]})["latent"][0]
        if found.shape != (self.dimensions,):
            raise ModelMismatch(
                f"expected {self.dimensions} numbers from {self.bundle.analysis.path}, found {found.shape}"
            )
        latent: NDArray[np.float32] = found
        return latent

    def domain_error(self, picture: Picture) -> float:
        """Squared error of the generator's drawing, over that which 99 of 100 training faces stay below."""
        square = self.square(picture.pixels_u8)
        shown = self.synthesise(self.analyse(square), step_of(self.finest))
        return float(np.square(shown.astype(np.float32) - square).mean()) / self.usual_error

    # ---- decompress ----

    def levels_of(self, file: WispFile) -> NDArray[np.int16]:
        """(n,) levels of a file that is coded in steps, unverified: of one that was just written."""
        index = file.payload[0]
        return read_levels(file.payload[1:], self.scales_at(index))[0]

    def decode(self, file: WispFile) -> VectorLatent:
        """Payload -> the vector, verified.

        Raises:
            Truncated: bytes are missing at the end.
            Corrupt: the payload is no vector of this model, or the check disagrees.
        """
        check_version(file)
        if file.header.scale_exponent:
            raise Corrupt(
                f"expected scale 0 with this model, found {file.header.scale_exponent}; the file is damaged"
            )
        index = file.payload[0]
        if index < NUM_STEPS:
            levels, length = read_levels(file.payload[1:], self.scales_at(index))
            checked = bytes([index]) + levels_as_bytes(levels)
            verify_latent(file, 1 + length, checked)
            step = step_of(index)
            return VectorLatent((levels * step).astype(np.float32), step, checked)
        if index != PUBLISHED:
            raise Corrupt(f"expected a step or {PUBLISHED}, found {index}; the file is damaged")
        try:
            vector = read_latent(file.payload[1:], max_length=self.dimensions)
        except (UsageError, LimitExceeded) as fault:  # scales of a model, or another number of dimensions
            raise Corrupt(f"expected a vector of this model, found: {fault}") from None
        verify_latent(file, len(file.payload), file.payload)
        if len(vector.levels) != self.dimensions:
            raise Corrupt(
                f"expected a vector of {self.dimensions} numbers, found {len(vector.levels)}; the file is damaged"
            )
        step = vector.norm / most(vector.bits) if isinstance(vector, QsgdVector) else vector.step
        return VectorLatent(vector.values(), step, file.payload)

    def reconstruct(self, file: WispFile) -> LatentPicture:
        """A file's picture. Errors as `decode`."""
        latent = self.decode(file)
        square = self.synthesise(latent.values, latent.step)
        confidence = np.ones((1, 1), np.float32)
        shown = upscale_u8(square, (file.header.height, file.header.width))
        return LatentPicture(shown, confidence, max(shown.shape[:2]))

    def synthesise(self, values: NDArray[np.float32], step: float) -> NDArray[np.uint8]:
        """(n,) float32 and the step it was rounded to -> (S, S, 3) uint8."""
        told = np.clip(step, step_of(self.finest), step_of(self.coarsest))
        feeds = {"latent": values[None], "log_step": np.log2([[told]]).astype(np.float32)}
        pixels: NDArray[np.uint8] = self.bundle.synthesis.run(feeds)["image"][0]
        return pixels
