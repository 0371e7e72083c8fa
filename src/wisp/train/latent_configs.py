"""Shapes of the codecs with continuous latents: a grid of channels, and one vector."""

from __future__ import annotations

from dataclasses import dataclass

from wisp.errors import UsageError


@dataclass(frozen=True)
class GridConfig:
    """Shape of a latent grid at stride 8 whose channels are ordered by importance.

    Attributes:
        channels: of the latent.
        rates: how many of them are sent, rising; the last is `channels`. Training drops the others at random, so that
            one network serves all rates, and any number between.
        widths: feature channels at 1/4 and 1/8 of the picture's size.
        analysis_blocks, synthesis_blocks: residual blocks at these sizes.
    """

    channels: int = 28
    rates: tuple[int, ...] = (2, 4, 8, 16, 28)
    widths: tuple[int, int] = (48, 96)
    analysis_blocks: tuple[int, int] = (1, 1)
    synthesis_blocks: tuple[int, int] = (1, 2)

    @property
    def position(self) -> int:
        """Pixels along each side of a position of the latent."""
        return 8

    @property
    def numbers(self) -> int:
        """Of a position."""
        return self.channels

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip((0, *self.rates), self.rates, strict=False))
        if not self.rates or not rising or self.rates[-1] != self.channels:
            raise UsageError(f"expected rates that rise to {self.channels} channels, found {self.rates}")


@dataclass(frozen=True)
class VectorConfig:
    """Shape of a generator of square pictures from one vector, and of the analysis that guesses the vector.

    Attributes:
        dimensions: of the latent.
        side: pixels along each side, a multiple of 32.
        widths: feature channels at 1/4, 1/8 and 1/16 of the side.
        analysis_blocks, synthesis_blocks: residual blocks at these sizes.
        seed_channels: channels of the 1/32 grid between the vector and the convolutions.
        steps: smallest and largest quantisation step that training sees.
    """

    dimensions: int = 320
    side: int = 128
    widths: tuple[int, int, int] = (64, 96, 112)
    analysis_blocks: tuple[int, int, int] = (1, 1, 1)
    synthesis_blocks: tuple[int, int, int] = (2, 2, 2)
    seed_channels: int = 40
    steps: tuple[float, float] = (0.25, 8.0)

    def __post_init__(self) -> None:
        sizes = (self.dimensions, self.side, self.seed_channels, *self.widths)
        counts = (*self.analysis_blocks, *self.synthesis_blocks)
        if not all(type(n) is int and n >= 1 for n in sizes) or not all(
            type(n) is int and n >= 0 for n in counts
        ):
            raise UsageError(f"expected whole numbers as sizes and blocks, found {sizes}, {counts}")
        if not len(self.widths) == len(self.analysis_blocks) == len(self.synthesis_blocks) == 3:
            raise UsageError(f"expected three widths, and blocks for each, found {self.widths}, {counts}")
        if self.side % 32 or self.side < 32:
            raise UsageError(f"expected a side that is a multiple of 32, found {self.side}")
        if len(self.steps) != 2 or not 0 < self.steps[0] < self.steps[1]:
            raise UsageError(f"expected a smaller and a larger step, found {self.steps}")

    @property
    def position(self) -> int:
        """Pixels along each side of the latent's one position."""
        return self.side

    @property
    def numbers(self) -> int:
        """Of it."""
        return self.dimensions

    @property
    def seed_side(self) -> int:
        """Positions along each side of the 1/32 grid."""
        return self.side // 32
