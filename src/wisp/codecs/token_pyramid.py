"""The token pyramid codec: follow one photograph through it.

compress:    pixels -> [working scale] -> analysis -> tokens -> grain map -> payload -> file
decompress:  file -> payload -> grain map, tokens -> synthesis -> [original scale] -> pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.benefit import distortion_curve, region_weights
from wisp.allocation.lagrange import Demand, choose_depths
from wisp.allocation.roi import check_roi, roi_weights
from wisp.codecs.masked_prior import MaskedPrior
from wisp.codecs.partial_reading import read_partial
from wisp.codecs.prior_budget import fit_budget, with_savings
from wisp.codecs.prior_entropy import PriorEntropyModel
from wisp.codecs.probes import probe, probe_depths
from wisp.codecs.proposal import AllocationSettings, Proposal, Roi
from wisp.codecs.pyramid_entropy import PyramidEntropyModel
from wisp.codecs.pyramid_networks import analyse, synthesise
from wisp.codecs.uniform_file import check_keep, uniform_file
from wisp.container import PRIOR_VERSION, Chunk, Header, WispFile, pack_file, pack_header, token_check
from wisp.errors import BudgetError, Corrupt, ModelMismatch, Truncated, UsageError
from wisp.imaging import MAX_EXPONENT, Picture, downscale_u8, upscale_u8
from wisp.rate import Target
from wisp.runtime import Bundle
from wisp.tokens.pyramid import PyramidShape, TokenPyramid

QUALITY_LMBDA_AT_50 = 60.0  # weighted squared error per bit; about 0.1 bpp on ordinary photographs
QUALITY_DECADE = 30.0  # quality steps that change the price of a bit tenfold


class TokenPyramidCodec:
    """Runs one bundle. Holds no state but the loaded model; safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        table = bundle.config.allocation
        try:
            self.settings = AllocationSettings(
                float(table["masking"]),
                tuple(float(gain) for gain in table["level_gains"]),
                tuple(float(rate) for rate in table["scale_bpp"]),
            )
            if len(self.settings.level_gains) != len(bundle.config.groups):
                raise ValueError(f"{len(self.settings.level_gains)} level_gains")
        except (KeyError, TypeError, ValueError) as fault:
            raise ModelMismatch(f"expected allocation numbers in {bundle.folder}, found {fault!r}") from None

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
        return self.bundle.config.grain == "uniform"

    @cached_property
    def prior_model(self) -> PriorEntropyModel | None:
        """The bundle's masked prior on top of its tables; None if it has none."""
        if not self.bundle.has_prior:
            return None
        config = self.bundle.config
        parts, make = self.bundle.prior_parts, self.bundle.prior_network
        prior = MaskedPrior(parts, make, config.strides, config.groups)
        return PriorEntropyModel(self.entropy_model, prior)

    def _model_of(self, header: Header) -> PyramidEntropyModel | PriorEntropyModel:
        if not header.uses_prior:
            return self.entropy_model
        if self.prior_model is None:
            raise ModelMismatch(
                f"expected a bundle with a masked prior, which this file was coded with, found none in "
                f"{self.bundle.folder}; reinstall the model"
            )
        return self.prior_model

    # ---- compress ----

    def compress(
        self,
        picture: Picture,
        target: Target,
        chunks: Sequence[Chunk] = (),
        roi: Roi | None = None,
        keep: float | None = None,
    ) -> bytes:
        """The file; `keep` is the share of the positions that a model of uniform grain sends.

        Raises:
            BudgetError: no file of that size exists; it carries the smallest size that works.
            UsageError: the mask does not fit the picture, or the model's grain does not allow mask or share.
        """
        kept = check_keep(keep, self.is_uniform)
        if roi is not None:
            if self.is_uniform:
                raise UsageError(
                    "expected no mask with a model of uniform grain; leave it out, or use wisp_small"
                )
            check_roi(roi.mask_u8, picture.height, picture.width, roi.strength)
        budget = target.budget(picture.width, picture.height)
        smallest = 1 << 62
        for exponent in range(self._first_exponent(picture, budget), MAX_EXPONENT + 1):
            header = self.header(picture, exponent, bool(chunks))
            overhead = len(pack_file(header, chunks, b"\0", 0)) - 1
            payload_bytes = None if budget is None else budget - overhead
            if self.is_uniform:
                write = partial(self.write_shorter, header=header, chunks=chunks)
                data = uniform_file(self, picture, exponent, kept, target, payload_bytes, write)
            else:
                proposal = self.propose(picture, exponent, payload_bytes, roi)
                data = self._code(proposal, target, budget, overhead, header, chunks)
            if budget is None or len(data) <= budget:
                return data
            smallest = min(smallest, len(data))
        raise BudgetError(
            f"expected a budget of at least {smallest} bytes for this picture, found {budget}; ask for {smallest}",
            smallest,
        )

    def _code(
        self,
        proposal: Proposal,
        target: Target,
        budget: int | None,
        overhead: int,
        header: Header,
        chunks: Sequence[Chunk],
    ) -> bytes:
        """The better of a file coded with the prior, if there is one, and a file coded with the tables."""
        with_prior: bytes | None = None
        if self.prior_model is not None:
            with_prior, is_better = self._code_with_prior(
                proposal, target, budget, overhead, replace(header, version=PRIOR_VERSION), chunks
            )
            if is_better:
                return with_prior
        if budget is None:
            data = self._write(proposal, self._choose(proposal, target), header, chunks)
        else:
            _, data = fit_budget(
                proposal.demand,
                budget,
                overhead,
                lambda depths: self._write(proposal, depths, header, chunks),
            )
        if with_prior is not None and len(with_prior) < len(data) and (budget is None or len(data) > budget):
            return with_prior
        return data

    def _code_with_prior(
        self,
        proposal: Proposal,
        target: Target,
        budget: int | None,
        overhead: int,
        header: Header,
        chunks: Sequence[Chunk],
    ) -> tuple[bytes, bool]:
        """A file coded with the prior, and whether it fits and the tables would need more for the same tokens."""
        assert self.prior_model is not None
        demand = with_savings(proposal.demand, self.prior_model.prior.savings)
        if budget is None:
            depths = self._choose(proposal, target)
            data = self._write(proposal, depths, header, chunks)
        else:
            depths, data = fit_budget(
                demand, budget, overhead, lambda depths: self._write(proposal, depths, header, chunks)
            )
            if len(data) > budget:
                return data, False
        tables_bits = proposal.demand.total_bits(depths, proposal.demand.cumulative_bits())
        return data, 8 * (len(data) - overhead) <= tables_bits

    def _first_exponent(self, picture: Picture, budget: int | None) -> int:
        if budget is None:
            return 0
        bpp = 8 * budget / (picture.width * picture.height)
        exponent = sum(bpp < threshold for threshold in self.settings.scale_bpp)
        while exponent and min(picture.width, picture.height) >> exponent < 32:
            exponent -= 1  # a picture of a region or less has nothing to gain from a smaller scale
        return exponent

    def header(self, picture: Picture, exponent: int, has_chunks: bool) -> Header:
        """Of a file of version 0."""
        return Header(
            model_number=self.bundle.config.model_number,
            width=picture.width,
            height=picture.height,
            greyscale=picture.greyscale,
            scale_exponent=exponent,
            has_chunks=has_chunks,
        )

    def propose(
        self, picture: Picture, exponent: int, payload_bytes: int | None, roi: Roi | None
    ) -> Proposal:
        """Analyse a picture at a working scale, and measure what each group gains and costs in each region."""
        pixels = downscale_u8(picture.pixels_u8, exponent)
        analysed = analyse(self.bundle, pixels)
        shape = analysed.tokens.shape
        side = shape.strides[0]
        weights = region_weights(pixels, self.settings.masking, side)
        if roi is not None:
            mask = roi.mask_u8
            weights *= roi_weights(mask, picture.height, picture.width, side << exponent, roi.strength)
        probes = {}
        for depth in probe_depths(shape, payload_bytes):
            grain = np.full((shape.rows, shape.columns), depth, np.uint8)
            probes[depth] = probe(self.bundle, pixels, replace(analysed.tokens, grain_map=grain))
        curve = distortion_curve(probes, analysed.errors, self.settings.level_gains, side) * weights
        bits = self.entropy_model.token_bits(analysed.tokens)
        return Proposal(exponent, analysed, Demand(curve, bits, self.entropy_model.grain_bits))

    def _choose(self, proposal: Proposal, target: Target) -> NDArray[np.uint8]:
        assert target.quality is not None
        if target.quality >= 100:
            lmbda = 0.0
        else:
            lmbda = QUALITY_LMBDA_AT_50 * 10 ** ((50 - target.quality) / QUALITY_DECADE)
        return choose_depths(proposal.demand, proposal.demand.cumulative_bits(), lmbda)

    def _write(
        self, proposal: Proposal, depths: NDArray[np.uint8], header: Header, chunks: Sequence[Chunk]
    ) -> bytes:
        return self._write_tokens(replace(proposal.analysed.tokens, grain_map=depths), header, chunks)

    def write_shorter(self, pyramid: TokenPyramid, header: Header, chunks: Sequence[Chunk]) -> bytes:
        """The shorter of the file coded with the tables and, if there is one, the file coded with the prior."""
        data = self._write_tokens(pyramid, header, chunks)
        if self.prior_model is None:
            return data
        with_prior = self._write_tokens(pyramid, replace(header, version=PRIOR_VERSION), chunks)
        return min(with_prior, data, key=len)

    def _write_tokens(self, pyramid: TokenPyramid, header: Header, chunks: Sequence[Chunk]) -> bytes:
        payload = self._model_of(header).write(pyramid)
        return pack_file(header, chunks, payload.data, token_check(pack_header(header), *payload.checked))

    # ---- decompress ----

    def decode_tokens(self, file: WispFile) -> TokenPyramid:
        """Payload -> tokens, verified.

        Raises:
            ModelMismatch: the file was coded with a masked prior, and the bundle has none.
            Truncated: bytes are missing at the end.
            Corrupt: there are too many bytes, or the check disagrees.
        """
        header = file.header
        pyramid, wanted, checked = self._model_of(header).read(file.stream, self._shape(header))
        found = len(file.payload)
        if found < wanted:
            raise Truncated(f"expected {wanted} bytes of payload, found {found}; the end is missing")
        if found > wanted:
            raise Corrupt(f"expected {wanted} bytes of payload, found {found}; the file is damaged")
        check = token_check(file.header_bytes, *checked)
        if check != file.check:
            raise Corrupt(
                f"expected check {file.check:04x}, found {check:04x} after decoding; the file is damaged"
            )
        return pyramid

    def decode_arrived(self, file: WispFile) -> tuple[TokenPyramid, bool]:
        """The tokens of a file that may have been cut, and whether it is whole; only then they are verified.

        Raises:
            as `decode_tokens`; Truncated only if nothing can be shown.
        """
        try:
            return self.decode_tokens(file), True
        except Truncated:
            model, shape = self._model_of(file.header), self._shape(file.header)
            return read_partial(self.entropy_model, model, file.stream, shape), False

    def _shape(self, header: Header) -> PyramidShape:
        strides, groups = self.bundle.config.strides, self.bundle.config.groups
        rows, columns = (-(-side // strides[0]) for side in (header.working_height, header.working_width))
        return PyramidShape(rows, columns, strides, groups)

    def synthesise(self, file: WispFile, pyramid: TokenPyramid) -> NDArray[np.uint8]:
        """Tokens -> (height, width, 3) uint8 at the original size."""
        header = file.header
        working = synthesise(self.bundle, pyramid, header.working_height, header.working_width)
        return upscale_u8(working, (header.height, header.width))

    def confidence(self, pyramid: TokenPyramid) -> NDArray[np.float32]:
        """(rows, cols): share of each region's tokens that was received rather than left to the network."""
        return pyramid.shares_sent()
