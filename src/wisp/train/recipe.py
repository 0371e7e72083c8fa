"""A recipe: the one file that rebuilds one released model."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from wisp.errors import UsageError
from wisp.train.latent_configs import GridConfig, VectorConfig

_T = TypeVar("_T")
STRIDES = (32, 16, 8, 4)
NOISE_SIZES = (2, 4, 8, 16)


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a token pyramid. Tuples run from the coarsest level to the finest.

    Attributes:
        strides: pixels per token along each axis: neighbours among 32, 16, 8, 4; a region is the coarsest.
        groups: ordered groups of codewords at each stride.
        codebook_size: codewords in a group: 256, as a token is a uint8; or 1024 with a routed grain, two tokens each.
        latent_channels: dimension of the latent, and of a codeword, at each stride.
        kinds: quantizer at each stride, "residual" or "product" (wisp.train.quantizer).
        widths: feature channels at 1/4, 1/8, ... of the picture's size, down to the coarsest stride.
        analysis_blocks: residual blocks at each of these sizes in the analysis transform.
        synthesis_blocks: the same in the synthesis transform.
        head: how the synthesis leaves 1/4 size: "smooth" (two steps, then a 5x5 convolution at full
            size) or "shuffle" (one 1x1 convolution and a pixel shuffle by 4; leaves a lattice, kept
            for comparison).
        grain: "map" (a depth for each region), "uniform" (one for the picture, at a share of the positions) or "routed"
            (one level for each region, with one codebook for all: wisp.train.routed_networks).
        codeword_bound: how many times as far as the nearest, in squared distance, a codeword may be for its price
            (wisp.train.quantizer); 0: any.
        noise: at which sizes, of 2, 4, 8 and 16, the synthesis has fixed noise to make texture of (wisp.train.noise).
        injection: of a routed model: finer grains enter the synthesis at their own stride. False is an ablation.
        same_contexts: the tables of a group see at most so many earlier groups of its own position, the
            nearest in the order; None: all of them. A table is 64 kB.
    """

    strides: tuple[int, ...] = (32, 16, 8)
    groups: tuple[int, ...] = (4, 4, 4)
    codebook_size: int = 256
    latent_channels: tuple[int, ...] = (32, 32, 32)
    kinds: tuple[str, ...] = ("residual", "residual", "product")
    widths: tuple[int, ...] = (64, 128, 192, 256)
    analysis_blocks: tuple[int, ...] = (1, 2, 2, 1)
    synthesis_blocks: tuple[int, ...] = (1, 3, 2, 1)
    head: str = "smooth"
    grain: str = "map"
    same_contexts: int | None = None
    injection: bool = True
    codeword_bound: float = 0.0
    noise: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        runs = [STRIDES[i:j] for i in range(len(STRIDES)) for j in range(i + 1, len(STRIDES) + 1)]
        if self.strides not in runs:
            raise UsageError(
                f"expected strides to be neighbours among {STRIDES}, coarsest first, found {self.strides}"
            )
        bound = self.codeword_bound
        if bound and (not 1 <= bound < math.inf or self.grain == "routed"):
            raise UsageError(
                f"expected codeword_bound to be 0, or from 1 with a model that is not routed, found {bound}"
            )
        if self.noise and self.grain == "routed":
            raise UsageError("expected no noise with a routed grain, found it; leave it out")
        known = [
            size for size in NOISE_SIZES if size < self.strides[0] and (size > 2 or self.head == "smooth")
        ]
        if type(self.noise) is not tuple or self.noise != tuple(s for s in known if s in self.noise):
            raise UsageError(
                f"expected noise = [2, 4], or other sizes of {known}, in order, found {self.noise}"
            )
        wanted = 1024 if self.grain == "routed" else 256
        if self.codebook_size != wanted:
            raise UsageError(
                f"expected codebook_size to be {wanted}, found {self.codebook_size}; a token is a byte, two if routed"
            )
        if self.grain == "routed" and (set(self.groups) != {1} or len(set(self.latent_channels)) != 1):
            raise UsageError(
                f"expected one group and as many channels at each stride of a routed model, found {self.groups}, "
                f"{self.latent_channels}; all levels share a codebook"
            )
        if self.grain == "routed" and self.strides[-1] != STRIDES[-1]:
            raise UsageError(
                f"expected strides down to {STRIDES[-1]} of a routed model, found {self.strides}"
            )
        if not len(self.widths) == len(self.analysis_blocks) == len(self.synthesis_blocks) == len(self.sizes):
            raise UsageError(
                f"expected widths and blocks for {self.sizes}, one entry a size, "
                f"found {self.widths}, {self.analysis_blocks}, {self.synthesis_blocks}"
            )
        for channels, slices in zip(self.latent_channels, self.slices, strict=False):
            if channels % slices:
                raise UsageError(
                    f"expected channels that {slices} product groups share equally, found {channels}"
                )
        if self.head not in ("smooth", "shuffle"):
            raise UsageError(f"expected head to be smooth or shuffle, found {self.head!r}")
        if self.grain not in ("map", "uniform", "routed"):
            raise UsageError(f"expected grain to be map, uniform or routed, found {self.grain!r}")
        if not set(self.kinds) <= {"residual", "product"}:
            raise UsageError(f"expected kinds to be residual or product, found {self.kinds}")
        if not len(self.groups) == len(self.latent_channels) == len(self.kinds) == len(self.strides):
            raise UsageError(
                f"expected one entry a stride, found {self.groups}, {self.latent_channels}, {self.kinds}"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Divisors of the picture's size at which the transforms have features, finest first: 4 to the coarsest."""
        return tuple(size for size in reversed(STRIDES) if size <= self.strides[0])

    @property
    def slices(self) -> tuple[int, ...]:
        """Into how many slices of equal importance to a codeword each level's channels fall: one a product group."""
        return tuple(
            count if kind == "product" else 1 for count, kind in zip(self.groups, self.kinds, strict=True)
        )

    @property
    def num_groups(self) -> int:
        """Length of the order: how many groups a region can be sent at most."""
        return sum(self.groups)

    @property
    def planes(self) -> tuple[int, ...]:
        """Tokens of each level's positions in a file: one for each group, or two for an index beyond a byte."""
        return tuple(count * (2 if self.codebook_size > 256 else 1) for count in self.groups)


@dataclass(frozen=True)
class DataConfig:
    """Crops: `batch_size` squares of `crop_size` pixels; a share is first reduced by up to `max_reduction`."""

    crop_size: int = 192
    batch_size: int = 8
    reduced_share: float = 0.35
    max_reduction: float = 2.0

    def __post_init__(self) -> None:
        if self.crop_size < 64 or self.crop_size % 64:
            raise UsageError(f"expected crop_size to be a multiple of 64 from 64, found {self.crop_size}")


@dataclass(frozen=True)
class StageConfig:
    """One leg of the training, with its own learning-rate arc.

    loss = mse_weight * mean over crops of (MSE / usual MSE at the crop's depth)
         + lattice_weight * mean over crops of (lattice power / usual MSE at the crop's depth)
         + colour_weight * mean over crops of (shift power / usual MSE at the crop's depth)   (wisp.train.colour_loss)
         + feature_weight * mean over crops of (feature distance / usual distance at the crop's depth)
         + fine_feature_weight * the same with VGG-19, on a window of half of the crops
         + commitment_weight * commitment
         + rate_weight * mean over crops of (bits / usual bits at the crop's depth)   (wisp.train.rate_term)
         + adversarial_weight * how little the critic takes the crops for photographs      (wisp.train.critic)

    Dividing by the usual (running mean) error of a depth is, to first order, optimising the mean of the logarithm,
    that is of PSNR over all depths; plain MSE would be ruled by the shallowest, and the fine levels would starve.

    Attributes:
        share: part of the recipe's minutes.
        learning_rate: peak; it warms up over the first 2 % and falls to `final_lr_ratio` by a cosine.
        analysis_rate: the rate of analysis transform, heads and contexts, as a share of it.
        quantized: False trains the transforms alone, for the first minutes: what a group can set is sent as it is
            or not at all, which is the whole level for residual codewords and a slice of channels for product ones.
        frozen_tokens: train the synthesis transform only, on unchanged tokens.
        pixel_critic: half of the critic's verdict is on pixels; of all stages with a critic, if of one.
        drawn_share: so many of the crops are shown a second time with tokens drawn from the prior where none were sent,
            for the critic alone (wisp.train.drawn_tokens), which has one mean over all; in runs from a bundle.
        codeword_price: what a bit costs when a codeword is chosen, in shares of the usual squared distance
            (wisp.train.quantizer); the handicaps stay when a later stage has no price.
    """

    name: str
    share: float
    learning_rate: float = 6e-4
    final_lr_ratio: float = 0.03
    analysis_rate: float = 1.0
    mse_weight: float = 0.3
    feature_weight: float = 0.0
    fine_feature_weight: float = 0.0
    lattice_weight: float = 0.0
    colour_weight: float = 0.0
    commitment_weight: float = 0.25
    rate_weight: float = 0.0
    adversarial_weight: float = 0.0
    pixel_critic: bool = False
    drawn_share: float = 0.0
    codeword_price: float = 0.0
    quantized: bool = True
    frozen_tokens: bool = False

    def __post_init__(self) -> None:
        if self.adversarial_weight and not self.feature_weight:
            raise UsageError(
                f"stage {self.name}: expected a feature_weight beside an adversarial_weight, found none; "
                "the critic looks at the features of that loss"
            )
        if self.pixel_critic and not self.adversarial_weight:
            raise UsageError(
                f"stage {self.name}: expected an adversarial_weight beside pixel_critic, found none; "
                "give one or leave pixel_critic out"
            )
        judged = self.adversarial_weight and self.frozen_tokens and self.quantized
        if not 0 <= self.drawn_share <= 1 or (self.drawn_share and not judged):
            raise UsageError(
                f"stage {self.name}: expected drawn_share from 0 to 1, with frozen_tokens and an adversarial_weight, "
                f"found {self.drawn_share}; give these or leave it out"
            )


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, but for the data folder, the minutes and the machine."""

    name: str
    model_number: int
    description: str = ""
    seed: int = 0
    weight_decay: float = 0.01
    ema_decay: float = 0.999
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    stages: tuple[StageConfig, ...] = ()


@dataclass(frozen=True)
class LatentRecipe:
    """As Recipe, for a codec of continuous latents: "latent_grid" or "latent_vector"."""

    name: str
    model_number: int
    codec: str
    description: str = ""
    seed: int = 0
    weight_decay: float = 0.0
    ema_decay: float = 0.999
    model: GridConfig | VectorConfig = field(default_factory=GridConfig)
    data: DataConfig = field(default_factory=DataConfig)
    stages: tuple[StageConfig, ...] = ()


AnyRecipe = Recipe | LatentRecipe
_LATENT_CONFIGS: dict[str, type[GridConfig | VectorConfig]] = {
    "latent_grid": GridConfig,
    "latent_vector": VectorConfig,
}


def _build(cls: type[_T], table: dict[str, Any], where: str) -> _T:
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"{where}: expected only {sorted(known)}, found {unknown}; remove or rename them")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})


def load_recipe(path: Path) -> AnyRecipe:
    """Read a recipe from a TOML file; one that names a `codec` is for continuous latents.

    Raises:
        UsageError: the file is missing, is not TOML, or holds a key or value that means nothing.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"expected a recipe at {path}, found nothing; recipes/ holds the released ones"
        ) from None
    except OSError as fault:
        raise UsageError(
            f"expected a recipe at {path}, found what cannot be read: {fault.strerror}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise UsageError(f"{path}: expected TOML, found {fault}") from None
    codec = table.get("codec")
    if codec is not None and codec not in _LATENT_CONFIGS:
        raise UsageError(f"{path}: expected codec to be one of {sorted(_LATENT_CONFIGS)}, found {codec!r}")
    shape: type[Any] = ModelConfig if codec is None else _LATENT_CONFIGS[codec]
    model = _build(shape, table.pop("model", {}), f"{path} [model]")
    data = _build(DataConfig, table.pop("data", {}), f"{path} [data]")
    stages = tuple(_build(StageConfig, s, f"{path} [[stage]]") for s in table.pop("stage", []))
    if not stages or abs(sum(s.share for s in stages) - 1) > 1e-6:
        raise UsageError(
            f"{path}: expected [[stage]] tables whose shares sum to 1, found {[s.share for s in stages]}"
        )
    for key in ("pixel_critic", "drawn_share"):
        if codec is not None and any(getattr(s, key) for s in stages):
            raise UsageError(f"{path}: expected no {key} with codec {codec!r}, found it; leave it out")
    kind: type[Any] = Recipe if codec is None else LatentRecipe
    recipe: AnyRecipe = _build(kind, {**table, "model": model, "data": data, "stages": stages}, str(path))
    return recipe
