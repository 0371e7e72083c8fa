"""EXIF: which way up a picture is, and what of it may travel on.

Damaged EXIF never stops a picture from being read; it costs a note.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_PREFIX: Final = b"Exif\x00\x00"

# Tags that describe how the source file stores its pixels (TIFF 6.0 sections 3 to 22), or that repeat what is
# stored elsewhere (XMP 700, IPTC 33723, Photoshop 34377, ICC 34675). They are wrong in any other file.
_LAYOUT_TAGS: Final = frozenset(
    {*range(254, 269), 273, 274, *range(277, 282), 284, *range(288, 294), 297, 301, *range(317, 348)}
    | {*range(512, 522), *range(529, 533), 700, 33723, 34377, 34675}
)


def read_orientation(image: Image.Image, notes: list[str]) -> int:
    """The EXIF orientation of a loaded picture, 1 (upright) to 8; 1 if there is none or it is nonsense."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow's parser raises many kinds for damaged EXIF
        notes.append("the EXIF data is damaged: the picture is taken to be upright")
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def as_stored(displayed: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """View an upright array (H, W, ...) as the file stores it: writing to the view fills the upright array.

    The eight values are those of EXIF 2.3 section 4.6.4, tag 274.
    """
    match orientation:
        case 2:
            return displayed[:, ::-1]
        case 3:
            return displayed[::-1, ::-1]
        case 4:
            return displayed[::-1]
        case 5:
            return displayed.swapaxes(0, 1)
        case 6:
            return np.rot90(displayed, 1)
        case 7:
            return displayed[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(displayed, -1)
        case _:
            return displayed


def exif_to_keep(image: Image.Image, notes: list[str]) -> bytes | None:
    """The EXIF of a loaded picture as one TIFF block (it begins with II or MM), or None.

    Orientation is taken out, since it has been applied, and so is everything about the source file's layout,
    including its thumbnail. Camera, lens, times, place and maker notes stay.
    """
    try:
        found = image.getexif()
        kept = Image.Exif()
        for tag, value in found.items():
            if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                kept[tag] = _directory(found, tag)
            elif tag not in _LAYOUT_TAGS:
                kept[tag] = value
        return kept.tobytes().removeprefix(_PREFIX) if len(kept) else None
    except Exception:  # as above; and tags of a wrong type cannot be written again
        notes.append("the EXIF data is damaged and was dropped")
        return None


def _directory(found: Image.Exif, tag: int) -> dict[int, Any]:
    entries = dict(found.get_ifd(tag))
    if ExifTags.IFD.Interop in entries:
        entries[ExifTags.IFD.Interop] = dict(found.get_ifd(ExifTags.IFD.Interop))
    return entries
