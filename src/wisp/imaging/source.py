"""One kind of picture for the whole codec: 8-bit sRGB, upright, with notes on what had to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.errors import ImageError, UsageError, WispError
from wisp.imaging.arrays import EXPECTED_ARRAY, array_samples
from wisp.imaging.bands import Samples, is_grey, read_samples
from wisp.imaging.exif import exif_to_keep, read_orientation
from wisp.imaging.limits import DEFAULT_MAX_PIXELS, check_limit, check_size
from wisp.imaging.modes import check_mode, is_stored_deep, note_depth
from wisp.imaging.quiet import quiet_pillow
from wisp.imaging.wording import one_line

AlphaRule = Literal["white", "keep"]

_ALPHA_NOTE: Final = "transparent parts were composited on white"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture ready for the codec.

    Attributes:
        pixels_u8: uint8 (H, W, 3), sRGB, 0-255, upright, C-contiguous, read-only.
        greyscale: all three channels are equal everywhere.
        alpha_u8: uint8 (H, W), 0 transparent to 255 opaque, read-only; None if opaque or composited.
        exif: a TIFF block (begins with II or MM) without orientation; None if absent or not asked for.
        notes: one sentence for each thing that was changed and that the user may want to know.
    """

    pixels_u8: NDArray[np.uint8]
    greyscale: bool
    alpha_u8: NDArray[np.uint8] | None
    exif: bytes | None
    notes: tuple[str, ...]

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels_u8.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels_u8.shape[1])


def to_picture(
    image: Image.Image | NDArray[Any],
    *,
    alpha: AlphaRule = "white",
    keep_exif: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Picture:
    """Bring a Pillow image or an array to 8-bit sRGB.

    Args:
        image: a Pillow image of any mode but F (of an animation, the frame it stands at), or a uint8 or
            uint16 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). Arrays are taken to be sRGB. The pixels of
            a uint8 (H, W, 3) array are shared, not copied.
        alpha: "white" composites on white, "keep" returns alpha beside the pixels.
        keep_exif: return the EXIF, without orientation.
        max_pixels: largest width * height allowed; checked before the pixels are decoded.

    Raises:
        ImageError: empty, damaged, or of a kind whose range is not known (float, bool, NaN).
        LimitExceeded: more than `max_pixels` pixels.
        UsageError: an unknown `alpha`, or `max_pixels` below 1.
    """
    if alpha not in ("white", "keep"):
        raise UsageError(f"expected alpha 'white' or 'keep', found {alpha!r}; choose one of the two")
    check_limit(max_pixels)
    notes: list[str] = []
    if isinstance(image, Image.Image):
        return _from_pillow(image, alpha == "keep", keep_exif, max_pixels, notes)
    if isinstance(image, np.ndarray):
        return _from_array(image, alpha == "keep", max_pixels, notes)
    found = type(image).__name__  # type: ignore[unreachable]  # not every caller has a type checker
    raise ImageError(f"expected a Pillow image or {EXPECTED_ARRAY}, found {found}; convert it first")


def _from_array(array: NDArray[Any], keep_alpha: bool, max_pixels: int, notes: list[str]) -> Picture:
    array = np.asarray(array)  # subclasses, such as np.matrix, index otherwise
    samples = array_samples(array, max_pixels, notes)
    if samples.ndim == 2:
        grey = np.repeat(samples[:, :, None], 3, axis=2)
        return _picture(Samples(grey, True, None, False), None, notes)
    if samples.shape[2] == 4:
        image = Image.fromarray(np.ascontiguousarray(samples))
        return _picture(read_samples(image, 1, keep_alpha, notes), None, notes)
    pixels = np.ascontiguousarray(samples).view()
    return _picture(Samples(pixels, is_grey(pixels), None, False), None, notes)


def _from_pillow(
    image: Image.Image, keep_alpha: bool, keep_exif: bool, max_pixels: int, notes: list[str]
) -> Picture:
    check_size(image.height, image.width, max_pixels)
    check_mode(image.mode)
    with quiet_pillow():
        try:
            _note_frames(image, notes)
            stored_deep = is_stored_deep(image)
            image.load()
            check_size(image.height, image.width, max_pixels)  # icon files learn their size only now
            check_mode(image.mode)
            note_depth(image, stored_deep, notes)
            orientation = read_orientation(image, notes)
            samples = read_samples(image, orientation, keep_alpha, notes)
            exif = exif_to_keep(image, notes) if keep_exif else None
        except WispError:
            raise
        except MemoryError as error:
            raise ImageError(
                f"expected a picture that fits in memory, found {image.width}x{image.height} pixels; "
                "scale it down"
            ) from error
        except Exception as error:  # Pillow's decoders raise a dozen kinds for damaged data
            raise ImageError(
                f"expected pixels that can be decoded, found damaged data ({one_line(error)}); "
                "try another copy of the picture"
            ) from error
    return _picture(samples, exif, notes)


def _note_frames(image: Image.Image, notes: list[str]) -> None:
    try:
        frames = int(getattr(image, "n_frames", 1))
        current = image.tell()
    except Exception:  # a later frame is damaged; the first may well be whole
        notes.append("only the first frame is used, and later ones are damaged")
        return
    if frames > 1:
        notes.append(f"only frame {current + 1} of {frames} is used")


def _picture(samples: Samples, exif: bytes | None, notes: list[str]) -> Picture:
    if samples.translucent and samples.alpha_u8 is None:
        notes.append(_ALPHA_NOTE)
    samples.pixels_u8.flags.writeable = False
    if samples.alpha_u8 is not None:
        samples.alpha_u8.flags.writeable = False
    return Picture(samples.pixels_u8, samples.greyscale, samples.alpha_u8, exif, tuple(dict.fromkeys(notes)))
