"""Masks and maps that callers hand in: one grey plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.errors import UsageError


def to_plane(plane: Image.Image | NDArray[Any], what: str) -> NDArray[np.uint8]:
    """A PIL image, or an array (H, W) of uint8 or bool -> (H, W) uint8; `what` names it in messages.

    Raises:
        UsageError: an array of another kind or shape.
    """
    if isinstance(plane, Image.Image):
        return np.asarray(plane.convert("L"))
    array = np.asarray(plane)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype != np.uint8 or array.ndim != 2:
        raise UsageError(f"expected a {what} as uint8 or bool (H, W), found {array.dtype} {array.shape}")
    return array
