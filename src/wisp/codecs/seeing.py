"""How far decoded regions look from the original, depth by depth.

Squared errors do not say it, and networks of features are other people's and large. A model may have a small network
of its own that has learned from them (train/distance_loop.py). A writer with time, from `--effort 6` on, decodes the
picture at every depth and looks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wisp.codecs.pyramid_networks import PROBE_HALO, synthesise_tiles
from wisp.errors import ModelMismatch
from wisp.imaging import pad_to_multiple
from wisp.runtime import Bundle, Network
from wisp.tokens.pyramid import TokenPyramid

EVERY_DEPTH_EFFORT = 6  # from here on
AT_ONCE = 1 << 19  # pixels that the network sees at once: bounds memory


def see(bundle: Bundle, pixels: NDArray[np.uint8], tokens: TokenPyramid) -> NDArray[np.float32]:
    """(N, rows, cols): how far each region looks from the original (H, W, 3) at depths 1..N; 0 for equal.

    Raises:
        ModelMismatch: the bundle's network gives something else than distances.
    """
    shape = tokens.shape
    stride = shape.strides[0]
    found = np.empty((shape.num_depths, shape.rows, shape.columns), np.float32)
    times = shape.num_depths
    with bundle.distance.repeated(times) as network, bundle.synthesis.repeated(times) as synthesis:
        for depth, seen in enumerate(found, 1):
            sent = replace(tokens, grain_map=np.full_like(tokens.grain_map, depth))
            for rows, columns, decoded in synthesise_tiles(bundle, sent, PROBE_HALO, synthesis):
                original = pad_to_multiple(pixels[rows, columns], stride)
                place = tuple(slice(span.start // stride, span.stop // stride) for span in (rows, columns))
                seen[place] = _distances(network, original, decoded, stride)
    return found


def how_far(bundle: Bundle, original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, cols) distances of regions of two pictures (H, W, 3) that are padded to whole regions.

    Raises:
        ModelMismatch: as `see`.
    """
    return _distances(bundle.distance, original, decoded, bundle.config.strides[0])


def _distances(
    network: Network, original: NDArray[np.uint8], decoded: NDArray[np.uint8], stride: int
) -> NDArray[np.float32]:
    """As `how_far`; in bands of AT_ONCE pixels, whose seams the network sees as edges of the picture."""
    height, width = original.shape[:2]
    step = max(1, AT_ONCE // (width * stride)) * stride
    bands = []
    for top in range(0, height, step):
        band = slice(top, min(top + step, height))
        out = network.run({"original": original[None, band], "decoded": decoded[None, band]})
        distances = out.get("distances")
        shape = (1, (band.stop - band.start) // stride, width // stride)
        if distances is None or distances.dtype != np.float32 or distances.shape != shape:
            found = {name: f"{value.dtype} {value.shape}" for name, value in out.items()}
            raise ModelMismatch(
                f"expected distances float32 {shape} from {network.path}, found {found}; reinstall the model"
            )
        if not (np.isfinite(distances) & (distances >= 0)).all():
            raise ModelMismatch(
                f"expected distances from 0 on from {network.path}, found others; reinstall the model"
            )
        bands.append(distances[0])
    return np.concatenate(bands)
