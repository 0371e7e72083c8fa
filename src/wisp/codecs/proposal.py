"""What a codec knows of a picture before it decides what to send."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import INVISIBLE, distortion_curve, latent_distortions, region_weights
from wisp.allocation.forecast import Forecast, blend, with_sight
from wisp.allocation.lagrange import Demand
from wisp.allocation.levels import level_curve
from wisp.allocation.roi import roi_weights
from wisp.codecs.choice_bits import depth_bits
from wisp.codecs.looking import NEARLY_ALL, Look, depths_around, looks, uniform_depths
from wisp.codecs.probes import probe, probe_depths
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.codecs.pyramid_networks import Analysed, analyse
from wisp.codecs.seeing import see
from wisp.codecs.taming import changed_regions, tame
from wisp.errors import ModelMismatch
from wisp.imaging import Picture, downscale_u8
from wisp.runtime import FORECAST_NAME, Bundle

Curve = NDArray[np.float64]  # (N + 1, rows, cols): of each region at every depth

QUALITY_LMBDA_AT_50 = 60.0  # weighted squared error per bit; about 0.1 bpp on ordinary photographs
QUALITY_DECADE = 30.0  # quality steps that change the price of a bit tenfold


@dataclass(frozen=True)
class AllocationSettings:
    """Numbers measured once per model and kept in its bundle.

    Attributes:
        masking: exponent of the contrast masking (wisp.allocation.benefit).
        level_gains: pixel distortion per unit of latent error, for each level.
        scale_bpp: the working scale is 1 / 2^s where s is how many of these rates (falling) are not reached.
        scale_pixels: for pictures of fewer pixels these rates fall with their side; 0: with none.
    """

    masking: float
    level_gains: tuple[float, ...]
    scale_bpp: tuple[float, ...]
    scale_pixels: float = 0.0

    def first_exponent(self, width: int, height: int, budget: int | None) -> int:
        """The exponent s of the working scale at which a budget in bytes, whole file, is tried first."""
        if budget is None:
            return 0
        pixels = width * height
        bpp = 8 * budget / pixels
        if pixels < self.scale_pixels:
            bpp *= (self.scale_pixels / pixels) ** 0.5
        exponent = sum(bpp < threshold for threshold in self.scale_bpp)
        while exponent and min(width, height) >> exponent < 32:
            exponent -= 1  # a picture of a region or less has nothing to gain from a smaller scale
        return exponent


@dataclass(frozen=True)
class Roi:
    """A region of interest: mask (h, w) uint8 of the picture's shape, and how much more an error weighs in it."""

    mask_u8: NDArray[np.uint8]
    strength: float


@dataclass(frozen=True)
class Proposal:
    """A picture analysed at one working scale, ready to be sent at any depth.

    The demand's bits are those of each group of the order, also if the pyramid is routed. `measured` are distortions
    like the demand's, by weighted squared error alone: what other errors and a price of bits may be compared with.
    """

    scale_exponent: int
    analysed: Analysed
    demand: Demand
    measured: NDArray[np.float64]


