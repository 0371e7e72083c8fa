"""What a bundle codes tokens with: integer tables always, a masked prior and a Huffman code if it has them."""

from __future__ import annotations

from functools import cached_property, partial

from wisp.codecs.grain_coding import ROUTED, UNIFORM
from wisp.codecs.huffman_entropy import LENGTHS, HuffmanEntropyModel
from wisp.codecs.masked_prior import MaskedPrior
from wisp.codecs.prior_entropy import PriorEntropyModel
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.container import HUFFMAN_VERSION, TABLES_VERSION, Header
from wisp.errors import ModelMismatch, UsageError
from wisp.runtime import Bundle


class BundleEntropy:
    """Entropy models of one bundle, each read when first needed."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @cached_property
    def entropy_model(self) -> PyramidEntropyModel:
        """The bundle's integer tables."""
        config = self.bundle.config
        return PyramidEntropyModel(
            self.bundle.tables, config.contexts, config.groups, config.strides, config.grain
        )

    @property
    def is_uniform(self) -> bool:
        """Whether one depth goes for the whole picture, instead of one for each region."""
        return self.bundle.config.grain == UNIFORM

    @property
    def is_routed(self) -> bool:
        """Whether a region is sent at one of the levels alone, instead of down to a depth."""
        return self.bundle.config.grain == ROUTED

    @cached_property
    def prior_model(self) -> PriorEntropyModel | None:
        """The bundle's masked prior on top of its tables; None if it has none."""
        if not self.bundle.has_prior:
            return None
        config = self.bundle.config
        parts, make = self.bundle.prior_parts, self.bundle.prior_network
        with_memory = partial(make, own_memory=True)
        prior = MaskedPrior(parts, make, config.strides, config.groups, with_memory)
        return PriorEntropyModel(self.entropy_model, prior, threads=self.bundle.threads)

    @cached_property
    def huffman_model(self) -> HuffmanEntropyModel:
        """The bundle's static Huffman code.

        Raises:
            ModelMismatch: it has none.
        """
        lengths = self.bundle.tables.get(LENGTHS)
        if lengths is None or not self.is_routed:
            raise ModelMismatch(
                f"expected a Huffman code in {self.bundle.folder}, found none; only control_gic has one"
            )
        return HuffmanEntropyModel(lengths, self.entropy_model.grain)

    def model_of(self, header: Header) -> PyramidEntropyModel | PriorEntropyModel | HuffmanEntropyModel:
        """What the tokens of a file are coded with.

        Raises:
            ModelMismatch: the bundle has no such thing.
        """
        if header.version == HUFFMAN_VERSION:
            return self.huffman_model
        if header.version == TABLES_VERSION:
            return self.entropy_model
        if self.prior_model is None:
            raise ModelMismatch(
                f"expected a bundle with a masked prior, which this file was coded with, found none in "
                f"{self.bundle.folder}; reinstall the model"
            )
        return self.prior_model

    def check_huffman(self, huffman: bool) -> None:
        """Refuse a Huffman code that the model does not have.

        Raises:
            UsageError: it has none.
        """
        if huffman and (not self.is_routed or LENGTHS not in self.bundle.tables):
            raise UsageError(
                f"expected a model with a Huffman code, found {self.bundle.config.name}; use control_gic, or leave "
                "huffman out"
            )
