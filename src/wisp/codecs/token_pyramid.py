"""The token pyramid codec: follow one photograph through it.

compress:    pixels -> [working scale] -> analysis -> tokens -> grain map -> payload -> file
decompress:  file -> payload -> grain map, tokens -> synthesis -> [original scale] -> pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand, allocate, choose_depths
from wisp.allocation.levels import by_level
from wisp.allocation.roi import check_roi
from wisp.codecs.bundle_entropy import BundleEntropy
from wisp.codecs.detail import add_detail
from wisp.codecs.detail_budget import spend_on_detail
from wisp.codecs.huffman_entropy import HuffmanEntropyModel
from wisp.codecs.looking import SEARCH_EFFORT, USUAL_EFFORT, look_of
from wisp.codecs.partial_reading import read_partial
from wisp.codecs.prior_budget import calibrated, fit_budget, with_savings
from wisp.codecs.proposal import AllocationSettings, Proposal, Roi, lmbda_of_quality, propose
from wisp.codecs.pyramid_entropy import Payload
from wisp.codecs.pyramid_networks import pyramid_shape, synthesise
from wisp.codecs.refinement import refine
from wisp.codecs.uniform_file import check_keep, uniform_file
from wisp.container import (
    HUFFMAN_VERSION,
    PRIOR_VERSION,
    TABLES_VERSION,
    Chunk,
    Header,
    WispFile,
    pack_file,
    pack_header,
    token_check,
)
from wisp.container.varint import pack_varint, unpack_varint
from wisp.errors import BudgetError, Corrupt, ModelMismatch, Truncated, UsageError
from wisp.imaging import MAX_EXPONENT, Picture, upscale_u8
from wisp.rate import Target
from wisp.runtime import Bundle
from wisp.tokens.pyramid import PyramidShape, TokenPyramid


class TokenPyramidCodec(BundleEntropy):
    """Runs one bundle. Holds no state but the loaded model; safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        table = bundle.config.allocation
        try:
            self.settings = AllocationSettings(
                float(table["masking"]),
                tuple(float(gain) for gain in table["level_gains"]),
                tuple(float(rate) for rate in table["scale_bpp"]),
                float(table.get("scale_pixels", 0.0)),
            )
            if len(self.settings.level_gains) != len(bundle.config.groups):
                raise ValueError(f"{len(self.settings.level_gains)} level_gains")
        except (KeyError, TypeError, ValueError) as fault:
            raise ModelMismatch(f"expected allocation numbers in {bundle.folder}, found {fault!r}") from None

    # ---- compress ----

    def compress(
        self,
        picture: Picture,
        target: Target,
        chunks: Sequence[Chunk] = (),
        roi: Roi | None = None,
        keep: float | None = None,
        huffman: bool = False,
        effort: int = USUAL_EFFORT,
    ) -> bytes:
        """The file; `keep` is the share of the positions that a model of uniform grain sends.

        With `huffman` tokens are coded by the model's Huffman code, else by the shorter of its tables and its prior.

        Raises:
            BudgetError: no file of that size exists; it carries the smallest size that works.
            UsageError: the mask does not fit the picture, or the model's grain does not allow mask or share.
        """
        kept = check_keep(keep, self.is_uniform)
        self.check_huffman(huffman)
        if roi is not None:
            if self.is_uniform:
                raise UsageError("expected no mask with a uniform grain; leave it out, or use wisp_small")
            check_roi(roi.mask_u8, picture.height, picture.width, roi.strength)
        budget = target.budget(picture.width, picture.height)
        smallest = 1 << 62
        first = self.settings.first_exponent(picture.width, picture.height, budget)
        for exponent in range(first, MAX_EXPONENT + 1):
            header = self.header(picture, exponent, bool(chunks), huffman)
            overhead = len(pack_file(header, chunks, b"\0", 0)) - 1
            payload_bytes = None if budget is None else budget - overhead
            if self.is_uniform:
                write = partial(self.write_shorter, header=header, chunks=chunks)
                data = uniform_file(self, picture, exponent, kept, target, payload_bytes, write)
            else:
                args = (self.bundle, self.entropy_model, self.settings, picture, exponent, payload_bytes, roi)
                look = look_of(self, effort, target, payload_bytes)
                proposal = propose(*args, look, effort >= SEARCH_EFFORT)
                code = partial(self._code, target=target, overhead=overhead, header=header, chunks=chunks)
                data = code(proposal, budget)
                proposal, data = refine(self, picture, proposal, data, budget, effort, code)
                if budget is not None and exponent == 0:
                    recode = partial(code, proposal)
                    data = spend_on_detail(self, picture, data, proposal.analysed, budget, chunks, recode)
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
        budget: int | None,
        target: Target,
        overhead: int,
        header: Header,
        chunks: Sequence[Chunk],
    ) -> bytes:
        """The better of files coded with prior and tables; with the Huffman code, if the header names that."""
        with_prior: bytes | None = None
        if self.prior_model is not None and header.version == TABLES_VERSION:
            with_prior, is_better = self._code_with_prior(
                proposal, target, budget, overhead, replace(header, version=PRIOR_VERSION), chunks
            )
            if is_better:
                return with_prior
        if budget is None:
            data = self._write(proposal, self._choose(proposal, target), header, chunks)
        else:
            _, data = fit_budget(
                self._steps(proposal.demand),
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
        demand = self._steps(with_savings(proposal.demand, self.prior_model.prior.savings))
        if budget is None:
            depths = self._choose(proposal, target)
            data = self._write(proposal, depths, header, chunks)
        else:
            demand = calibrated(demand, budget, overhead, proposal.analysed.at, self.prior_model.write)
            depths, data = fit_budget(
                demand, budget, overhead, lambda depths: self._write(proposal, depths, header, chunks)
            )
            if len(data) > budget:
                return data, False
        by_tables = self._steps(proposal.demand)
        tables_bits = by_tables.total_bits(depths, by_tables.cumulative_bits())
        return data, 8 * (len(data) - overhead) <= tables_bits

    def header(self, picture: Picture, exponent: int, has_chunks: bool, huffman: bool = False) -> Header:
        """Of a file whose tokens are coded with the tables, or with the Huffman code."""
        return Header(
            model_number=self.bundle.config.model_number,
            width=picture.width,
            height=picture.height,
            greyscale=picture.greyscale,
            scale_exponent=exponent,
            has_chunks=has_chunks,
            version=HUFFMAN_VERSION if huffman else TABLES_VERSION,
        )

    def _choose(self, proposal: Proposal, target: Target) -> NDArray[np.uint8]:
        """A quality is a price of squared error: it says how many bits, and the demand where they go."""
        assert target.quality is not None
        lmbda = lmbda_of_quality(target.quality)
        measured = self._steps(replace(proposal.demand, distortions=proposal.measured))
        cumulative = measured.cumulative_bits()
        depths = choose_depths(measured, cumulative, lmbda)
        if lmbda == 0 or not self.bundle.has_forecast:
            return depths
        return allocate(self._steps(proposal.demand), measured.total_bits(depths, cumulative))

    def _steps(self, demand: Demand) -> Demand:
        """Bits of groups -> bits of the steps from one depth of the grain map to the next."""
        return by_level(demand, self.bundle.config.groups) if self.is_routed else demand

    def _write(
        self, proposal: Proposal, depths: NDArray[np.uint8], header: Header, chunks: Sequence[Chunk]
    ) -> bytes:
        return self.write_tokens(proposal.analysed.at(depths), header, chunks)

    def write_shorter(self, pyramid: TokenPyramid, header: Header, chunks: Sequence[Chunk]) -> bytes:
        """The shorter of the file coded with the tables and, if there is one, the file coded with the prior.

        If the header names the Huffman code, the file coded with that.
        """
        data = self.write_tokens(pyramid, header, chunks)
        if self.prior_model is None or header.version != TABLES_VERSION:
            return data
        with_prior = self.write_tokens(pyramid, replace(header, version=PRIOR_VERSION), chunks)
        return min(with_prior, data, key=len)

    def write_tokens(
        self, pyramid: TokenPyramid, header: Header, chunks: Sequence[Chunk], detail: bytes = b""
    ) -> bytes:
        """The file of tokens, coded as the header says."""
        return self.join(self.model_of(header).write(pyramid), header, chunks, detail)

    def join(self, payload: Payload, header: Header, chunks: Sequence[Chunk], detail: bytes = b"") -> bytes:
        """The file of coded tokens."""
        behind = pack_varint(len(detail)) + detail if header.has_detail else b""
        check = token_check(pack_header(header), *payload.checked, detail)
        return pack_file(header, chunks, payload.data + behind, check)

    # ---- decompress ----

    def decode_tokens(self, file: WispFile) -> TokenPyramid:
        """Payload -> tokens, verified. Errors as `decode`."""
        return self.decode(file)[0]

    def decode(self, file: WispFile) -> tuple[TokenPyramid, bytes]:
        """Payload -> tokens and detail (nothing if the file has none), verified.

        Raises:
            ModelMismatch: the file was coded with a masked prior, and the bundle has none.
            Truncated: bytes are missing at the end.
            Corrupt: there are too many bytes, or the check disagrees.
        """
        header = file.header
        pyramid, wanted, checked = self.model_of(header).read(file.stream, self._shape(header))
        found, detail = len(file.payload), b""
        if header.has_detail and found >= wanted:
            length, start = unpack_varint(file.payload, wanted)
            if not length or header.scale_exponent:
                raise Corrupt(
                    "expected detail at full scale, found none or a smaller one; the file is damaged"
                )
            wanted = start + length
            detail = file.payload[start:wanted]
        if found < wanted:
            raise Truncated(f"expected {wanted} bytes of payload, found {found}; the end is missing")
        if found > wanted:
            raise Corrupt(f"expected {wanted} bytes of payload, found {found}; the file is damaged")
        check = token_check(file.header_bytes, *checked, detail)
        if check != file.check:
            raise Corrupt(
                f"expected check {file.check:04x}, found {check:04x} after decoding; the file is damaged"
            )
        return pyramid, detail

    def decode_arrived(self, file: WispFile) -> tuple[TokenPyramid, bytes, bool]:
        """Tokens and detail of a file that may have been cut, and whether it is whole; only then they are verified.

        Raises:
            as `decode`; Truncated only if nothing can be shown.
        """
        try:
            return *self.decode(file), True
        except Truncated:
            model, shape = self.model_of(file.header), self._shape(file.header)
            if shape.routed or isinstance(model, HuffmanEntropyModel):
                raise  # its levels do not follow one another in a region: what is missing would be holes
            return read_partial(self.entropy_model, model, file.stream, shape), b"", False

    def _shape(self, header: Header) -> PyramidShape:
        return pyramid_shape(self.bundle.config, header.working_height, header.working_width)

    def synthesise(self, file: WispFile, pyramid: TokenPyramid, detail: bytes = b"") -> NDArray[np.uint8]:
        """Tokens -> (height, width, 3) uint8 at the original size, with detail added.

        Raises:
            Corrupt: the detail is no frame of this size.
        """
        header = file.header
        working = synthesise(self.bundle, pyramid, header.working_height, header.working_width)
        shown = upscale_u8(working, (header.height, header.width))
        return add_detail(shown, detail) if detail else shown

    def confidence(self, pyramid: TokenPyramid) -> NDArray[np.float32]:
        """(rows, cols): share of each region's tokens that was received rather than left to the network."""
        return pyramid.shares_sent()