def propose(
    bundle: Bundle,
    model: PyramidEntropyModel,
    settings: AllocationSettings,
    picture: Picture,
    exponent: int,
    payload_bytes: int | None,
    roi: Roi | None,
    look: Look | None = None,
    search: bool = False,
) -> Proposal:
    """Analyse a picture at a working scale, and find what each group gains and costs in each region.

    What it gains is weighted squared error, measured, and what it looks like, foreseen if the model can. With `look`
    that is seen at some depths and not only foreseen, if the model has a network for it. With `search` tokens are found
    that go together, if the model can.
    """
    pixels = downscale_u8(picture.pixels_u8, exponent)
    analysed = analyse(bundle, pixels, search and bundle.can_search)
    shape = analysed.tokens.shape
    side, depths = shape.strides[0], probe_depths(shape, payload_bytes)
    as_it_is = analysed
    if not shape.routed:
        analysed = tame(bundle, pixels, analysed, depths[-1])
    weights = region_weights(pixels, settings.masking, side)
    mask = np.ones(())
    if roi is not None:
        mask = roi_weights(roi.mask_u8, picture.height, picture.width, side << exponent, roi.strength)
    bits = depth_bits(model, analysed)

    def proposed(curve: Curve, foreseen: Curve | None) -> Proposal:
        measured = distortions = curve * weights
        if foreseen is not None:
            distortions = blend(measured, foreseen, curve <= side**2 * INVISIBLE)
            if analysed is not as_it_is:  # photographs know nothing of such colours
                distortions = np.where(changed_regions(as_it_is, analysed), measured, distortions)
        return Proposal(
            exponent, analysed, Demand(distortions * mask, bits, model.grain_bits), measured * mask
        )

    foreseen = _forecast(bundle, shape.num_depths).distances(analysed.errors) if bundle.has_forecast else None
    can_look = bundle.can_look and not shape.routed
    full_scale = shape.num_regions << 2 * exponent  # regions; of fewer pixels there is less to decide
    worth_it = look is not None and looks(look.effort, full_scale, payload_bytes)
    if look is None or foreseen is None or not can_look or not worth_it:
        return proposed(_probed(bundle, settings, pixels, analysed, depths), foreseen)
    if look.sees_all:
        where = uniform_depths(tuple(range(1, shape.num_depths + 1)), shape.rows, shape.columns)
    elif (
        look.expected is None or analysed is not as_it_is
    ):  # what lies around a depth says nothing of it there
        if len(depths) == 1:  # and a lone look moves all depths alike
            return proposed(_probed(bundle, settings, pixels, analysed, depths), foreseen)
        where = uniform_depths(depths, shape.rows, shape.columns)
    else:
        unseen = latent_distortions(analysed.errors, settings.level_gains, side)
        about = look.expected(proposed(unseen, foreseen).demand)
        fits = payload_bytes is not None and bits.sum() <= 8 * payload_bytes
        if fits or (about == shape.num_depths).mean() >= NEARLY_ALL:  # then little is left to decide
            return proposed(_probed(bundle, settings, pixels, analysed, depths), foreseen)
        where = depths_around(about, shape.num_depths, look.effort)
    sight = see(bundle, pixels, analysed, where)
    # A quality's bits follow from squared errors, whatever the effort: of the usual probes alone.
    taken = [look.expected is not None or depth in depths for depth in where[:, 0, 0]]
    curve = distortion_curve(where[taken], sight.squares[taken], analysed.errors, settings.level_gains, side)
    return proposed(curve, with_sight(foreseen, where, sight.distances))


def _probed(
    bundle: Bundle,
    settings: AllocationSettings,
    pixels: NDArray[np.uint8],
    analysed: Analysed,
    depths: tuple[int, ...],
) -> Curve:
    """Squared errors at every depth, from those at the uniform depths `depths`."""
    shape = analysed.tokens.shape
    grains = uniform_depths(depths, shape.rows, shape.columns)
    found = [probe(bundle, pixels, analysed.at(grain)) for grain in grains]
    if shape.routed:
        return level_curve(dict(zip(depths, found, strict=True)), shape.strides[0])
    return distortion_curve(grains, np.stack(found), analysed.errors, settings.level_gains, shape.strides[0])


def _forecast(bundle: Bundle, num_depths: int) -> Forecast:
    num_errors = sum(groups + 1 for groups in bundle.config.groups)
    try:
        return Forecast(bundle.forecast_parts, num_errors, num_depths)
    except (KeyError, ValueError, TypeError) as fault:
        raise ModelMismatch(
            f"expected a forecast in {bundle.path(FORECAST_NAME)}, found {fault!r}; reinstall the model"
        ) from None


def lmbda_of_quality(quality: float) -> float:
    """0..100 -> what a bit costs, in weighted squared error; nothing at 100."""
    return 0.0 if quality >= 100 else QUALITY_LMBDA_AT_50 * 10 ** ((50 - quality) / QUALITY_DECADE)
