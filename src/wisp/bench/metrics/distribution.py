"""FID and KID: how far two sets of pictures are apart, whatever belongs to what.

Both: lower is better, on 8-bit sRGB, with the features of the Inception network of the original FID (2048 numbers for
each crop). FID ranges from 0; source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local
Nash equilibrium", NeurIPS 2017, its performance measure. KID is about 0 for equal distributions and can be slightly
negative; source: Binkowski et al., "Demystifying MMD GANs", ICLR 2018, its kernel Inception distance. The sets are
crops of 256x256 without overlap, once from the picture's corner and once from 128 pixels further in, as is usual for
codecs since Mentzer et al., "High-fidelity generative image compression", NeurIPS 2020, appendix. FID of few crops is
biased upwards: compare only values of equally many, and trust it from some ten thousand on.

By torchmetrics; torch-fidelity brings the network and downloads its weights (91 MB).

    python -m wisp.bench.metrics.distribution ORIGINALS DECODED

prints both. Exit code 0, or one line on stderr and 2 for wrong usage and what cannot be had, 1 for anything else.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wisp.bench.metrics.metric import MetricUnavailable, Picture
from wisp.bench.metrics.package import import_package, with_download
from wisp.bench.pictures import picture_paths, read_picture
from wisp.bench.provenance import note
from wisp.errors import ImageError, UsageError, WispError

CROP_SIDE = 256
_INCEPTION_FEATURES = 2048
_KID_SUBSETS = 100
_KID_SUBSET_SIZE = 1000
_SEED = 0


@dataclass(frozen=True)
class DirectoryScores:
    """Two folders' distance.

    Attributes:
        fid: lower is better.
        kid, kid_deviation: mean and standard deviation over 100 random subsets of at most 1000 crops each.
        num_crops: in each folder.
        version: packages that decided the values.
    """

    fid: float
    kid: float
    kid_deviation: float
    num_crops: int
    version: str


def crops(picture_u8: Picture) -> Iterator[Picture]:
    """(H, W, 3) -> every (256, 256, 3) crop, of both grids, row by row."""
    for start in (0, CROP_SIDE // 2):
        tops, lefts = (range(start, side - CROP_SIDE + 1, CROP_SIDE) for side in picture_u8.shape[:2])
        for top, left in product(tops, lefts):
            yield picture_u8[top : top + CROP_SIDE, left : left + CROP_SIDE]


class _Given(nn.Module):
    """Stands where torchmetrics expects a network: the features are computed already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def directory_scores(
    originals_dir: Path, decoded_dir: Path, *, network: nn.Module | None = None
) -> DirectoryScores:
    """FID and KID of the pictures in `decoded_dir` against those in `originals_dir`.

    Args:
        originals_dir: folder of pictures.
        decoded_dir: folder of pictures of the same sizes; names do not matter.
        network: (1, 3, 256, 256) uint8 -> (1, F) features; None is Inception. With another network the values
            are no FID and KID and must not be called so.

    Raises:
        MetricUnavailable: a package or Inception's weights cannot be had.
        UsageError: a folder does not exist or holds no picture.
        ImageError: a picture cannot be read, or the folders do not give equally many crops, two at least.
    """
    fid_module = import_package("torchmetrics.image.fid", "torchmetrics")
    kid_module = import_package("torchmetrics.image.kid", "torchmetrics")
    version = f"torchmetrics {fid_module.version}"
    if network is None:
        version += f" torch-fidelity {import_package('torch_fidelity', 'torch-fidelity').version}"
        network = with_download(
            "Inception (torch-fidelity)",
            lambda: fid_module.module.FrechetInceptionDistance(feature=_INCEPTION_FEATURES).inception,
        )
    original, decoded = (_features(folder, network) for folder in (originals_dir, decoded_dir))
    num_crops = len(original)
    if num_crops != len(decoded) or num_crops < 2:
        raise ImageError(
            f"FID and KID: expected equally many crops of {CROP_SIDE} pixels in both folders and at least 2, found "
            f"{num_crops} and {len(decoded)}; give folders of the same pictures, large enough"
        )
    given = _Given(original.shape[1])
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # one says that KID keeps all features
        torch.manual_seed(_SEED)
        fid = fid_module.module.FrechetInceptionDistance(feature=given)
        kid = kid_module.module.KernelInceptionDistance(
            feature=given, subsets=_KID_SUBSETS, subset_size=min(_KID_SUBSET_SIZE, num_crops)
        )
        for metric in (fid, kid):
            metric.update(original, real=True)
            metric.update(decoded, real=False)
        mean, deviation = kid.compute()
        return DirectoryScores(float(fid.compute()), float(mean), float(deviation), num_crops, version)


@torch.inference_mode()
def _features(folder: Path, network: nn.Module) -> Tensor:
    """(crops, F) of all pictures in a folder."""
    found = [
        network(torch.tensor(crop).permute(2, 0, 1)[None].contiguous())
        for path in picture_paths(folder)
        for crop in crops(np.asarray(read_picture(path)))
    ]
    return torch.cat(found) if found else torch.empty(0, 0)


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m wisp.bench.metrics.distribution", description="FID and KID of two folders of pictures"
    )
    parser.add_argument("originals", type=Path, help="folder of originals")
    parser.add_argument("decoded", type=Path, help="folder of what was decoded, of the same sizes")
    options = parser.parse_args(argv)
    try:
        found = directory_scores(options.originals, options.decoded)
    except WispError as fault:
        what = "not available: " if isinstance(fault, MetricUnavailable) else ""
        note(f"FID and KID: {what}{fault}")
        return 2 if isinstance(fault, UsageError) else 1
    print(f"FID {found.fid:.4f}, lower is better")
    print(f"KID {found.kid:.6f}, deviation {found.kid_deviation:.6f}, lower is better")
    print(f"{found.num_crops} crops of {CROP_SIDE}x{CROP_SIDE} in each folder; {found.version}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
